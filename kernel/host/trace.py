"""What `caplab trace` shows: a line for each system call, written when it is answered.

Tracing is another `step` in the place of the kernel's own, put there when somebody asks for it
and taken away when nobody does any more, so that a system nobody traces pays nothing for it. It
only looks: the kernel is asked what a slot holds before the step, and told nothing.
"""

import time
from collections import deque
from collections.abc import Callable, Collection, Iterable
from typing import Any

from caplab.kernel.abi import ANSWER, HEADER_SIZE, REQUEST, AnswerFlag, Inv, ObjectType, Status, Sys
from caplab.kernel.core import cspace, syscalls
from caplab.kernel.core.effects import Effect, Resume
from caplab.kernel.core.events import Deadline, Event, Exited, Interrupt, Operator, Syscall
from caplab.kernel.core.kernel import Kernel
from caplab.kernel.core.states import DEAD, RUNNING
from caplab.kernel.core.tcb import TCB
from caplab.kernel.root.caps import generation, target
from caplab.kernel.root.look import type_name

LINES_MAX = 4096
"""Lines that wait for the helper thread; more are lost, and counted."""
NAMES = {
    call: "".join(part if part == "NB" else part.capitalize() for part in call.name.split("_"))
    for call in Sys
}
"""As seL4 writes them: NBSend, ReplyRecv."""
INVOCATIONS = {int(label): label.name for label in Inv}
NOBODY = "nobody"
"""Answers calls whose PD has died."""
PLAIN = (ObjectType.ENDPOINT, ObjectType.NOTIFICATION, ObjectType.REPLY)
"""Where a label is the sender's own word."""
CAUSES = {Deadline: "clock", Interrupt: "interrupt", Operator: "operator"}

Line = dict[str, Any]
Step = Callable[[Event], list[Effect]]


