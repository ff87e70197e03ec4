"""What a PD can touch at each level, tried by PDs of whole systems, as root and as a user."""

import json
import os
import shutil
from pathlib import Path

import pytest

import other_user
from caplab import System
from caplab.kernel.boot.confinement import Host
from caplab.kernel.confine.level import Impossible, Level, choose

pytestmark = pytest.mark.usefixtures("baseline")

PROBER = """
import errno, json, os, signal, socket
from pathlib import Path

def said(attempt):
    try:
        attempt()
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"

AT_IMPORT = said(lambda: socket.socket(socket.AF_UNIX).close())

def main(env, stranger):
    here = Path(__file__).parent
    print(json.dumps({
        "first": os.getpid() == 1,
        "socket at import": AT_IMPORT,
        "socket": said(lambda: socket.socket(socket.AF_INET).close()),
        "fork": said(lambda: os._exit(0) if os.fork() == 0 else os.wait()),
        "other's file": said(lambda: Path("/etc/passwd").read_text()),
        "other's memory": said(lambda: os.close(os.open("/proc/self/environ", os.O_RDONLY))),
        "signal": said(lambda: os.kill(stranger, 0)),
        "own code": said(lambda: Path(__file__).read_text()),
        "new file": said(lambda: (here / f"by-{env.name}").write_text("")),
        "segments": said(lambda: os.listdir("/dev/shm")),
        "abstract": said(abstract),
    }))
    with env.memory().map() as page:
        page.write(0, b"mine")
        assert page.read(0, 4) == b"mine"

def abstract():
    with socket.socket(socket.AF_UNIX) as mine:
        mine.bind("\\0caplab-test")
"""

DENIED = {
    "socket at import": ("EPERM",),
    "socket": ("EPERM",),
    "fork": ("EPERM",),
    "other's file": ("EACCES", "ENOENT"),
    "other's memory": ("EACCES", "ENOENT"),
    "signal": ("EPERM", "ESRCH"),
    "new file": ("EACCES", "EROFS"),
    "abstract": ("EPERM",),
}


def possible(level: Level) -> bool:
    host = Host.tried()
    try:
        choose(level, host.findings, host.signs)
    except Impossible:
        return False
    return True


def tried(system: System, pd: str) -> dict[str, str]:
    lines = system.logs(pd).decode().splitlines()
    assert system.pd(pd).exit_code == 0, lines
    found: dict[str, str] = json.loads(lines[-1])
    return found


def write_system(folder: Path, level: str, **weaker: str) -> Path:
    (folder / "prober.py").write_text(PROBER)
    pds = {"prober": "auto", **weaker}
    lines = [
        f"  {name}: {{run: ./prober.py, args: {{stranger: {os.getpid()}}}, confinement: {own}}}"
        for name, own in pds.items()
    ]
    path = folder / "probing.yaml"
    path.write_text("\n".join([f"confinement: {level}", "pds:", *lines]) + "\n")
    return path


needs = {
    level: pytest.mark.skipif(not possible(level), reason=f"this host does not allow {level}")
    for level in Level
}
LEVELS = [pytest.param(level, marks=needs[level]) for level in Level]


@pytest.mark.parametrize("level", LEVELS)
def test_a_pd_can_touch_what_its_level_allows(tmp_path: Path, level: Level) -> None:
    with System(write_system(tmp_path, level)) as system:
        system.wait(60)
        found = tried(system, "prober")
        assert system.info()["confinement"]["level"] == level
    assert found["own code"] == "done"
    assert found["first"] is (level is Level.STRICT)
    assert found["segments"] == ("done" if level is Level.NONE else "EACCES")
    for what, errors in DENIED.items():
        allowed = ("done",) if level is Level.NONE else errors
        assert found[what] in allowed, what
    assert (tmp_path / "by-prober").exists() is (level is Level.NONE)


@needs[Level.STRICT]
def test_a_pd_may_be_confined_less_than_its_system(tmp_path: Path) -> None:
    path = write_system(tmp_path, "strict", loose="none", middle="basic")
    with System(path) as system:
        system.wait(60)
        found = {pd: tried(system, pd) for pd in ("prober", "loose", "middle")}
    assert [found[pd]["first"] for pd in found] == [True, False, False]
    assert [found[pd]["socket"] for pd in found] == ["EPERM", "done", "EPERM"]
    assert [path.name for path in tmp_path.glob("by-*")] == ["by-loose"]


@pytest.mark.parametrize("level", LEVELS)
def test_a_pd_that_dies_of_a_file_it_may_not_open_is_told_its_confinement(
    tmp_path: Path, level: Level
) -> None:
    (tmp_path / "reader.py").write_text("def main(env): open('/etc/passwd').close()\n")
    path = tmp_path / "reading.yaml"
    path.write_text(f"confinement: {level}\npds: {{reader: {{run: ./reader.py}}}}\n")
    with System(path) as system:
        system.wait(60)
        row = system.pd("reader")
    hint = f"'/etc/passwd' (confinement {level}: of the host's files a PD can open its code alone"
    assert (row.state == "exited") is (level is Level.NONE)
    assert (hint in row.reason) is (level is not Level.NONE)


AS_USER = """
import json, sys
from caplab import System
with System(sys.argv[1]) as system:
    system.wait(60)
    print(json.dumps([system.info()["confinement"]["level"], system.logs("prober").decode()]))
"""


@pytest.mark.skipif(not other_user.IS_ROOT, reason="there is another user to be for root only")
@pytest.mark.parametrize("level", LEVELS[1:])
def test_an_ordinary_users_pds_are_confined_alike(runtime_dir: Path, level: Level) -> None:
    folder = runtime_dir / "code"
    folder.mkdir()
    path = write_system(folder, level)
    ran = other_user.run(AS_USER, str(path), runtime_dir=runtime_dir)
    shutil.rmtree(folder)
    assert ran.returncode == 0, ran.stderr
    in_force, printed = json.loads(ran.stdout)
    assert in_force == level
    found = json.loads(printed.splitlines()[-1])
    assert found["own code"] == "done"
    for what, errors in DENIED.items():
        assert found[what] in errors, what
