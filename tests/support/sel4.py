"""What the re-created sel4test cases share: a system under `semantics: sel4`, and its helpers.

A helper is a thread of the test's own PD (it shares its CSpace) or a PD of its own. `Helpers` runs
several as programs: generators that yield one call at a time and are given its answer.

    def client(thread):
        answer = yield lambda: thread.call(20, [1])

Which program goes next is drawn from a seeded generator, so that a test runs under many orders.
"""

from collections.abc import Callable, Generator
from random import Random
from typing import Any

from caplab.kernel.abi import SLOT_CNODE, SLOT_NULL, ObjectType, Status
from frames import Answer
from lab import Lab, Thread, ok

Program = Generator[Callable[[], Answer | None], Answer, Any]
FREE = 100
"""The first slot that nothing but the tests uses."""
ALL_RIGHTS = 15
MASKS = range(16)
"""Every combination of Write 1, Read 2, Grant 4 and GrantReply 8."""


def one(threads: int = 1, **spec: Any) -> Thread:
    """A PD with so many threads; the first."""
    spec = {"semantics": "sel4", **spec}
    return Lab({"test": {"threads": threads}}, **spec)["test"]


def helpers(test: Thread) -> list[Thread]:
    """The other threads of the PD."""
    count = len(test.pd.tcbs)
    return [test.lab[f"{test.pd.name}.{index}"] for index in range(1, count)]


def apart() -> tuple[Thread, Thread]:
    """Two PDs, and so two CSpaces: the second has the endpoint of the first as `test`."""
    pds = {"test": {"serves": "endpoint"}, "helper": {"uses": {"test": "test"}}}
    lab = Lab(pds, semantics="sel4")
    return lab["test"], lab["helper"]


def retype(
    thread: Thread, kind: int, slot: int, size_bits: int = 0, count: int = 1, **more: Any
) -> Answer | None:
    """Retype from `of` (the PD's untyped memory) into slots of the CNode at `node`."""
    node = more.pop("node", None)
    return thread.invoke(
        "untyped_retype",
        more.pop("of", "untyped"),
        caps=[SLOT_CNODE],
        type=kind,
        size_bits=size_bits,
        node_index=0 if node is None else node,
        node_depth=0 if node is None else 64,
        node_offset=slot,
        num_objects=count,
    )


def made(thread: Thread, kind: ObjectType, slot: int, size_bits: int = 0) -> int:
    """A new object in a slot; the slot."""
    ok(retype(thread, kind, slot, size_bits))
    return slot


def endpoint(thread: Thread, slot: int = FREE) -> int:
    return made(thread, ObjectType.ENDPOINT, slot)


def notification(thread: Thread, slot: int = FREE) -> int:
    return made(thread, ObjectType.NOTIFICATION, slot)


def cnode(thread: Thread, name: str, /, index: int, depth: int = 64) -> Answer | None:
    """CNode_`name` on a slot of the thread's own CSpace."""
    return thread.invoke(f"cnode_{name}", SLOT_CNODE, index=index, depth=depth)


def mutate(thread: Thread, source: int, to: int, badge: int = 0) -> Answer | None:
    return thread.invoke(
        "cnode_mutate",
        SLOT_CNODE,
        caps=[SLOT_CNODE],
        dest_index=to,
        dest_depth=64,
        src_index=source,
        src_depth=64,
        badge=badge,
    )


def rotate(thread: Thread, to: int, pivot: int, source: int) -> Answer | None:
    return thread.invoke(
        "cnode_rotate",
        SLOT_CNODE,
        caps=[SLOT_CNODE, SLOT_CNODE],
        dest_index=to,
        dest_depth=64,
        dest_badge=0,
        pivot_index=pivot,
        pivot_depth=64,
        pivot_badge=0,
        src_index=source,
        src_depth=64,
    )


def set_space(thread: Thread, tcb: int, root: int, fault_ep: int = SLOT_NULL) -> Answer | None:
    words = {"fault_ep": fault_ep, "cspace_root_data": 0, "vspace_root_data": 0}
    return thread.invoke("tcb_set_space", tcb, caps=[root, SLOT_CNODE], **words)


def is_empty(thread: Thread, slot: int) -> bool:
    """Is the slot empty? Moved onto itself, a full one is a full destination."""
    answer = thread.move(slot, slot)
    assert answer is not None
    assert answer.status in (Status.FAILED_LOOKUP, Status.DELETE_FIRST)
    return answer.status == Status.FAILED_LOOKUP


def suspend(thread: Thread, tcb: int | str) -> None:
    ok(thread.invoke("tcb_suspend", tcb))


def resume(thread: Thread, tcb: int | str) -> None:
    ok(thread.invoke("tcb_resume", tcb))


class Helper:
    """A thread that runs a program."""

    def __init__(self, thread: Thread, program: Program) -> None:
        self.thread = thread
        self.program = program
        self.next: Callable[[], Answer | None] | None = next(program)
        self.calling = False

    @property
    def ready(self) -> bool:
        return self.next is not None and not (self.calling and self.thread.blocked)

    @property
    def finished(self) -> bool:
        return self.next is None

    def go(self) -> None:
        """Make the next call, and take its answer if there is one already."""
        assert self.next is not None
        answer = self.thread.woken() if self.calling else self.next()
        self.calling = answer is None
        if answer is not None:
            try:
                self.next = self.program.send(answer)
            except StopIteration:
                self.next = None


class Helpers:
    """Several programs at once, in an order that the seed decides."""

    def __init__(self, seed: int = 0) -> None:
        self.random = Random(seed)
        self.all: list[Helper] = []

    def start(self, thread: Thread, program: Program) -> Helper:
        helper = Helper(thread, program)
        self.all.append(helper)
        return helper

    def run(self) -> None:
        """Until none can go on: every program has ended or is blocked."""
        while ready := [helper for helper in self.all if helper.ready]:
            self.random.choice(ready).go()

    def finish(self) -> None:
        """Until every program has ended."""
        self.run()
        stuck = [helper.thread.tcb.name for helper in self.all if not helper.finished]
        assert not stuck, f"blocked for ever: {stuck}"
