"""A system that runs, as an operator sees it: what the command line and `System` are made of."""

import difflib
import os
import signal as signals
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from caplab.kernel.boot.control import STARTING, Answer, Control, readable
from caplab.kernel.boot.graph import Graph, assemble
from caplab.kernel.host import rundir
from caplab.kernel.host.drain import log_path
from caplab.kernel.host.errors import HostError, NotRunning, OutOfTime, RequestRefused

END_PATIENCE = 15.0
"""Seconds from the answer to `down` until the launcher has cleared everything away."""
DOWN_TIMEOUT = 20.0
"""Seconds for the kernel to stop everything; each PD has two, and they go in order."""
GRAPH_PATIENCE = 2.0
"""Seconds that servers have to describe their resources."""
CRASHES = ("segv", "abort", "exception", "exit:N", "hang", "oom", "bus")


@dataclass(frozen=True)
class Row:
    """One PD as `ps` shows it."""

    pd: str
    generation: int
    pid: int | None
    role: str
    state: str
    reason: str
    exit_code: int | None
    calls: int
    caps: int
    tcbs: tuple[Answer, ...] = ()
    debug: bool = False

    @property
    def alive(self) -> bool:
        return self.state not in ("exited", "killed", "faulted")

    @classmethod
    def of(cls, row: Answer) -> Self:
        known = {name: row[name] for name in cls.__dataclass_fields__ if name in row}
        return cls(**{**known, "tcbs": tuple(row.get("tcbs", ()))})


