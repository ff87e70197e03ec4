"""The zygote: has the PD runtime imported, and forks protection domains and lines from it.

`python -m caplab.kernel.host.zygote FD`, where FD is its end of a SOCK_SEQPACKET channel to the
kernel. Messages are msgpack maps; descriptors travel beside them:

- `{"op": "spawn", "pd": n, "name": s, "level": l, "read": [path…], "threads": n, "debug": b}` +
  [spawn channel, output, one register per device…, with `debug` its terminal]: how it is confined,
  and where its code lies
- `{"op": "line", "line": i, "uart": s}` + [spawn pipe, status pipe, its end of the cable]
- `{"op": "confine", "read": [path…], "socket": path}`: from now on PDs have namespaces of their own
  and see these paths, and what every PD needs; only in a machine of its own
- of a PD spawned with `"traced": true`, see `traced.py`: `{"op": "faulted", "pd": n, "tid": …,
  "thread": its own name for it, "address": …, "access": …}` tells that a thread of it is held, and
  `{"op": "continue", "pd": n, "tid": …}`, `{"op": "map", "pd": n, "address": …, "length": …,
  "writable": …}` + [file] and `{"op": "unmap", "pd": n, "ranges": [[address, length]…]}` act on it
- answered by `{"op": "started", "pd"|"line": n, "pid": p}` + [pidfd], and when the child is reaped
  `{"op": "exited", "pd"|"line": n, "status": wait status}`; or by
  `{"op": "refused", "reason": s, …}` with the request's own numbers, after which nothing runs.

A child finds its spawn channel or pipe at 3 and the rest from 4 on. The zygote has one thread and
never a ZeroMQ context, so that its children may have theirs; it imports no server, client or user
code, so that a restart runs the edited file. When the kernel is gone it kills its children and
ends.
"""

import gc
import os
import pkgutil
import select
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from importlib import import_module
from typing import Any, NamedTuple

import msgpack

from caplab.kernel.confine.child import Confinement, Plan, Seal
from caplab.kernel.confine.level import Level
from caplab.kernel.confine.libc import Libc
from caplab.kernel.host.fork import SPAWN_FD, fork, prepare
from caplab.kernel.host.injection import WALL
from caplab.kernel.host.last_words import LastWords
from caplab.kernel.host.pd_namespaces import Namespaces
from caplab.kernel.host.pd_view import outermost, shown_paths
from caplab.kernel.host.traced import Seat, Tracer
from caplab.pd.window import SHM_DIR, leave_segments_to_the_kernel

PRELOADED = (
    "zmq",
    "msgpack",
    "google.protobuf.descriptor_pool",
    "google.protobuf.internal.builder",
    "google.protobuf.message",
    "google.protobuf.runtime_version",
    "google.protobuf.symbol_database",
    "multiprocessing.shared_memory",
    "caplab.pd.resource",
    "caplab.pd.runtime",
    "caplab.kernel.host.line",
)
"""What every child shares with the zygote instead of loading it. zmq is loaded, never used."""
PARTS = ("pd", "servers", "clients", "scripts")
"""Parts of caplab that programs are in, or import."""
MESSAGE_MAX = 65536
FDS_MAX = 64
LINE_FDS = 3
RULES_MAX = 32
"""Programs whose rules are kept, each with a descriptor."""
DEVICES_AND_SEGMENTS = "/dev"
"""In a PD's own view: the devices it may use, its segments, and at a read-only mount those that it
may only read. Not `/dev/shm` itself: a rule is about what is at a path when it is made, and that is
another folder for each PD."""


class BadRequest(Exception):
    """A message the zygote cannot act on."""


class Child(NamedTuple):
    """A process that was forked and not yet reaped."""

    pid: int
    about: dict[str, int]
    """`{"pd": n}` or `{"line": i}`: what every message about it says."""


