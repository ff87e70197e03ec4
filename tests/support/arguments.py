"""For every invocation of the table what its arguments may not be, and how it is tried.

`everything.world` has a capability of every kind. `GOOD` (`good_calls.py`) says for each row what
it is called on and with; from that the fuzz tests change one thing at a time. `REFUSED` says of
each argument, by its name, which values are never taken. What stands in neither is still tried: it
may be done or refused, by an error that the docstring names, and then nothing has changed.
"""

import re
from typing import Any

import msgpack

from caplab.kernel.abi import (
    DOMAIN_DURATION_MAX,
    SLOT_PD,
    SLOT_TCB,
    Status,
    Sys,
)
from caplab.kernel.core.effects import Resume
from caplab.kernel.core.invariants import violations
from caplab.kernel.core.rows import Invocation
from caplab.kernel.core.rows import Syscall as Row
from caplab.kernel.core.syscalls import INVOCATIONS, ROWS
from everything import (
    BADGED,
    BELL,
    CHILD,
    DEAD,
    DEAD_TCB,
    DEVICE,
    EMPTY,
    ENDPOINT,
    FIRST_PORT,
    FREE,
    HUGE,
    LOT,
    MEMORY,
    NODE,
    NOWHERE,
    PAGE,
    SAVED,
    SPLIT,
    world,
)
from frames import Answer, Body
from good_calls import GOOD
from lab import Cptr, Thread

BY_NAME = {row.name.replace("_", ""): row for row in INVOCATIONS}
BY_CALL = {row.number.name.replace("_", ""): row for row in ROWS.values()}


_DEPTH = (0, 65, 2**63, HUGE, 9)
_TO = (SLOT_TCB, ENDPOINT, 1024, NOWHERE, HUGE)
"""Full, or leading nowhere."""
_FROM = (EMPTY, 1024, NOWHERE, HUGE)
_NO_GUARD = (61, 63, HUGE)
"""Longer than a word has room for beside the index."""
_NO_NODE = (0, EMPTY, NOWHERE, HUGE, ENDPOINT, BELL, PAGE, SAVED, SLOT_TCB, SLOT_PD, MEMORY)
_NO_BELL = (0, EMPTY, NOWHERE, HUGE, ENDPOINT, NODE, PAGE, SAVED, SLOT_TCB, SLOT_PD, MEMORY)
_NO_TCB = (0, EMPTY, NOWHERE, HUGE, ENDPOINT, BELL, NODE, PAGE, SAVED, SLOT_PD, MEMORY)
_NO_NAME = ("", "é" * 65, "x" * 4000)
_NOT_TEXT = (b"fs", 1, -1, HUGE, True, 1.5, ["fs"], {"fs": 1})
_NOT_NUMBER = ("1", b"1", True, 1.5, float("nan"), [1], {"a": 1})
_NOT_LIST = ("uart0", b"", 0, True, 1.5, {"uart0": 1})
_NO_POINTER = (0, EMPTY, NOWHERE, HUGE, -1, -(2**63))

