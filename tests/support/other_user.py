"""Running a program as an ordinary user, from a test that root runs.

Python and this checkout may lie in folders that are closed to others. So the program is run where
the closed folders on the way to them are replaced by open ones, in mounts of its own.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import caplab

UID = 54321
"""Nobody's."""
IS_ROOT = os.geteuid() == 0

BECOME = """
import os, sys
from pathlib import Path
from caplab.kernel.confine.libc import *
uid, count, *rest = sys.argv[1:]
kept, command = rest[: int(count)], rest[int(count) :]
libc = Libc()
libc.unshare(CLONE_NEWNS)
libc.mount("", "/", flags=MS_REC | MS_PRIVATE)
held = {path: os.open(path, os.O_PATH) for path in kept}
def closed(path):  # the topmost folder above it that others may not enter
    above = [str(folder) for folder in Path(path).parents][::-1]
    return next((folder for folder in above if not os.stat(folder).st_mode & 1), None)
for folder in {closed(path) for path in kept} - {None}:
    libc.mount("none", folder, "tmpfs", 0, "mode=755")
for path, fd in held.items():
    os.makedirs(path, exist_ok=True)
    libc.mount(f"/proc/self/fd/{fd}", path, flags=MS_BIND | MS_REC)
    os.close(fd)
os.setgroups(())
os.setresgid(int(uid), int(uid), int(uid))
os.setresuid(int(uid), int(uid), int(uid))
libc.prctl(PR_SET_DUMPABLE, 1)
os.execv(command[0], command)
"""


def run(
    program: str, *arguments: str, runtime_dir: Path, seen: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """Run Python source as `UID` to its end.

    `runtime_dir` is given to that user for good; what is `seen` it finds where it is.
    """
    source = os.path.dirname(os.path.realpath(next(iter(caplab.__path__))))
    kept = [sys.base_prefix, sys.prefix, os.path.dirname(source), *seen]
    environment = {"XDG_RUNTIME_DIR": str(runtime_dir), "HOME": "/", "PYTHONPATH": source}
    os.chown(runtime_dir, UID, UID)
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(
        [sys.executable, "-c", BECOME, str(UID), str(len(kept)), *kept, *command],
        env={**os.environ, **environment},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