class Zygote:
    """Forks on request, reports exits, until the channel ends."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._poll = select.poll()
        self._namespaces: Namespaces | None = None
        self._children: dict[int, Child] = {}
        """By pidfd. A pidfd becomes readable with the exit, so no SIGCHLD is needed, and
        children have no handler to put back."""
        self._last_words = LastWords()
        self._tracer = Tracer(self._tell, self._last_words)
        self._confinement = Confinement()
        self._known_rules: dict[tuple[object, ...], int] = {}
        self._program = tuple(outermost(shown_paths(())))
        self._run_pd: Callable[[int, Seal], int] = import_module("caplab.pd.runtime").run
        self._run_line: Callable[[int], int] = import_module("caplab.kernel.host.line").run

    def serve(self) -> None:
        """Handle messages and exits until the kernel is gone; then no child is left."""
        self._poll.register(self._channel, select.POLLIN)
        try:
            while True:
                for fd, events in self._poll.poll():
                    if fd == self._tracer.fileno():
                        self._tracer.ready()
                    elif fd != self._channel.fileno():
                        self._reap(fd)
                    elif not self._handle(hung_up=bool(events & select.POLLHUP)):
                        return
        except (BrokenPipeError, ConnectionResetError):
            return  # a report found no kernel
        finally:
            self._end_children()

    def _handle(self, *, hung_up: bool) -> bool:
        """Read one message and act on it; False at the channel's end."""
        data, fds, flags, _ = socket.recv_fds(self._channel, MESSAGE_MAX, FDS_MAX)
        if not data and hung_up:
            return False
        request: dict[str, Any] = {}
        try:
            if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
                raise BadRequest("it is too long, or has too many descriptors")
            request = unpack(data)
            check(request)
            if request["op"] == "confine":
                self._confine(request)
            elif request["op"] in PAGING:
                self._tracer.request(request, fds)
            else:
                self._fork(request, fds)
        except (BadRequest, OSError) as error:
            print(f"zygote: refused {request or data[:64]!r}: {error}", file=sys.stderr, flush=True)
            self._tell({"op": "refused", "reason": str(error), **subject(request)})
        finally:
            for fd in fds:
                os.close(fd)
        return True

    def _fork(self, request: dict[str, Any], fds: Sequence[int]) -> None:
        about = subject(request)
        if request["op"] == "spawn":
            if len(fds) < 2:
                raise BadRequest(
                    f"a PD needs a spawn channel and an output, not {len(fds)} of them"
                )
            channel, output, *rest = fds
            placed = {1: output, 2: output, SPAWN_FD: channel}
            placed.update(enumerate(rest, SPAWN_FD + 1))
            pid = self._fork_traced(request, placed)
        else:
            if len(fds) != LINE_FDS:
                raise BadRequest(f"a line needs {LINE_FDS} descriptors, not {len(fds)}")
            placed = {1: 2, 2: 2, **dict(enumerate(fds, SPAWN_FD))}
            name = f"line {request['uart']}"
            first = partial(self._begin, self._see_the_machine, None)
            pid = fork(self._run_line, placed, name, self._confinement.libc, first)
        try:
            pidfd = os.pidfd_open(pid)
        except OSError:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise
        self._children[pidfd] = Child(pid, about)
        self._poll.register(pidfd, select.POLLIN)
        self._tell({"op": "started", **about, "pid": pid}, [pidfd])

    def _plan(self, request: dict[str, Any]) -> Plan:
        try:
            level = Level(request["level"])
        except ValueError as error:
            raise BadRequest(str(error)) from None
        readable = (*self._program, *request["read"])
        threads, debug = request["threads"], request.get("debug") is True
        if level is Level.STRICT:
            return Plan(level, readable, (DEVICES_AND_SEGMENTS,), threads, debug, pid=1)
        # Without namespaces segments are handed over, and nothing there is a PD's to open.
        shared = () if self._namespaces is None else (SHM_DIR,)
        return Plan(level, readable, shared, threads, debug)

    def _rules(self, plan: Plan) -> int:
        """A descriptor of what a PD of this plan may open, for PDs like it too; -1 if it is to
        find out by itself, because it will not see the files that are here."""
        if self._namespaces is not None and plan.level is not Level.STRICT:
            return -1
        # A program that was edited may be another file than it was.
        there = tuple(identity(path) for path in plan.readable)
        key = (plan.level, plan.readable, there)
        if key not in self._known_rules:
            if len(self._known_rules) >= RULES_MAX:
                for descriptor in self._known_rules.values():
                    if descriptor >= 0:
                        os.close(descriptor)
                self._known_rules.clear()
            self._known_rules[key] = self._confinement.rules(plan)
        return self._known_rules[key]

    def _be_pd(self, plan: Plan, seat: Seat | None, fd: int) -> int:
        """In the child: not a line of the user's runs before it is confined."""
        if seat is not None and seat.traced:
            # One that stays: with it the tracer finds out what an access was.
            self._last_words.install(once=False)
        else:
            self._last_words.install(first=plan.level is Level.STRICT)
        return self._run_pd(fd, self._confinement.confine(plan))

    def _fork_traced(self, request: dict[str, Any], placed: dict[int, int]) -> int:
        """Fork a PD, and have it wait until it is traced if it is to be."""
        if not request.get("traced"):
            return self._fork_pd(request, placed, None)
        seat = self._tracer.seat()
        self._poll.register(self._tracer.fileno(), select.POLLIN)
        at = max(placed) + 1
        try:
            pid = self._fork_pd(request, {**placed, at: seat.theirs.fileno()}, seat)
            self._tracer.seize(seat, request["pd"], pid, at)
        finally:
            seat.close()
        return pid

    def _fork_pd(
        self, request: dict[str, Any], placed: Mapping[int, int], seat: Seat | None
    ) -> int:
        name, spaces = request["name"], self._namespaces
        plan = self._plan(request)
        self._confinement.prepare(plan)
        if (rules := self._rules(plan)) >= 0:
            at = max(placed) + 1
            plan, placed = plan._replace(rules=at), {**placed, at: rules}
        body = partial(self._be_pd, plan, seat)
        if plan.level is not Level.STRICT:
            first = partial(self._begin, self._see_the_machine, seat)
            return fork(body, placed, name, self._confinement.libc, first)
        if spaces is None:
            raise BadRequest("there are no namespaces for it yet")
        with spaces.new_pids():
            first = partial(self._begin, partial(spaces.enter, request["pd"]), seat)
            return fork(body, placed, name, self._confinement.libc, first)

    def _begin(self, enter: Callable[[], None], seat: Seat | None) -> None:
        """In the child, before all else."""
        self._tracer.in_child()
        if seat is not None:
            seat.wait()
        enter()

    def _see_the_machine(self) -> None:
        """In the child: a line, or a PD that has no namespaces of its own."""
        if self._namespaces is not None:
            self._namespaces.leave_for_the_machine()

    def _confine(self, request: dict[str, Any]) -> None:
        """Prepare the namespaces that PDs will have; where that fails, no PD may run."""
        try:
            self._namespaces = Namespaces(
                self._confinement.libc, request["read"], request["socket"]
            )
        except OSError as error:
            raise SystemExit(f"zygote: PDs cannot be confined: {error}") from error

    def _reap(self, pidfd: int) -> None:
        child = self._children.pop(pidfd)
        self._poll.unregister(pidfd)
        os.close(pidfd)
        _, status = os.waitpid(child.pid, 0)
        if "pd" in child.about:
            status = self._tracer.forget(child.about["pd"], status)
        self._tell({"op": "exited", **child.about, "status": status})
        self._tracer.sweep()

    def _tell(self, message: dict[str, Any], fds: Sequence[int] = ()) -> None:
        socket.send_fds(self._channel, [msgpack.packb(message)], fds)

    def _end_children(self) -> None:
        for child in self._children.values():
            os.kill(child.pid, signal.SIGKILL)  # not reaped yet, so the pid is still theirs
        with suppress(ChildProcessError):
            while True:  # of those that are traced the threads too, which come first
                os.waitpid(-1, WALL)
        for pidfd in self._children:
            os.close(pidfd)
        self._children.clear()


