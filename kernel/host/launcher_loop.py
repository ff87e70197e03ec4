"""What the launcher does once the kernel runs: read what PDs print, wait for everybody, clear up.

It ends the system when the one who started it goes away without having said `detach`. PDs never
block on what they print.

Messages on CLI_FD (SOCK_SEQPACKET, msgpack maps). To the CLI: `{"kernel": pid}` first; then
`{"log": pd, "data": bytes}` and `{"said": true, "data": bytes}` for what PDs and the kernel print,
and `{"lost": n}` when the CLI read too slowly for n of those; last `{"ended": wait status, "last":
the kernel's last line, "words": where a traceback of it is kept, "left": {…}, "cleared": {…}}`.
From it: `{"do": "detach"}` (answered `{"detached": true}`), `{"do": "quiet"}` (no logs, please),
`{"do": "kill"}`.

Messages of the kernel (SOCK_SEQPACKET on LAUNCHER_FD): `{"log": pd name}` with the reading end of
that PD's output as its descriptor; `{"drain": n}`, which is answered `{"drained": n}` when all that
has been printed is in the logs. A PD that has ended has printed all it ever will.
"""

import os
import selectors
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack

from caplab.kernel.host import rundir
from caplab.kernel.host.drain import Drain

DOWN_PATIENCE = 10.0
"""Seconds the kernel gets to shut down in order before it is killed."""
ORPHAN_PATIENCE = 2.0
"""Seconds after the kernel's end in which everything that died with it must be reaped."""
REPORT_PATIENCE = 2.0
"""Seconds a CLI that reads slowly gets to take the last message."""
PACKET = 128 * 1024