class Running:
    """A system of this user, found by its run directory."""

    def __init__(self, name: str, run_dir: Path) -> None:
        self.name = name
        self.run_dir = run_dir
        self.control = Control(name, run_dir / "control.sock")

    @classmethod
    def attach(cls, name: str | None = None) -> Self:
        """The running system of this name; without one, the only one there is.

        Raises NotRunning, or HostError (status 2) when several run and none is named.
        """
        wanted = name or os.environ.get("CAPLAB_SYSTEM") or None
        if wanted is not None and (run := rundir.find(wanted)) is not None:
            return cls(run.name, run.path)
        runs = rundir.list_running()
        names = ", ".join(run.name for run in runs)
        if wanted is not None:
            fix = (
                f"Running: {names}." if runs else "Nothing is running; `caplab up` starts a system."
            )
            raise NotRunning(f"No system called {wanted} is running.", fix)
        if not runs:
            raise NotRunning("No system is running.", "Start one with `caplab up`.")
        if len(runs) > 1:
            raise HostError(
                "several-systems",
                f"Several systems are running: {names}.",
                f"Say which: -n {runs[0].name}, or CAPLAB_SYSTEM={runs[0].name}.",
                status=2,
            )
        return cls(runs[0].name, runs[0].path)

    # -- look --------------------------------------------------------------------------------

    def info(self) -> Answer:
        """What the kernel says of itself: system, pids, when it started."""
        return self.control.ask("info")

    def ps(self) -> list[Row]:
        """Every PD, the dead ones of each name included."""
        return [Row.of(row) for row in self.control.ask("ps")["pds"]]

    def pd(self, name: str) -> Row:
        """One PD; RequestRefused when there is none of this name."""
        rows = {row.pd: row for row in self.ps()}
        if name not in rows:
            raise self._no_such_pd(name, list(rows))
        return rows[name]

    def caps(self, pd: str, *, tree: bool = False) -> Answer:
        """The capabilities of a PD, and why emptied slots are empty.

        `{"pd", "generation", "slots": [{"slot", "names", "type", "object", "rights", "badge",
        "from", "gone"}], "more_slots"}`; with `tree` each slot has `parents` (the nearest first),
        `derived` and `more_derived`. "root" is the root task.
        """
        return self._about(pd, "caps", {"pd": pd, "tree": tree})

    def graph(self, *, timeout: float = GRAPH_PATIENCE) -> Graph:
        """The model state: what the root task knows, and what servers say of their resources.

        Servers that do not say it within `timeout` seconds, die meanwhile or lie are `marked`.
        """
        with self.control.begin("graph", timeout=timeout) as question:
            pages = [question.answer()]
        while pages[-1]["more"]:
            pages.append(self.control.ask("graph", timeout=None, model=pages[0]["model"]))
        return assemble(pages)

    def watch(self) -> Iterator[Answer]:
        """The announcements from now on, until the system ends: `{"pd", "generation", "state",
        "reason", …}`. A PD that starts or ends says which UARTs it `drives`; one that ends, whether
        it is to `restart`, and whether it ended because the system goes `down`.
        """
        with self.control.watch() as question:
            yield from question.events()

    def trace(self, pds: Sequence[str] = ()) -> Iterator[Answer]:
        """The system calls of these PDs (of all, if none is named) from now on, each once it is
        answered; `{"lost": n}` for those that came faster than they were read.

        `{"time", "pd", "generation", "tcb", "call", "cptr", "target", "label", "invocation",
        "bytes", "caps", "status", "nothing", "seconds", "by", "waits"}`: seconds since the epoch
        and since the call (null when it was made before the trace began), who answered. A call
        whose PD died has no status.
        """
        with self.control.begin("trace", pds=list(pds), follow=True) as question:
            while not question.ended:
                for message in question.receive():
                    if "trace" in message:
                        yield message["trace"]
                    elif "lost" in message:
                        yield message

    def last_calls(self, pds: Sequence[str] = ()) -> list[Answer]:
        """The latest calls as far as the kernel remembers them, how they were answered unknown."""
        calls: list[Answer] = self.control.ask("trace", pds=list(pds))["calls"]
        return calls

    def logs(self, pd: str) -> bytes:
        """What the PD has printed so far, to its last line if it has ended; as far as it is kept
        (the last 256 to 512 KiB).
        """
        self.take_down_logs()
        path = log_path(self.run_dir / "logs", pd)
        if not path.exists():
            self.pd(pd)
        kept = [path.with_suffix(".log.1"), path]
        return b"".join(part.read_bytes() for part in kept if part.exists())

    def take_down_logs(self) -> None:
        """Wait until what has been printed stands in the logs."""
        try:
            self.control.ask("logs")
        except NotRunning:
            pass  # it is ending, and the launcher reads everything before it clears up

    def uarts(self) -> list[str]:
        """The names of its UARTs."""
        return sorted(path.parent.name for path in self.run_dir.glob("*/console.log"))

    def focus(self, uart: str, to: str | None = None) -> Answer:
        """Give the input of a UART to a client of the server that drives it: a PD's name, or
        "client N". Without one only ask: `{"uart", "focus", "clients": [{"pd", "reading",
        "focus"}]}`.

        Raises RequestRefused: no-uart, no-such-pd, not-a-client, no-server, server-busy.
        """
        return self.control.ask("focus", uart=uart, to=to)

    def uart_path(self, uart: str = "uart0") -> Path:
        """The PTY at the end of a UART's cable. Raises NotRunning: it has none."""
        try:
            return (self.run_dir / uart / "tty").readlink()
        except FileNotFoundError:
            why = (
                "Somebody has hung it up, or its line has ended; then `caplab ps` does not name it."
            )
            raise NotRunning(f"{uart} has no PTY.", why) from None

    # -- break -------------------------------------------------------------------------------

    def kill(
        self,
        pd: str,
        *,
        signal: int | str = signals.SIGKILL,
        after: int | None = None,
        pd_depth: int | str | None = None,
        space_depth: int | str | None = None,
    ) -> Answer:
        """Send a signal, once the PD makes its `after`-th system call if that is given.

        `pd_depth` and `space_depth`, numbers from 0 up or "all", say how far this death spreads;
        left out, the cleanup policies do. Returns what was done about the death, in order, when
        the PD is reaped and everything the root task does itself is done.
        """
        words: Answer = {"pd": pd, "signal": signal_number(signal)}
        said = {"after": after, "pd_depth": pd_depth, "space_depth": space_depth}
        words |= {key: value for key, value in said.items() if value is not None}
        return self._about(pd, "kill", words)

    def crash(self, pd: str, how: str = "segv", *, after: int | None = None) -> Answer:
        """Let the PD crash by itself: segv, abort, exception, exit:N, hang, oom or bus."""
        words: Answer = {"pd": pd, "how": how}
        return self._about(pd, "crash", words if after is None else {**words, "after": after})

    def irq(self, number: int) -> Answer:
        """Raise an interrupt line: `{"irq", "pd", "delivered", "pending"}`.

        Pending: the line is masked, and its driver hears of it when it acknowledges the last one.
        Raises RequestRefused: no such line, or nobody to tell.
        """
        return self.control.ask("irq", irq=number)

    def irqs(self) -> list[Answer]:
        """The interrupt lines: `{"irq", "device", "pd", "route", "state"}`, the state free,
        unbound (no notification), open, masked or pending.
        """
        rows: list[Answer] = self.control.ask("irq")["irqs"]
        return rows

    def suspend(self, pd: str) -> Row:
        """Stop every TCB of the PD until `resume`."""
        return Row.of(self._about(pd, "suspend", {"pd": pd}))

    def resume(self, pd: str) -> Row:
        return Row.of(self._about(pd, "resume", {"pd": pd}))

    def restart(self, pd: str) -> Answer:
        """Start the next generation of a PD, in the slots where others know it.

        One that lives is stopped first. The report of its death, with `restarted`: the generation
        that runs now.
        """
        return self._about(pd, "restart", {"pd": pd})

    # -- end ---------------------------------------------------------------------------------

    def wait(self, timeout: float | None = None) -> Answer:
        """Wait until every PD that is not a server has ended: `{"finished", "failed"}`.

        Raises OutOfTime, saying who waits for whom.
        """
        try:
            return self.control.ask("wait", timeout=timeout)
        except OutOfTime:
            raise self.too_long(timeout or 0.0) from None

    def too_long(
        self, seconds: float, what: str = "has not finished", *, starting: bool = False
    ) -> OutOfTime:
        """What to say when something has not happened in time: who waits for whom.

        `starting`: its kernel has not listened yet, as far as is known.
        """
        try:
            waits = who_waits(self.ps())
        except HostError as error:
            waits = [STARTING.format(self.name) if starting else str(error)]
        fix = "\n".join(waits)
        return OutOfTime(f"{self.name} {what} within {seconds:g} s.", fix)

    def down(self) -> Answer:
        """Stop everything in reverse order, and see what is left: `{"pds", "seconds", "left"}`."""
        census = Census(self.run_dir)
        began = time.monotonic()
        try:
            answer = self.control.ask("down", timeout=DOWN_TIMEOUT)
            census.await_end(END_PATIENCE)
        except OutOfTime as error:
            error.fix = f"`kill -9 {census.kernel}` ends the kernel, and everything with it."
            raise
        finally:
            census.close()
        return {**answer, "seconds": time.monotonic() - began, "left": census.left()}

    def _about(self, pd: str, op: str, words: Answer) -> Answer:
        try:
            return self.control.ask(op, timeout=None, **words)
        except RequestRefused as refused:
            if refused.code == "no-such-pd":
                raise self._no_such_pd(pd, [row.pd for row in self.ps()]) from None
            raise

    def _no_such_pd(self, pd: str, names: list[str]) -> RequestRefused:
        close = difflib.get_close_matches(pd, names, n=1)
        fix = f"Did you mean {close[0]}? " if close else ""
        listed = f"The PDs of {self.name} are {', '.join(names)}."
        return RequestRefused("no-such-pd", f"There is no PD {pd!r}.", fix + listed)