REFUSED: dict[str, tuple[Any, ...]] = {
    "dest_index": _TO,
    "dest_depth": _DEPTH,
    "src_index": _FROM,
    "src_depth": _DEPTH,
    "pivot_index": (*_FROM, PAGE),
    "pivot_depth": _DEPTH,
    "dest_badge": _NO_GUARD,
    "pivot_badge": (),
    "rights": (),
    "badge": (),
    "index": (NOWHERE, HUGE),
    "depth": _DEPTH,
    "fault_ep": (),
    "cspace_root_data": (55, 63, HUGE),
    "vspace_root_data": (),
    "buffer": (1, 0x1200, HUGE),
    "suspend_source": (),
    "resume": (),
    "arch_flags": (),
    "count": (HUGE, 21, 2**32),
    "registers": (),
    "irq": (2, 15, 39, 127, 128, HUGE),
    "trigger": (2, HUGE),
    "ioapic": (1, HUGE),
    "pin": (24, HUGE),
    "level": (2, HUGE),
    "polarity": (2, HUGE),
    "vector": (0, 2, 127, 128, HUGE),
    "pci_bus": (256, HUGE),
    "pci_dev": (32, HUGE),
    "pci_func": (8, HUGE),
    "handle": (),
    "first_port": (FIRST_PORT, 0x400, 0x10000, HUGE),
    "last_port": (0, 0x3F7, 0x10000, HUGE),
    "port": (0, FIRST_PORT - 1, FIRST_PORT + 13, 0xFFFF, HUGE),
    "width": (0, 3, 5, 8, HUGE),
    "data": (),
    "priority": (101, 256, HUGE),
    "mcp": (101, 256, HUGE),
    "domain": (16, 255, HUGE),
    "thread": (0, 33, HUGE),
    "duration": (0, DOMAIN_DURATION_MAX + 1, HUGE),
    "type": (0, 5, 8, 9, 16, 17, 18, 99, HUGE),
    "size_bits": (64, HUGE),
    "node_index": (),
    "node_depth": (9, 65, HUGE),
    "node_offset": (0, SLOT_TCB, ENDPOINT, 1023, 1024, HUGE),
    "num_objects": (0, 257, 985, HUGE),
    "name": _NOT_TEXT,
    "run": (*_NOT_TEXT, None),
    "args": ("a", b"a", 1, True, 1.5, ["a"]),
    "threads": (*_NOT_NUMBER, 0, -1, 33, HUGE, -(2**63)),
    "devices": (*_NOT_LIST, ["disk"], [None], [["uart0"]], [{}]),
    "serves": (*_NOT_TEXT, "space", "é"),
    "path": (*_NOT_LIST, [1], [None], [b"/x"], [[]]),
    "faults": (*_NOT_NUMBER, *_NO_POINTER, BELL, PAGE, NODE, SAVED, SLOT_TCB, MEMORY),
    "untyped": (*_NOT_NUMBER, *_NO_POINTER, BELL, PAGE, NODE, SAVED, SLOT_TCB, SPLIT, DEVICE),
    "signal": (*_NOT_NUMBER, 0, -1, 65, HUGE, -(2**63)),
    "how": (*_NOT_TEXT, None, "", "segv ", "exit:", "exit:1000", "exit:-1", "SEGV"),
    "after": (*_NOT_NUMBER, 0, -1, -(2**63)),
    "slot": (*_NOT_NUMBER, 0, 1, -1, 512, HUGE, -(2**63)),
    "src_root": _NO_NODE,
    "pivot_root": _NO_NODE,
    "root": _NO_NODE,
    "cspace_root": _NO_NODE,
    "vspace_root": (),
    "buffer_frame": (0, EMPTY, NOWHERE, HUGE, ENDPOINT, BELL, NODE, SAVED, SLOT_TCB, MEMORY),
    "notification": _NO_BELL,
    "authority": _NO_TCB,
    "tcb": (*_NO_TCB, DEAD_TCB),
    "cap": (0, EMPTY, NOWHERE, HUGE, SAVED),
}
"""By the name of an argument; a row of its own may say otherwise, as `row.argument`."""

_NO_PD = (*_NOT_NUMBER, None, 0, -1, DEAD, 77, HUGE)
_NO_DEPTH = (b"", True, 1.5, [1], {}, -2, "none")
_NO_RESOURCE = (*_NOT_NUMBER, None, -1, 3, 2**24 - 1, 2**24, HUGE)
_NO_SPACE = (*_NOT_NUMBER, -1, 99, HUGE)