class Launcher:
    """The loop of the launcher.

    Args:
        kernel: its pid, our end of its channel, and the reading end of what it prints.
    """

    def __init__(
        self, run_dir: Path, cli: socket.socket, kernel: tuple[int, socket.socket, int]
    ) -> None:
        self._run_dir = run_dir
        self._cli: socket.socket | None = cli
        self._quiet = False
        self._lost = 0
        self._status: int | None = None
        self._deadline: float | None = None
        self._stragglers = 0
        self._drains: dict[Drain, dict[str, Any]] = {}
        """Whose output is read, and what the CLI is told that it is."""
        self._selector = selectors.DefaultSelector()
        self._wakeup = _signals()
        self._watch(self._wakeup, self._on_signal)
        self._watch(cli, self._on_cli)
        (run_dir / "logs").mkdir(mode=0o700, exist_ok=True)
        self._kernel, self._channel, output = kernel
        self._watch(self._channel, self._on_kernel)
        self._drain(Drain("kernel", output, run_dir), {"said": True})

    def run(self) -> int:
        """Serve until the kernel and all that came from it have ended; 0 if it ended well."""
        self._tell({"kernel": self._kernel})
        while not self._all_ended():
            self._turn()
        while self._drains:
            self._turn()  # every writer is dead: what is in the pipes, then their end
        self._channel.close()
        report = self._clear()
        if self._cli is not None:
            self._cli.settimeout(REPORT_PATIENCE)
            self._tell(report)
            self._drop_cli()
        self._selector.close()
        return 0 if self._status == 0 else 1

    def _turn(self) -> None:
        timeout = None if self._deadline is None else max(0.0, self._deadline - time.monotonic())
        for key, _ in self._selector.select(timeout):
            key.data()
        if self._deadline is not None and time.monotonic() >= self._deadline:
            self._on_deadline()

    def _all_ended(self) -> bool:
        """Reap whoever has ended; true when no child is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return True
            if pid == 0:
                return False
            if pid == self._kernel:
                self._status = status
                self._deadline = time.monotonic() + ORPHAN_PATIENCE

    def _on_signal(self) -> None:
        numbers = self._wakeup.recv(4096)
        if set(numbers) - {signal.SIGCHLD}:
            self._down()

    def _on_deadline(self) -> None:
        if self._status is None:
            self._kill()
            self._deadline = None
        else:
            # Adopted orphans that outlived kernel and zygote: a PD's own daemon, for example.
            self._deadline = time.monotonic() + ORPHAN_PATIENCE
            for pid in _children():
                self._stragglers += 1
                os.kill(pid, signal.SIGKILL)

    def _down(self) -> None:
        if self._status is None and self._deadline is None:
            os.kill(self._kernel, signal.SIGTERM)
            self._deadline = time.monotonic() + DOWN_PATIENCE

    def _kill(self) -> None:
        if self._status is None:  # not reaped yet, so the number is still the kernel's
            os.kill(self._kernel, signal.SIGKILL)

    def _on_kernel(self) -> None:
        try:
            packet, descriptors, _, _ = socket.recv_fds(self._channel, PACKET, 8)
        except BlockingIOError:
            return
        except ConnectionResetError:
            packet, descriptors = b"", []
        if not packet:
            self._selector.unregister(self._channel)
            return
        message = msgpack.unpackb(packet)
        if "drain" in message:
            for drain in list(self._drains):
                for _ in range(drain.chunks):
                    self._read(drain)
            try:
                self._channel.send(msgpack.packb({"drained": message["drain"]}))
            except OSError:
                pass  # it has ended meanwhile
            return
        name = message.get("log", "?")
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)
            self._drain(Drain(str(name), descriptor, self._run_dir / "logs"), {"log": str(name)})

    def _drain(self, drain: Drain, heading: dict[str, Any]) -> None:
        self._drains[drain] = heading
        self._watch(drain.pipe, lambda: self._read(drain))

    def _read(self, drain: Drain) -> None:
        """Read what one of them has printed, once."""
        printed = drain.read()
        if printed.data and not self._quiet:
            self._tell({**self._drains[drain], "data": printed.data})
        if printed.ended:
            self._selector.unregister(drain.pipe)
            del self._drains[drain]
            drain.close()

    def _on_cli(self) -> None:
        assert self._cli is not None
        try:
            packet = self._cli.recv(PACKET)
        except BlockingIOError:
            return
        except ConnectionResetError:
            packet = b""
        if not packet:
            self._drop_cli()
            self._down()
            return
        request = msgpack.unpackb(packet).get("do")
        if request == "detach":
            self._tell({"detached": True})
            self._drop_cli()
        elif request == "quiet":
            self._quiet = True
        elif request == "kill":
            self._kill()

    def _tell(self, message: dict[str, Any]) -> None:
        """Send to the CLI, or count it as lost: a slow reader never holds anybody up."""
        if self._cli is None:
            return
        try:
            if self._lost:
                self._cli.send(msgpack.packb({"lost": self._lost}))
                self._lost = 0
            self._cli.send(msgpack.packb(message))
        except (BlockingIOError, TimeoutError):
            self._lost += 1
        except OSError:  # it is gone, and its end of file will say so
            pass

    def _drop_cli(self) -> None:
        assert self._cli is not None
        self._selector.unregister(self._cli)
        self._cli.close()
        self._cli = None

    def _clear(self) -> dict[str, Any]:
        """Remove the run directory; say what had to be removed, and what is there nevertheless."""
        last, words = self._last_words()
        prefix = rundir.prefix_of(self._run_dir)
        cleared = rundir.reap(self._run_dir)
        return {
            "ended": self._status,
            "last": last,
            "words": words,
            "cleared": {
                "processes": self._stragglers,
                "segments": cleared.segments,
                "sockets": cleared.sockets,
            },
            "left": {
                "processes": len(_children()),
                "segments": len(rundir.segments(prefix)),
                "files": int(self._run_dir.exists()),
            },
        }

    def _last_words(self) -> tuple[str, str | None]:
        """The last line the kernel printed; and where its traceback is kept beyond this run."""
        log = self._run_dir / "kernel.log"
        printed = log.read_bytes() if log.exists() else b""
        last = printed.decode(errors="replace").rstrip().rpartition("\n")[2]
        if b"Traceback (most recent call last)" not in printed:
            return last, None
        kept = rundir.base() / f"{rundir.name_of(self._run_dir)}.kernel-log"
        os.replace(log, kept)
        return last, str(kept)

    def _watch(self, source: Any, handler: Callable[[], None]) -> None:
        if isinstance(source, socket.socket):
            source.setblocking(False)
        self._selector.register(source, selectors.EVENT_READ, handler)


def _signals() -> socket.socket:
    """A socket on which each signal the launcher cares for arrives as one byte."""
    reading, writing = socket.socketpair()
    writing.setblocking(False)
    signal.set_wakeup_fd(writing.detach(), warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    return reading


def _children() -> list[int]:
    """Processes whose parent is this one."""
    me = os.getpid()
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdecimal():
            try:
                status = Path("/proc", entry, "stat").read_text()
            except OSError:
                continue  # it ended meanwhile
            # "pid (name) state ppid …", where the name may hold anything, brackets included
            if int(status.rpartition(")")[2].split()[1]) == me:
                found.append(int(entry))
    return found
