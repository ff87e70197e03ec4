"""A parent that serves RPC, and children that a test drives, in one process."""

from collections.abc import Callable
from typing import Any

import pytest

from caplab.kernel.abi import WORD, ObjectType
from caplab.kernel.core.cap import has_children
from caplab.pd.env import Env
from caplab.pd.sel4rpc import MAGIC, RpcError, RpcServer
from threaded_system import ThreadedSystem

AT = 0x10440000
UNTYPED, FRAME, NTFN = ObjectType.UNTYPED, ObjectType.FRAME, ObjectType.NOTIFICATION
MACHINE: dict[str, Any] = {
    "irqs": [3, 40],
    "timers": ["timer0"],
    "ranges": [{"address": AT, "size": 0x8000}],
}
MARK = WORD.pack(MAGIC)


def serving(**given: Any) -> Callable[[Env], None]:
    """The parent's program: the loop of the seed."""

    def main(env: Env) -> None:
        endpoint = env.endpoint("server")
        env.tcb.bind_notification(env.work)
        server = RpcServer(env, **given)
        while True:
            message = endpoint.recv()
            if message.notification:
                server.see_to_work()
            elif not server.recv(message):
                env.reply(7, f"not RPC: {len(message.data)}".encode())

    return main


def family(*children: str, semantics: str = "lab", **given: Any) -> ThreadedSystem:
    parent = {
        "name": "parent",
        "main": serving(**given),
        "serves": "endpoint",
        "role": "server",
        "devices": ["irqs", "ioports", "ranges"],
    }
    named = children or ("child",)
    entries = [{"name": name, "uses": {"parent": "parent"}} for name in named]
    return ThreadedSystem(parent, *entries, uarts=(), semantics=semantics, **MACHINE)


def refused(kind: type[RpcError], ask: Callable[[], object]) -> str:
    with pytest.raises(RpcError) as told:
        ask()
    assert type(told.value) is kind, told.value
    return str(told.value)


def refused_with(code: int, ask: Callable[[], object]) -> str:
    with pytest.raises(RpcError) as told:
        ask()
    assert told.value.code == code, told.value
    return str(told.value)


def left(system: ThreadedSystem, name: str = "ranges") -> int:
    """Bytes that are left of an untyped of the parent's, as the kernel has it."""
    pd = system.root.latest["parent"]
    slot = pd.cspace.slots[pd.names[name].slot]
    assert slot.cap is not None
    whole: int = 1 << slot.cap.obj.bits
    return whole - (slot.cap.badge if has_children(slot) else 0)
