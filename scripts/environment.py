"""Makes or renews caplab's environment: `environment.py ROOT EXTRA VENV SPARE WANTED`.

Run by `environment.sh` with the system's Python, so it uses the standard
library alone. Everything it says goes to stderr; the folder of the environment
that is ready goes to stdout. VENV lies in the checkout; SPARE is used instead
when the checkout cannot be written to.
"""

import fcntl
import os
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

SIZES = {"base": "a download of about 18 MB, 100 MB on disk", "dev": "55 MB, 225 MB on disk"}
"""What each extra costs, as said before the first byte is fetched."""

OFFLINE = ("NewConnectionError", "name resolution", "Network is unreachable", "No matching distri")
"""What pip says when it reached no package index."""


def say(text: str) -> None:
    print(f"caplab: {text}", file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Task:
    """What is asked for: the command line."""

    root: Path
    extra: str
    venv: Path
    spare: Path
    wanted: str
    """The interpreter the user named, by its real path; empty: any that is new enough."""


def stamp(root: Path, venv: Path) -> bytes:
    """What the environment was made for; `current` in environment.sh compares the same bytes."""
    python = os.path.realpath(venv / "bin" / "python")
    return f"{root}\n{python}\n".encode() + (root / "pyproject.toml").read_bytes()


def current(task: Task, venv: Path) -> bool:
    if task.wanted and os.path.realpath(venv / "bin" / "python") != task.wanted:
        return False
    try:
        return (venv / f".caplab-{task.extra}").read_bytes() == stamp(task.root, venv)
    except OSError:
        return False


def place(task: Task) -> Path:
    """Where the environment goes: into the checkout if it can be written, else to the spare."""
    venv, spare = task.venv, task.spare
    if os.access(venv if venv.exists() else venv.parent, os.W_OK):
        return venv
    try:
        spare.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        sys.exit(
            f"caplab: cannot write to {venv.parent}, nor make {spare.parent} ({error.strerror}).\n"
            "  Name a folder that can be written: XDG_CACHE_HOME=/path/to/folder"
        )
    say(f"{venv} cannot be written to; using {spare}")
    return spare


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """One set-up at a time; the lock is on the folder itself, so it leaves no file."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another set-up is under way; waiting for it")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def packages(task: Task, venv: Path) -> Path | None:
    """Where its packages lie; None if it cannot be added to.

    So it is with one cut short, one whose Python went away or was upgraded
    under it, and one made with another Python than the one asked for.
    """
    probe = (
        "import sys, sysconfig, pip;"
        " print(sys.version_info >= (3, 11), sysconfig.get_path('purelib'))"
    )
    python = venv / "bin" / "python"
    try:
        done = subprocess.run([python, "-I", "-c", probe], capture_output=True, text=True)
    except OSError:
        return None
    new_enough, _, folder = done.stdout.strip().partition(" ")
    if done.returncode or new_enough != "True":
        return None
    if task.wanted and os.path.realpath(python) != task.wanted:
        return None
    return Path(folder)


def create(venv: Path) -> None:
    if find_spec("ensurepip") is None or find_spec("venv") is None:
        version = "{}.{}".format(*sys.version_info)
        sys.exit(
            f"caplab: Python's venv module is not installed for {sys.executable}.\n"
            f"  Debian, Ubuntu: apt install python3-venv"
            f"    (or python{version}-venv, if python3 is another version)"
        )
    if venv.exists() and any(venv.iterdir()) and not (venv / "pyvenv.cfg").exists():
        sys.exit(f"caplab: {venv} is not a Python environment. Move it away and try again.")
    done = subprocess.run(
        [sys.executable, "-I", "-m", "venv", "--clear", venv], capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"caplab: {venv} could not be made.\n{done.stdout}{done.stderr}")


def install(task: Task, venv: Path) -> None:
    """The packages pyproject.toml names."""
    project = tomllib.loads((task.root / "pyproject.toml").read_text())["project"]
    wanted = list(project["dependencies"])
    if task.extra != "base":
        wanted += project["optional-dependencies"][task.extra]
    quietly = ["--no-input", "--disable-pip-version-check", "--progress-bar", "off"]
    python = venv / "bin" / "python"
    log = venv / "pip.log"
    with log.open("w") as out:
        done = subprocess.run(
            [python, "-I", "-m", "pip", "install", "--retries", "2", *quietly, *wanted],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    if done.returncode:
        words = log.read_text(errors="replace")
        offline = any(sign in words for sign in OFFLINE)
        why = "no network, or no way to the package index" if offline else "pip failed"
        lines = words.splitlines()
        errors = [line for line in lines if line.startswith("ERROR")] or lines
        last = "\n".join(f"  | {line}" for line in errors[-4:])
        sys.exit(
            f"caplab: the packages could not be installed: {why}.\n{last}\n"
            f"  All that pip said: {log}\n"
            "  Run the same command again when that is mended. Behind a proxy, set HTTPS_PROXY;\n"
            "  with a folder of wheels, PIP_NO_INDEX=1 PIP_FIND_LINKS=/path/to/wheels"
        )


def point(task: Task, venv: Path, folder: Path) -> None:
    """caplab itself stays where it is, and the environment is pointed to it.

    An editable install by pip would do the same, but it fetches a build
    back-end first and writes into a checkout that may be read-only.
    """
    (folder / "caplab.pth").write_text(f"{task.root / 'src'}\n")
    command = venv / "bin" / "caplab"
    if not command.exists():
        command.unlink(missing_ok=True)  # a link that points nowhere
        command.symlink_to(task.root / "scripts" / "caplab")


def set_up(task: Task, venv: Path) -> None:
    started = time.monotonic()
    folder = packages(task, venv)
    if folder is None:
        say(f"making {venv} on first use: {SIZES[task.extra]}")
        create(venv)
        folder = packages(task, venv)
        if folder is None:
            sys.exit(f"caplab: {venv} was made but has no working pip.")
    else:
        say(f"bringing {venv} up to date with pyproject.toml: at most {SIZES[task.extra]}")
    stamps = [venv / f".caplab-{name}" for name in sorted({"base", task.extra})]
    for path in stamps:
        path.unlink(missing_ok=True)
    install(task, venv)
    point(task, venv, folder)
    for path in stamps:
        path.with_name(path.name + ".new").write_bytes(stamp(task.root, venv))
        path.with_name(path.name + ".new").replace(path)
    say(f"ready in {time.monotonic() - started:.0f} s")


def main(task: Task) -> None:
    venv = place(task)
    with alone(venv.parent):
        if not current(task, venv):  # another may have made it while we waited
            set_up(task, venv)
    print(venv)


if __name__ == "__main__":
    _, root, extra, venv, spare, wanted = sys.argv
    try:
        main(Task(Path(root), extra, Path(venv), Path(spare), wanted))
    except KeyboardInterrupt:
        say("interrupted; the next use starts the set-up again")
        sys.exit(130)
    except OSError as error:
        sys.exit(f"caplab: the set-up failed: {error}")
