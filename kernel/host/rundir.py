"""The run directory: where a running system keeps its sockets, logs and locks.

`$XDG_RUNTIME_DIR/caplab/NAME`, or `/tmp/caplab-UID/NAME` without one, mode 0700. Two locks say
whether anybody lives there: the launcher holds a flock on the directory itself from before the
kernel exists until everything is cleared away, the kernel holds one on the file `lock`. When both
are free the run is *stale*: its processes died with their kernel, and what a killed kernel cannot
remove (its sockets, its segments) is removed by whoever looks next.

Only what bears the run's own names is ever removed, and no process is ever signalled from here.
"""

import fcntl
import json
import os
import re
import shutil
import stat
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from caplab.kernel.host.errors import HostError

SOCKET_PATH_MAX = 107
"""Bytes of a socket's path that the system accepts (`sun_path` less its closing zero)."""
SHM = Path("/dev/shm")
NAME_RULE = "a letter or digit, then at most 63 letters, digits, dots, dashes or underscores"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_PREFIX = re.compile(r"cl\.[0-9a-f]{8,12}\.")
_SHORT = "~"
"""First character of a short directory's name: no system can be called so."""


class Claim(NamedTuple):
    """A run directory made for a system that is about to start; `lock` keeps it ours."""

    name: str
    path: Path
    lock: int


class Run(NamedTuple):
    """A system that is starting, running or ending. `info` is `run.json`, empty while it starts."""

    name: str
    path: Path
    info: dict[str, Any]


class Cleared(NamedTuple):
    """What was found of a run whose processes are dead, and removed."""

    name: str
    segments: int
    sockets: int
    files: int


def base() -> Path:
    """The folder of all run directories of this user, made when it is not there."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    # A directory of another user (as `sudo -E` brings along) is not ours to write in.
    if runtime.startswith("/") and _owner(runtime) == os.geteuid():
        return _private(Path(runtime, "caplab"))
    return _private(_short_base())


def mark_of(folder: Path) -> str:
    """What the names of all segments of systems begin with whose run directories lie here.

    Segments of all systems lie in one folder; the mark says whose they are even when the run
    directory that knew their prefix is gone.
    """
    return f"cl.{zlib.crc32(os.fsencode(folder)) & 0xFFFF:04x}"


def new_prefix() -> str:
    """A prefix for the segments of a system that is about to start."""
    return f"{mark_of(base())}{os.urandom(4).hex()}."


def create(name: str, uarts: Sequence[str] = ()) -> Claim:
    """Make the run directory of a new system, exclusively.

    A stale one of the same name is cleared first. `uarts` are needed to know whether the longest
    socket path fits; where it does not, the directory is a short one, linked from its usual place.
    """
    if not _NAME.fullmatch(name):
        raise HostError("bad-system-name", f"{name!r} cannot name a system: {NAME_RULE}.", status=2)
    folder = base()
    with _locked(folder):
        path = folder / name
        if os.path.lexists(path):
            if is_running(path):
                raise _already_running(name, path)
            reap(path)
        sockets = ["kernel.sock", "control.sock", *(f"{uart}/socket" for uart in uarts)]
        if max(len(os.fsencode(path / socket)) for socket in sockets) <= SOCKET_PATH_MAX:
            path.mkdir(0o700)
        else:
            path = _linked(path)
        return Claim(name, path, _hold_directory(path))


def terminal(run_dir: Path, pd: str) -> Path:
    """Where the line of a debug PD's terminal has its files; no UART can be called so."""
    return run_dir / "debug.d" / pd


