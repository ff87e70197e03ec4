"""`caplab.System`: boot a system, talk to its console, break it, and see what is left.

    with caplab.System("hello") as system:
        system.console.expect("Hello")
        system.kill("hello1")
        system.assert_nothing_left_of("hello1")

The system belongs to this object: should the program be killed, the system goes down with it.
"""

import subprocess
import time
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from caplab.kernel.boot.consoles import Consoles
from caplab.kernel.boot.control import Answer, readable
from caplab.kernel.boot.launch import Launched, specification
from caplab.kernel.boot.manifest import check
from caplab.kernel.boot.remains import remains_of
from caplab.kernel.boot.running import END_PATIENCE, Row, Running, signal_number
from caplab.kernel.host import rundir
from caplab.kernel.host.errors import HostError, NotRunning, OutOfTime, SystemFailed

READY_TIMEOUT = 60.0
LOOK_AGAIN = 0.02
SETTLE = 5.0
"""Seconds that servers get to let go of what a dead PD had."""


class System(Running):
    """A system booted from a manifest; a context manager that starts it and takes it down.

    Args:
        manifest: a path, or the name of a system that comes with caplab.
        name: run it under another name than the manifest's.
        record: write the log of its events there.
        arms: kills and crashes that wait for a PD's N-th call, `{"pd", "action", "how", "after"}`
            each, as `arm` makes them.
        paranoid: check the kernel's invariants after every step.
        debug: PDs to start as if they had `debug: true`.

    Raises (from `start`):
        ManifestError: every mistake of the manifest, each with its place and fix.
        HostError: it could not be started; SystemFailed: a server ended before it was ready.
    """

    def __init__(
        self,
        manifest: str | PathLike[str],
        *,
        name: str | None = None,
        record: str | PathLike[str] | None = None,
        arms: Sequence[Mapping[str, Any]] = (),
        paranoid: bool = False,
        debug: Sequence[str] = (),
    ) -> None:
        self._manifest = manifest if isinstance(manifest, str) else Path(manifest)
        self._wanted_name = name
        self._record = None if record is None else Path(record)
        self._arms: list[Answer] = []
        self._paranoid = paranoid
        self._debug = tuple(debug)
        self._launched: Launched | None = None
        self._consoles: Consoles | None = None
        self._report: Answer | None = None
        for each in arms:
            self.arm(each["pd"], each["action"], each.get("how", ""), after=each["after"])

    def arm(self, pd: str, action: str, how: str = "", *, after: int) -> Self:
        """Before `start`: let the PD be killed (`how`: a signal) or crash at its N-th call.

        `system.arm("hello1", "kill", after=3)`, `system.arm("hello1", "crash", "segv", after=3)`.
        """
        if self._launched is not None:
            raise RuntimeError("arm a PD before the system is started; later, use kill(after=…)")
        if action == "kill":
            how = str(signal_number(how or "SIGKILL"))
        self._arms.append({"pd": pd, "action": action, "how": how or "segv", "after": after})
        return self

    # -- begin -------------------------------------------------------------------------------

    def start(self, timeout: float = READY_TIMEOUT) -> Self:
        """Boot; returns once every server has done its first Recv."""
        if self._launched is not None:
            raise RuntimeError("this system has been started already")
        rundir.reap_stale()
        spec = specification(
            check(self._manifest).require(),
            name=self._wanted_name,
            arms=self._arms,
            debug=self._debug,
        )
        self._launched = Launched(spec, self._record, self._paranoid)
        super().__init__(self._launched.name, self._launched.run_dir)
        try:
            self._launched.say("quiet")
            self._await_readiness(self._launched, timeout)
            self._consoles = Consoles(self.run_dir, spec["uarts"])
        except BaseException:
            self.close()
            raise
        return self

    def _await_readiness(self, launched: Launched, timeout: float) -> None:
        with launched.reached(self.control, "ready", timeout) as question:
            try:
                answer = question.answer(timeout)
            except NotRunning:
                raise launched.failure(launched.last_words()) from None
            except OutOfTime:
                raise self.too_long(timeout, "is not ready") from None
        armed = {arm["pd"] for arm in self._arms}
        failed = [one for one in answer.get("failed", ()) if one["pd"] not in armed]
        if failed:
            raise self._not_ready(failed)

    def _not_ready(self, failed: Sequence[Answer]) -> SystemFailed:
        reasons = "; ".join(f"{one['pd']} {one['state']} {one['reason']}".strip() for one in failed)
        last = [self.logs(one["pd"]).decode(errors="replace").rstrip()[-2000:] for one in failed]
        known = [one["reason"] for one in failed]
        printed = "\n".join(text for text in last if text not in known)
        message = f"{self.name} did not get ready: {reasons.rstrip('.')}."
        return SystemFailed(message, printed, "not-ready")

    # -- the console ---------------------------------------------------------------------------

    @property
    def console(self) -> Consoles:
        """The first UART's console (`expect`, `send`, `read`); `console["uart1"]` is another's."""
        if self._consoles is None:
            raise NotRunning("The system has not been started.", "Use it in a `with` statement.")
        return self._consoles

    # -- end -----------------------------------------------------------------------------------

    def down(self) -> Answer:
        """Stop everything in reverse order: `{"pds", "seconds", "left", …}`. Again: the same."""
        if self._report is None:
            launched = self._launched
            if launched is None:
                raise NotRunning("The system has not been started.")
            self._report = super().down()
            self._end(launched)
        return self._report

    def detach(self) -> None:
        """Part from the system: it runs on by itself, and this object only looks at it."""
        launched, self._launched = self._launched, None
        if launched is None:
            raise NotRunning("The system has not been started, or is detached already.")
        launched.detach()
        if self._consoles is not None:
            self._consoles.close()

    def close(self) -> None:
        """Let go of everything; takes the system down if it still runs."""
        if self._launched is not None and self._report is None:
            try:
                self.down()
            except HostError:  # the kernel is gone, or as good as gone: the launcher clears up
                self._end(self._launched)
        if self._consoles is not None:
            self._consoles.close()

    def _end(self, launched: Launched) -> None:
        launched.close()
        try:
            launched.wait(END_PATIENCE)
        except subprocess.TimeoutExpired:
            launched.process.kill()  # and its kernel with it
            launched.wait()
        if self._report is None:
            self._report = {}
            rundir.reap_stale()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # -- check ---------------------------------------------------------------------------------

    def assert_nothing_left_of(self, pd: str, timeout: float = SETTLE) -> Row:
        """The PD is dead, and nobody holds, waits for or shows anything of it any more.

        What lies with a server (its window on the dead client's page) gets `timeout` seconds.
        """
        end = time.monotonic() + timeout
        row = self.pd(pd)
        with self.control.watch() as changes:
            while found := remains_of(row, self.ps(), self.run_dir):
                if time.monotonic() > end:
                    raise AssertionError(f"of {pd} there is left: {'; '.join(found)}")
                # A change of state is announced, an unmapped page is not: look again soon.
                if readable(changes, LOOK_AGAIN):
                    changes.receive()
                row = self.pd(pd)
        return row


__all__ = ["OutOfTime", "System"]
