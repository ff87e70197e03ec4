"""The programs of `loans.py`: a parent that uses sel4rpc, one that does not, and a child."""

from collections.abc import Callable, Mapping
from functools import partial

from caplab.kernel.abi import WORD_BITS, ObjectType
from caplab.pd import invocations, stubs
from caplab.pd.env import Env
from caplab.pd.sel4rpc import RpcClient, RpcMemory, RpcMessage, RpcServer
from caplab.scripts.bench.programs import UART, typed
from caplab.scripts.bench.sampling import p50, sampled

HAND, RPC = "hand", "rpc"
"""Parents: raw stubs, and the library's loop."""
BITS = 12
BODY = bytes(16)
"""What the request by hand carries: as much as that of sel4rpc."""


def hand_parent(env: Env) -> None:
    """Answers every call with untyped memory, made of a part that it knows to be free."""
    transport, endpoint = env.utcb().transport, env.endpoint("server").slot
    part = env.memory_pool.make(ObjectType.UNTYPED, BITS)
    slot, node = env.slots.alloc(), env.cnode.slot
    while True:
        stubs.recv(transport, endpoint)
        made = invocations.untyped_retype(
            transport, part, ObjectType.UNTYPED, BITS, 0, 0, slot, 1, node
        )
        assert not made.status, made
        stubs.reply(transport, 0, BODY, (slot,))
        invocations.cnode_delete(transport, node, slot, WORD_BITS)


def rpc_parent(env: Env) -> None:
    """The main loop of seed 001."""
    process_ep = env.endpoint("server")
    rpc_server = RpcServer(env)
    while True:
        rpc_server.recv(process_ep.recv())


def child(env: Env) -> None:
    """Answers `WHO TRIPS` on its console with the p50 of so many requests, in microseconds.

    What it gets it deletes, so that the slot is empty and the memory free for the next.
    """
    transport, slot, node = env.utcb().transport, env.slots.alloc(), env.cnode.slot
    delete = partial(invocations.cnode_delete, transport, node, slot, WORD_BITS)
    hand, rpc = env.endpoint(HAND).slot, RpcClient(env.endpoint(RPC))

    def by_hand() -> None:
        answer = stubs.call(transport, hand, 0, BODY, (), (0, slot, WORD_BITS))
        assert answer.caps == (slot,), answer
        delete()

    def by_rpc() -> None:
        rpc.call(RpcMessage(memory=RpcMemory(size_bits=BITS, type=ObjectType.UNTYPED)), 0, slot)
        delete()

    trips: Mapping[str, Callable[[], object]] = {HAND: by_hand, RPC: by_rpc}
    uart = env.device(UART)
    uart.write(b"ready\n")
    for line in typed(env):
        who, count = line.decode().split()
        uart.write(b"p50 %.3f\n" % p50(sampled(trips[who], int(count))))