def hold(run_dir: Path) -> int:
    """Take the kernel's lock for as long as the returned descriptor stays open."""
    lock = os.open(run_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise _already_running(run_dir.name, run_dir) from None
    return lock


def is_running(path: Path) -> bool:
    """Whether a launcher or a kernel lives in this run directory."""
    # The launcher's first: while it lives the kernel's own lock must not be touched, since even
    # a look at it could come just when the kernel takes it.
    return _is_locked(path) or _is_locked(path / "lock")


def list_running() -> list[Run]:
    """Every system of this user that is starting, running or ending, by name."""
    return [Run(path.name, path.resolve(), read_info(path)) for path in _runs() if is_running(path)]


def find(name: str) -> Run | None:
    """The system of this name, when it runs."""
    path = base() / name
    if not _NAME.fullmatch(name) or not is_running(path):
        return None
    return Run(name, path.resolve(), read_info(path))


def reap_stale() -> list[Cleared]:
    """Clear every run directory whose launcher and kernel are both gone."""
    folder = base()
    with _locked(folder):
        stale = [path for path in [*_runs(), *_lost()] if not is_running(path)]
        return [reap(path) for path in stale]


def reap(path: Path) -> Cleared:
    """Remove a run directory and the segments of its system. Its processes must be dead."""
    run_dir = path.resolve()
    ours = segments(prefix_of(run_dir))
    for segment in ours:
        segment.unlink(missing_ok=True)
    sockets = files = 0
    for folder, _, names in os.walk(run_dir):
        for name in names:
            is_socket = stat.S_ISSOCK(os.lstat(os.path.join(folder, name)).st_mode)
            sockets, files = sockets + is_socket, files + (not is_socket)
    name, link = name_of(path), _read_text(run_dir / "link")
    shutil.rmtree(run_dir, ignore_errors=not os.path.lexists(run_dir))
    for place in (path, Path(link) if link else path):
        if place.is_symlink() and place.resolve() == run_dir:
            place.unlink()
    return Cleared(name, len(ours), sockets, files)


def name_of(run_dir: Path) -> str:
    """The name of the system whose run directory this is, the short one included."""
    return Path(_read_text(run_dir / "link") or run_dir).name


def prefix_of(run_dir: Path) -> str:
    """What the names of this run's segments begin with; empty when that is not known."""
    prefix = _read_json(run_dir / "boot.json").get("shm_prefix")
    return prefix if isinstance(prefix, str) and _PREFIX.fullmatch(prefix) else ""


def segments(prefix: str) -> list[Path]:
    """The shared memory segments of a run that belong to this user."""
    if not prefix:
        return []
    with os.scandir(SHM) as entries:
        return [
            Path(entry.path)
            for entry in entries
            if entry.name.startswith(prefix)
            and entry.stat(follow_symlinks=False).st_uid == os.geteuid()
        ]


def _runs() -> Iterator[Path]:
    """What lies in the base folder and can be a run directory."""
    short = _short_base()
    for path in sorted(base().iterdir()):
        if not _NAME.fullmatch(path.name):
            continue
        if path.is_symlink():
            target = path.readlink()
            if target.parent == short and target.name.startswith(_SHORT):
                yield path
        elif path.is_dir():
            yield path


def _lost() -> Iterator[Path]:
    """Short directories that nothing links to any more."""
    short = _short_base()
    if _owner(short) != os.geteuid():
        return
    for path in short.glob(f"{_SHORT}*"):
        link = _read_text(path / "link")
        if path.is_dir() and not (link and Path(link).resolve() == path):
            yield path


def _linked(path: Path) -> Path:
    """A short directory for a path that is too long, linked from there."""
    short = _private(_short_base()) / f"{_SHORT}{os.urandom(4).hex()}"
    short.mkdir(0o700)
    (short / "link").write_text(str(path))
    path.symlink_to(short)
    return short


def _short_base() -> Path:
    return Path("/tmp", f"caplab-{os.geteuid()}")


def _private(folder: Path) -> Path:
    """The folder, made if absent; refused unless it is a directory of ours that is ours alone."""
    try:
        folder.mkdir(0o700)
    except FileExistsError:
        pass
    status = os.lstat(folder)
    if not stat.S_ISDIR(status.st_mode):
        problem, fix = "is not a directory", "Move it away."
    elif status.st_uid != os.geteuid():
        problem = f"belongs to another user (uid {status.st_uid})"
        fix = "Set XDG_RUNTIME_DIR to a directory of your own."
    elif status.st_mode & 0o077:
        problem = f"is open to other users (mode {stat.S_IMODE(status.st_mode):04o})"
        fix = f"Close it: chmod 700 {folder}"
    else:
        return folder
    raise HostError("unsafe-run-directory", f"{folder} {problem}: nothing is run in it.", fix, 2)


def _already_running(name: str, path: Path) -> HostError:
    pid = read_info(path).get("kernel_pid")
    who = f"its kernel is process {pid}" if pid else "it is just starting or ending"
    return HostError(
        "already-running",
        f"A system called {name} is running already ({who}).",
        f"Stop it with `caplab down -n {name}`, or give this one another name with --name.",
        status=2,
    )


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Alone in the base folder: nothing is made there while somebody looks for what is stale."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _hold_directory(path: Path) -> int:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def _is_locked(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _owner(path: Path | str) -> int | None:
    """The user a directory belongs to; None where there is no directory."""
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return status.st_uid if stat.S_ISDIR(status.st_mode) else None


def read_info(path: Path) -> dict[str, Any]:
    return _read_json(path / "run.json")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):  # absent, or cut short by the death of its writer
        return {}
    return value if isinstance(value, dict) else {}


def _read_text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