REFUSED |= {
    "pd_send.name": (*_NOT_TEXT, *_NO_NAME),
    "pd_share_rde.type": (*_NOT_TEXT, None, "", "no such"),
    "pd_share_rde.space": _NO_SPACE,
    "pd_share_rde.name": (*_NOT_TEXT, *_NO_NAME),
    "pd_remove_rde.type": (*_NOT_TEXT, None, "", "no such"),
    "pd_remove_rde.space": _NO_SPACE,
    "type_name": (*_NOT_TEXT, None, ""),
    "client": (*_NOT_NUMBER, 0, -1, DEAD, 77, HUGE),
    "pd_depth": _NO_DEPTH,
    "space_depth": _NO_DEPTH,
    "endpoint": (0, EMPTY, NOWHERE, HUGE, BELL, PAGE, NODE, SAVED, SLOT_TCB, BADGED),
    "space": (*_NO_SPACE, None, LOT),
    "object": _NO_RESOURCE,
    "pd": _NO_PD,
    "resspc_create.object": (*_NOT_NUMBER, -1, 1, 2, 2**24 - 1, 2**24, HUGE),
    "resspc_revoke.count": (*_NOT_NUMBER, 0, -1, 2, HUGE),
    "resspc_issue.name": (*_NOT_TEXT, *_NO_NAME),
    "mo_connect.pages": (*_NOT_NUMBER, None, 0, -1, 513, HUGE),
    "ads_attach.name": (*_NOT_TEXT, None, "", "stack", "x" * 61),
    "ads_attach.rights": (*_NOT_NUMBER, None),
    "ads_detach.name": (*_NOT_TEXT, None, "", "no"),
    "frame": (0, EMPTY, NOWHERE, HUGE, ENDPOINT, BELL, NODE, SAVED, SLOT_TCB, MEMORY),
    "ads_copy.ads": (0, EMPTY, NOWHERE, HUGE, ENDPOINT, BELL, NODE, SAVED, SLOT_TCB, MEMORY),
    "ads": (*_NOT_NUMBER, *_NO_POINTER, BELL, PAGE, NODE, SAVED, SLOT_TCB),
    "pd_finish_work.id": (*_NOT_NUMBER, None, 0, -1, 2, 77, HUGE),
    "pd_finish_work.rows": (*_NOT_LIST, [], [[1, "", []]]),
    "pd_finish_work.more": (*_NOT_NUMBER, 1, 2, -1, HUGE),
    "cnode_mint.badge": (),
    "cnode_mutate.badge": _NO_GUARD,
    "cnode_mutate.src_index": (*_FROM, ENDPOINT, BELL),
    "cnode_save_caller.index": _TO,
    "cnode_cancel_badged_sends.index": (*_FROM, PAGE, NODE, SLOT_TCB),
    "frame_map_in.vaddr": (0, 1, 4095, 2**47, 2**63, HUGE),
    "frame_map_in.vspace": (0, EMPTY, NOWHERE, HUGE, BELL, PAGE, SLOT_TCB, SLOT_PD, CHILD),
    "domain_set_schedule_configure.index": (0x3F, 64, HUGE),
    "domain_set_schedule_set_start.index": (1, 63, 64, HUGE),
    "pd_client.badge": (*_NOT_NUMBER, None, 0, -1, 9, HUGE),
    "pd_client.endpoint": (0, EMPTY, NOWHERE, HUGE, BELL, PAGE, NODE, SAVED, SLOT_TCB, MEMORY),
    "pd_install.name": (*_NOT_TEXT, *_NO_NAME),
    "pd_install.rights": (*_NOT_NUMBER, None),
    "pd_install.badge": (*_NOT_NUMBER, -1, -(2**63)),
    "pd_install.slot": (*_NOT_NUMBER, 0, 1, -1, 512, HUGE, -(2**63)),
    "pd_lookup.name": (*_NOT_TEXT, "", "fs ", "é"),
    "pd_create.name": (*_NOT_TEXT, None, "", "9", "a b", "x" * 33, "é", "child", "boss", "new\n"),
    "device_claim.slot": (*_NOT_NUMBER, None, 0, 1, -1, 512, HUGE, -(2**63), ENDPOINT),
    "device_ports.slot": (*_NOT_NUMBER, None, 0, 1, -1, 512, HUGE, -(2**63), ENDPOINT),
    "irq_control_get.index": _TO,
    "irq_control_get_trigger.index": _TO,
    "irq_control_get_ioapic.index": _TO,
    "irq_control_get_msi.index": _TO,
    "ioport_control_issue.index": _TO,
}


