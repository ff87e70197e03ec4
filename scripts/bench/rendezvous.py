"""The yardstick of many clients: a relay that hands its server one request at a time.

`python -m caplab.scripts.bench.rendezvous ROLE ADDRESS CLIENTS` with ROLE relay, server or the
name of a client, and how many clients there are. As ReplyRecv does it, the server gets its next
request when it has replied; meanwhile the others wait in the relay's queue. Beyond that it is as
bare as `relay.py`.
"""

import sys
from collections import deque
from collections.abc import Iterable

import zmq

from caplab.kernel.confine.libc import Libc
from caplab.scripts.bench.relay import HELLO, SERVER, Context, connected, server
from caplab.scripts.bench.sampling import BODY, counted


def relay(context: Context, address: str, clients: int) -> None:
    with context.socket(zmq.ROUTER) as router:
        router.bind(address)
        peers = [router.recv_multipart()[0] for _ in range(clients + 1)]
        for peer in peers:
            if peer != SERVER:
                router.send_multipart([peer, HELLO])
        waiting: deque[tuple[bytes, bytes]] = deque()
        serving = b""
        while True:
            sender = router.recv()
            body = router.recv()
            if sender == SERVER:
                router.send(serving, zmq.SNDMORE)
                router.send(body)
                serving = b""
                if not waiting:
                    continue
                serving, body = waiting.popleft()
            elif serving:
                waiting.append((sender, body))
                continue
            else:
                serving = sender
            router.send(SERVER, zmq.SNDMORE)
            router.send(body)


def client(context: Context, address: str, name: bytes, lines: Iterable[str]) -> None:
    """Answers each line, two moments of the monotonic clock, with the trips made between them."""
    with connected(context, address, name) as dealer:

        def trip() -> bytes:
            dealer.send(BODY)
            return dealer.recv()

        dealer.recv()
        print("ready", flush=True)
        for line in lines:
            begin, end = map(int, line.split())
            print(counted(trip, begin, end), flush=True)


def main() -> None:
    _, role, address, clients = sys.argv
    Libc().die_with_parent()
    context: Context = zmq.Context()
    if role == "relay":
        relay(context, address, int(clients))
    elif role == "server":
        server(context, address)
    else:
        client(context, address, role.encode(), sys.stdin)


if __name__ == "__main__":
    main()