class Census:
    """Who and what belongs to a system, so that it can be counted once the system is gone."""

    def __init__(self, run_dir: Path) -> None:
        import psutil  # heavy, and needed by few commands

        self._run_dir = run_dir
        self._prefix = rundir.prefix_of(run_dir)
        info = rundir.read_info(run_dir)
        self._launcher = pidfd(info.get("launcher_pid"))
        self.kernel: int | None = info.get("kernel_pid")
        try:
            kernel = psutil.Process(info["kernel_pid"])
            self._processes = [kernel, *kernel.children(recursive=True)]
        except (KeyError, psutil.NoSuchProcess):
            self._processes = []

    def await_end(self, timeout: float) -> None:
        """Wait until the launcher has ended, which it does last of all."""
        if self._launcher is not None:
            readable(self._launcher, timeout)

    def close(self) -> None:
        if self._launcher is not None:
            os.close(self._launcher)

    def left(self) -> dict[str, int]:
        """What is there nevertheless."""
        paths = list(self._run_dir.rglob("*")) if self._run_dir.exists() else []
        sockets = sum(path.is_socket() for path in paths)
        return {
            "processes": sum(process.is_running() for process in self._processes),
            "segments": len(rundir.segments(self._prefix)),
            "sockets": sockets,
            "files": len(paths) - sockets,
        }


def who_waits(rows: list[Row]) -> list[str]:
    """A line for each PD that lives: what it is doing, and whom it waits for."""
    return [
        f"{row.pd} ({row.role}) is {row.state}" + (f": {row.reason}" if row.reason else "")
        for row in rows
        if row.alive
    ]


def signal_number(signal: int | str) -> int:
    """9, "9", "KILL" and "SIGKILL" are the same signal."""
    word = str(int(signal)) if isinstance(signal, int) else signal.strip().upper()
    if word.isdecimal() and 1 <= int(word) < signals.NSIG:
        return int(word)
    number = getattr(signals, word if word.startswith("SIG") else f"SIG{word}", None)
    if not isinstance(number, signals.Signals):
        raise RequestRefused(
            "bad-signal",
            f"There is no signal {signal}.",
            "KILL, TERM, SEGV or a number, for example.",
        )
    return int(number)


def pidfd(pid: object) -> int | None:
    """A descriptor that becomes readable when the process ends; None if it has."""
    try:
        return os.pidfd_open(pid) if isinstance(pid, int) else None
    except ProcessLookupError:
        return None