def refused(row_name: str, argument: str) -> tuple[Any, ...] | None:
    """Values the argument of that row may never have; None if nobody has said."""
    return REFUSED.get(f"{row_name}.{argument}", REFUSED.get(argument))


WILD_WORDS = (0, 1, 2, 3, 16, 31, 63, 64, 65, 255, 1023, 4096, 2**31, 2**32, 2**63 - 1, 2**63, HUGE)
WILD_SLOTS = (0, 1, 2, 3, 4, *range(20, 36), FREE, EMPTY, 511, 512, 513, 1023, NOWHERE, HUGE)
WILD_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 9, 64, 1023, 2**31, 2**63, HUGE, -(2**31), -(2**63)),
    *(0.0, 1.5, float("inf"), float("nan"), "", "a", "é", "x" * 1000, b"", b"\xff", [], [1], {}),
    *({"a": {"b": [1, None]}}, [[[]]]),
)
WILD_BODIES = (b"", b"\x80", b"\xc1", b"\x90", b"\x01", b"\xa1\xff", b"\x81\xa1", b"\x91" * 2000)
"""Control bodies that are no map, or no msgpack at all."""


def documented(row: Row | Invocation, seen: frozenset[str] = frozenset()) -> set[str]:
    """The errors a docstring names, those it takes over with `as X` included."""
    text = row.handler.__doc__ or ""
    errors = text.partition("Errors:")[2].partition("Differs:")[0]
    found = set(re.findall(r"\b[A-Z][A-Z_]+\b", errors)) & {status.name for status in Status}
    for word in re.findall(r"\bas ([A-Z]\w+)", errors):
        key = word.replace("_", "")
        other = BY_NAME.get(key.lower()) or BY_CALL[key.upper()]
        if key not in seen:
            found |= documented(other, seen | {key})
    return found


class Bench:
    """A world on which calls are tried; it is made anew after one that was not refused."""

    def __init__(self, **spec: Any) -> None:
        self.spec = spec
        self.changed = True

    def ready(self) -> Thread:
        """The thread that calls, in a world in which nothing has happened yet."""
        if self.changed:
            self.lab, self.boss = world(**self.spec)
            self.before = self.lab.k.state_hash()
            self.changed = False
        return self.boss

    def call(
        self, row: Row | Invocation, on: Cptr, body: Body, *, kind: Sys = Sys.CALL, **more: Any
    ) -> Answer | None:
        """Its answer; None when it blocks. A refusal is documented, and changes nothing."""
        label = int(row.label) if isinstance(row, Invocation) else 0
        boss = self.ready()
        self.changed = True
        answer = boss.syscall(kind, on, body, **{"label": label, **more})
        if answer is not None and answer.status:
            status = Status(answer.status)
            assert status.name in documented(row), (status, on, body, more)
            # What a ReplyRecv replies goes out, whatever becomes of its receive.
            if kind != Sys.REPLY_RECV:
                assert self.lab.k.state_hash() == self.before, (status, on, body, more)
                assert self.lab.effects == [Resume(boss.number, self.lab.effects[0].frame)]
                self.changed = False
                return answer
        self.lab.work()
        assert violations(self.lab.k) == []
        assert self.lab.pd("boss").state == "started"
        return answer

    def try_good(self, row: Invocation, **changed: Any) -> Answer | None:
        """The row's good call, with some arguments, capabilities or the rest changed."""
        good = GOOD[row.name]
        caps = [changed.pop(name, cap) for name, cap in zip(row.caps, good.caps, strict=True)]
        rest = changed.pop(row.rest, good.rest)
        given = {**good.given, **changed}
        return self.call(row, good.on, body_of(row, given, rest), caps=caps, slot=good.receive)


def body_of(row: Invocation, given: dict[str, Any], rest: tuple[int, ...] = ()) -> Body:
    if row.body == "msgpack":
        return bytes(msgpack.packb(given))
    return [*(given[word] for word in row.words), *rest]
