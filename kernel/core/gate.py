"""The gate of `scheduler: strict`: of all TCBs that could run, only the highest-priority one does.

A TCB *runs* from its Resume until its next call blocks it, or its process ends. Whoever else has
an answer coming, a call to be executed, or an instruction that faulted and is to be executed again,
is READY and stands in the queue of its priority and domain. The gate holds Resume and ContinueFault
effects back; it cannot take the CPU from a process that computes. A higher priority made ready
meanwhile, or another domain whose turn has come, gets it when the running TCB makes its next call,
which is then executed later. So a TCB that computes for ever starves all others, as on one core
without a timer.

What a process does before its first call is start-up, and at the host's discretion: its first call
is the first thing that waits here. With `scheduler: host` there is no gate and nothing to ask.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from caplab.kernel.abi import Sys
from caplab.kernel.core.effects import Continue, ContinueFault, Resume
from caplab.kernel.core.events import Event, Syscall
from caplab.kernel.core.states import DEAD, READY, RUNNING

if TYPE_CHECKING:
    from caplab.kernel.core.kernel import Kernel
    from caplab.kernel.core.tcb import TCB


def install(k: Kernel) -> Gate:
    """Put a gate into the kernel: behind each event's handler, and before each call."""
    gate = k.gate = Gate(k)
    k.reactions = {kind: gate.behind(react) for kind, react in k.reactions.items()}
    k.execute = gate.execute  # type: ignore[method-assign]
    return gate


def halted(pd: Any) -> bool:
    """The process is stopped: every TCB of it is suspended."""
    return all(tcb.suspended for tcb in pd.tcbs)


def debugged(tcb: Any) -> bool:
    """It stands at a breakpoint, where it computes nothing, and its user takes all the time."""
    return tcb.number in tcb.pd.breakpoints


