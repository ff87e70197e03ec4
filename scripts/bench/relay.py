"""The yardstick of `bench ipc`: the plainest relay one writes with pyzmq, as three processes.

`python -m caplab.scripts.bench.relay ROLE ADDRESS` with ROLE relay, server or client: a client
(DEALER), a relay (ROUTER) that only swaps the address, a server (DEALER) that echoes. The relay
blocks in one `recv`, and receives and sends part by part, because the loops inside
`recv_multipart` and `send_multipart` cost a tenth more and would flatter us. It knows from the
start who talks to whom, checks nothing and never loses a peer: what a brokered Call costs beyond
this is the price of capabilities.
"""

import sys
from collections.abc import Callable

import zmq

from caplab.kernel.confine.libc import Libc
from caplab.scripts.bench.sampling import BODY, p50, sampled

CLIENT, SERVER = b"client", b"server"
HELLO = b"hello"

Socket = zmq.Socket[bytes]
Context = zmq.Context[Socket]


def relay(context: Context, address: str) -> None:
    with context.socket(zmq.ROUTER) as router:
        router.bind(address)
        for _ in (CLIENT, SERVER):  # a message to a peer that is not there yet would be dropped
            router.recv_multipart()
        router.send_multipart([CLIENT, HELLO])
        while True:
            sender = router.recv()
            body = router.recv()
            router.send(SERVER if sender == CLIENT else CLIENT, zmq.SNDMORE)
            router.send(body)


def server(context: Context, address: str) -> None:
    with connected(context, address, SERVER) as dealer:
        while True:
            dealer.send(dealer.recv())


def client(context: Context, address: str) -> None:
    """Answers every line on standard input, a number of trips, with their p50 in microseconds."""
    with connected(context, address, CLIENT) as dealer:

        def trip() -> bytes:
            dealer.send(BODY)
            return dealer.recv()

        dealer.recv()
        print("ready", flush=True)
        for line in sys.stdin:
            print(p50(sampled(trip, int(line))), flush=True)


def connected(context: Context, address: str, name: bytes) -> Socket:
    dealer = context.socket(zmq.DEALER)
    dealer.setsockopt(zmq.ROUTING_ID, name)
    dealer.setsockopt(zmq.LINGER, 0)
    dealer.connect(address)
    dealer.send(HELLO)
    return dealer


ROLES: dict[str, Callable[[Context, str], None]] = {
    "relay": relay,
    "server": server,
    "client": client,
}


def main() -> None:
    _, role, address = sys.argv
    Libc().die_with_parent()  # nothing else would tell a relay that nobody measures any more
    ROLES[role](zmq.Context(), address)


if __name__ == "__main__":
    main()