class Tracer:
    """Writes the lines. `step` takes the place of the loop's; `take` is the helper thread's.

    Args:
        step: what the loop calls while nobody traces.
        ring: called in the core thread when there are lines to take, once until they are taken.
    """

    def __init__(self, kernel: Kernel, step: Step, ring: Callable[[], None]) -> None:
        self._kernel = kernel
        self._step = step
        self._ring = ring
        self._epoch = time.time_ns() - time.monotonic_ns()
        self._open: dict[int, tuple[TCB, int | None, Line]] = {}
        """By TCB number: its call that is not answered yet, and when it was made."""
        self._lines: deque[Line] = deque()
        self._rung = False
        self._lost = 0
        self._lost_told = 0

    # -- in the core thread ------------------------------------------------------------------

    def begin(self) -> None:
        """From now on. Calls that wait already are known, but not since when."""
        self._open = {
            tcb.number: (tcb, None, self._of_request(tcb))
            for tcb in self._kernel.tcbs.values()
            if tcb.state not in (RUNNING, DEAD)
        }

    def step(self, event: Event) -> list[Effect]:
        """In place of the kernel's own."""
        by = self._before(event)
        effects = self._step(event)
        for effect in effects:
            if type(effect) is Resume:
                self._answered(effect, event, by)
        if type(event) is Exited:
            self._bury(event.pd)
        return effects

    def remembered(self, last: Iterable[Event], pds: Collection[str]) -> list[Line]:
        """The calls among the events that the loop has kept; how they were answered it has not."""
        lines = []
        waiting = set()
        for event in reversed(list(last)):
            tcb = self._kernel.tcbs.get(event.tcb) if type(event) is Syscall else None
            if tcb is None or (pds and tcb.pd.name not in pds):
                continue
            assert type(event) is Syscall
            line = self._of_frame(tcb, event)
            if line is not None:
                line["waits"] = tcb.state != RUNNING and tcb.number not in waiting
                lines.append(line)
            waiting.add(tcb.number)
        return lines[::-1]

    def _before(self, event: Event) -> str:
        """Note a call that is being made; who answers in this step."""
        if type(event) is Syscall:
            tcb = self._kernel.tcbs.get(event.tcb)
            if tcb is None:
                return ""
            line = self._of_frame(tcb, event) if tcb.state == RUNNING else None
            if line is not None:
                self._open[tcb.number] = (tcb, event.now, line)
            return generation(tcb.pd)
        if type(event) is Exited:
            ending = (t.pd for t in self._kernel.tcbs.values() if t.pd.number == event.pd)
            return next((generation(pd) for pd in ending), "kernel")
        return CAUSES.get(type(event), "kernel")

    def _answered(self, effect: Resume, event: Event, by: str) -> None:
        tcb, since, line = self._open.pop(effect.tcb, (None, None, {}))
        if tcb is None:
            return
        _, _, status, _, _, _, _, _, flags = ANSWER.unpack_from(effect.frame)
        own = type(event) is Syscall and event.tcb == effect.tcb
        line["status"] = Status(status).name
        line["nothing"] = bool(flags & AnswerFlag.NOTHING)
        line["seconds"] = None if since is None else (event.now - since) / 1e9
        line["by"] = "kernel" if own else by
        line["waits"] = False
        self._write(line)

    def _bury(self, pd: int) -> None:
        """Calls of a dead PD are answered by nobody."""
        for number, (tcb, _, line) in list(self._open.items()):
            if tcb.pd.number == pd:
                del self._open[number]
                line["waits"] = False
                line["by"] = NOBODY
                self._write(line)

    def _write(self, line: Line) -> None:
        if len(self._lines) >= LINES_MAX:
            self._lost += 1
            return
        self._lines.append(line)
        if not self._rung:
            self._rung = True
            self._ring()

    # -- what a call is ----------------------------------------------------------------------

    def _of_frame(self, tcb: TCB, event: Syscall) -> Line | None:
        if len(event.frame) < HEADER_SIZE:
            return None  # the kernel faults its PD
        _, call, _, length, cptr, label, ncaps = REQUEST.unpack_from(event.frame)
        line = self._line(tcb, call, cptr, label, length, ncaps)
        line["time"] = (event.now + self._epoch) / 1e9
        return line

    def _of_request(self, tcb: TCB) -> Line:
        asked = tcb.request
        size, ncaps = len(asked.body), len(asked.caps)
        return self._line(tcb, asked.call, asked.cptr, asked.label, size, ncaps)

    def _line(self, tcb: TCB, call: int, cptr: int, label: int, size: int, ncaps: int) -> Line:
        row = syscalls.ROWS.get(call)
        slot = cspace.lookup(tcb, cptr) if row is not None and row.takes_cap else None
        cap = None if slot is None else slot.cap
        if call == Sys.REPLY:
            named = None if tcb.caller is None else generation(tcb.caller.caller.pd)
            what: str | None = None if named is None else f"reply {named}"
        else:
            what = None if cap is None else f"{type_name(cap.type)} {target(cap)}"
        plain = cap is None or cap.type in PLAIN
        return {
            "time": None,
            "pd": tcb.pd.name,
            "generation": tcb.pd.generation,
            "tcb": tcb.name,
            "call": NAMES[Sys(call)] if row is not None else str(call),
            "cptr": cptr if row is None or row.takes_cap else None,
            "target": what,
            "label": label,
            "invocation": None if plain else INVOCATIONS.get(label),
            "bytes": size,
            "caps": ncaps,
            "status": None,
            "nothing": False,
            "seconds": None,
            "by": None,
            "waits": True,
        }

    # -- in the helper thread ------------------------------------------------------------------

    def take(self) -> tuple[list[Line], int]:
        """The lines there are, and how many more were lost since the last time."""
        self._rung = False  # first: what is written from here on rings again
        lines = []
        while self._lines:
            lines.append(self._lines.popleft())
        lost = self._lost - self._lost_told
        self._lost_told += lost
        return lines, lost