class Gate:
    """Who runs, and who is ready. Queues are first come, first served per priority."""

    def __init__(self, k: Kernel) -> None:
        self.running: TCB | None = None
        self.late = False
        """Since the running TCB was resumed, one that outranks it has become ready, or its domain
        has lost its turn."""
        self.queues: dict[tuple[int, int], deque[TCB]] = {}
        """By domain and priority; none is empty."""
        self.answers: dict[int, bytes] = {}
        """By number of a ready TCB. One that has none here has a call to be executed, or, if it
        still has its fault, an instruction."""
        self.stopped: dict[int, TCB] = {}
        """By PD: the TCB that was running when its process was stopped."""
        self._k = k
        self._execute = k.execute

    # -- what the kernel comes by --------------------------------------------------------------

    def behind(self, react: Callable[[Event], None]) -> Callable[[Event], None]:
        """Let an event happen, then say who runs."""

        def gated(event: Event) -> None:
            if isinstance(event, Syscall):
                self._called(event.tcb)
            react(event)
            self._settle()

        return gated

    def _settle(self) -> None:
        self._divert()
        self._release()
        self.late = self.late or (self.running is not None and self.outranked(self.running))
        while self.running is None and self._highest() >= 0:
            self._dispatch(self._take())
            self._release()

    def execute(self, tcb: TCB) -> None:
        """In place of `Kernel.execute`: a call is executed when its TCB is the one to run."""
        held_back = tcb is not self.running or self.outranked(tcb)
        # One made from untyped has no thread that could run.
        if held_back and tcb.number in self._k.tcbs:
            tcb.state, tcb.on = READY, self
            self._push(tcb, first=tcb is self.running)
        else:
            self._execute(tcb)

    def withdraw(self, tcb: TCB) -> bytes | None:
        """Take a ready TCB out of its queue; the answer that waited there, if it was one."""
        self._remove(tcb)
        tcb.on = None
        return self.answers.pop(tcb.number, None)

    def reorder(self, tcb: TCB, priority: int, domain: int) -> None:
        """Change priority and domain; one that is ready goes behind its new equals."""
        waits = tcb in self.queues.get((tcb.domain, tcb.priority), ())
        if waits:
            self._remove(tcb)
        tcb.priority, tcb.domain = priority, domain
        if waits:
            self._push(tcb)

    def describe(self) -> list[Any]:
        """For the state hash."""
        return [
            self.running.number if self.running is not None else 0,
            self.late,
            [(rank, [tcb.number for tcb in queue]) for rank, queue in sorted(self.queues.items())],
            sorted(self.answers),
            [(pd, tcb.number) for pd, tcb in sorted(self.stopped.items())],
        ]

    def outranked(self, tcb: TCB) -> bool:
        """Is one ready that has a higher priority, or is it not its domain's turn?"""
        return not self.has_turn(tcb.domain) or self._highest() > tcb.priority

    def has_turn(self, domain: int) -> bool:
        return domain == self._k.domains.current

    def _highest(self) -> int:
        """The highest priority that is ready in the domain whose turn it is."""
        current = self._k.domains.current
        return max((rank for domain, rank in self.queues if domain == current), default=-1)

    # -- turns -------------------------------------------------------------------------------------

    def _called(self, number: int) -> None:
        """A call that was on its way when the process was stopped: its TCB computes no more."""
        for pd, tcb in list(self.stopped.items()):
            if tcb.number == number:
                del self.stopped[pd]
                if not halted(tcb.pd):
                    self._remove(tcb)
                    self._k.effects.append(Continue(pd))

    def _divert(self) -> None:
        """Take what would let a TCB run out of the step's effects."""
        effects = self._k.effects
        kept = []
        for effect in effects:
            tcb = self._k.tcbs.get(effect.tcb) if isinstance(effect, Resume) else None
            if isinstance(effect, Resume) and tcb is not None:
                self._hold(tcb, effect.frame)
            elif isinstance(effect, Continue) and effect.pd in self.stopped:
                self._remove(self.stopped[effect.pd])
                self._push(self.stopped[effect.pd])
            elif isinstance(effect, ContinueFault):
                mended = self._k.tcbs[effect.tcb]
                mended.state, mended.on = READY, self
                self._push(mended)
            else:
                kept.append(effect)
        effects[:] = kept

    def _hold(self, tcb: TCB, frame: bytes) -> None:
        # Who could go on at once and is preempted stays first among its equals, as in seL4.
        first = tcb is self.running and tcb.request.call != Sys.YIELD
        tcb.state, tcb.on = READY, self
        self.answers[tcb.number] = frame
        self._push(tcb, first)

    def _push(self, tcb: TCB, first: bool = False) -> None:
        queue = self.queues.setdefault((tcb.domain, tcb.priority), deque())
        if first:
            queue.appendleft(tcb)
        else:
            queue.append(tcb)

    def _remove(self, tcb: TCB) -> None:
        queue = self.queues.get((tcb.domain, tcb.priority), ())
        if tcb in queue:
            assert isinstance(queue, deque)
            queue.remove(tcb)
            if not queue:
                del self.queues[tcb.domain, tcb.priority]

    def _release(self) -> None:
        """Nobody runs any more if who did is blocked or dead, or its process is stopped."""
        tcb = self.running
        if tcb is not None and (tcb.state != RUNNING or halted(tcb.pd) or debugged(tcb)):
            if tcb.state == RUNNING and halted(tcb.pd):
                self.stopped[tcb.pd.number] = tcb
            self.running = None
        for number, stopped in list(self.stopped.items()):
            if stopped.state != RUNNING:  # dead, or it had faulted before it was stopped
                del self.stopped[number]
                self._remove(stopped)
                if stopped.state != DEAD and not halted(stopped.pd):
                    self._k.effects.append(Continue(number))

    def _take(self) -> TCB:
        """The first of the highest priority; before it who computes, if its process is stopped.

        A process continues as a whole, so then both would run.
        """
        tcb = self.queues[self._k.domains.current, self._highest()][0]
        tcb = self.stopped.get(tcb.pd.number, tcb)
        self._remove(tcb)
        return tcb

    def _dispatch(self, tcb: TCB) -> None:
        stopped = self.stopped.get(tcb.pd.number)
        if stopped is tcb and halted(tcb.pd):
            return  # suspended again: it comes back when it is continued
        self.running, self.late = tcb, False
        if stopped is tcb:
            del self.stopped[tcb.pd.number]
            self.late = self.outranked(tcb)
            self._k.effects.append(Continue(tcb.pd.number))
            return
        tcb.state, tcb.on = RUNNING, None
        answer = self.answers.pop(tcb.number, None)
        if tcb.fault is not None:
            tcb.fault = None
            self._k.effects.append(ContinueFault(tcb.number))
        elif answer is None:
            self._execute(tcb)
            self._divert()
        else:
            self._k.effects.append(Resume(tcb.number, answer))