def identity(path: str) -> tuple[int, int] | None:
    """Which file or folder is at a path; None if there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


PAGING: dict[str, dict[str, type]] = {
    "continue": {"pd": int, "tid": int},
    "map": {"pd": int, "address": int, "length": int, "writable": bool},
    "unmap": {"pd": int, "ranges": list},
}
"""What is asked about traced PDs, and with which arguments."""
NUMBERED = {"spawn": ("pd", "name"), "line": ("line", "uart")}
"""Per operation: the key of its number, and of its name."""
CONFINED = {"level": str, "read": list, "threads": int}
"""What else a spawn says."""


def unpack(data: bytes) -> dict[str, Any]:
    """The map that a message is. Raises BadRequest."""
    try:
        request = msgpack.unpackb(data)
    except (ValueError, msgpack.UnpackException) as error:
        raise BadRequest(f"it is no msgpack: {error}") from None
    if not isinstance(request, dict):
        raise BadRequest("it is no map")
    return request


def check(request: dict[str, Any]) -> None:
    """Refuse a request without the keys its operation needs. Raises BadRequest."""
    op = request.get("op")
    if isinstance(op, str) and op in PAGING:
        if any(type(request.get(key)) is not kind for key, kind in PAGING[op].items()):
            raise BadRequest(f"{op} needs {', '.join(PAGING[op])}")
        return
    if op == "confine":
        if not isinstance(request.get("read"), list) or not isinstance(request.get("socket"), str):
            raise BadRequest("confine needs a list 'read' and a string 'socket'")
        return
    if not isinstance(op, str) or op not in NUMBERED:
        raise BadRequest(f"it is none of {', '.join(NUMBERED)}")
    number, name = NUMBERED[op]
    if type(request.get(number)) is not int or not isinstance(request.get(name), str):
        raise BadRequest(f"{op} needs a number {number!r} and a string {name!r}")
    if op == "spawn":
        for key, kind in CONFINED.items():
            if not isinstance(request.get(key), kind):
                article = "an" if kind is int else "a"
                raise BadRequest(f"{op} needs {key!r}, {article} {kind.__name__}")


def subject(request: dict[str, Any]) -> dict[str, int]:
    """Whom a request is about, as far as it says."""
    return {key: request[key] for key in ("pd", "line") if type(request.get(key)) is int}


def look_into_folders() -> None:
    """Let the import system know what is where in caplab: what a program imports of it is found
    without each PD reading the folders. One that has changed since is read again.
    """
    import caplab

    package = next(iter(caplab.__path__))
    for part in PARTS:
        for folder, below, _ in os.walk(os.path.join(package, part)):
            below[:] = [name for name in below if not name.startswith(("_", "."))]
            finder = pkgutil.get_importer(folder)
            if finder is not None:
                finder.find_spec("caplab")  # fills what it remembers; there is none


def main() -> None:
    """Load what children share, then serve the channel whose descriptor is argv[1]."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    channel.set_inheritable(False)
    Libc().die_with_parent()
    prepare()
    # Never collect here: that would leave holes in the pages that children share, and each
    # child would fill them and so have copies of its own.
    gc.disable()
    for module in PRELOADED:
        import_module(module)
    leave_segments_to_the_kernel()
    look_into_folders()
    zygote = Zygote(channel)
    gc.freeze()
    zygote.serve()


if __name__ == "__main__":
    main()
