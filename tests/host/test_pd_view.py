"""What a PD in namespaces of its own sees, and what it does not."""

import ast
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import strict_host
from caplab.kernel.abi import Sys
from caplab.kernel.host import pd_view
from caplab.kernel.host.pd_namespaces import FIRST_USER
from zygote_host import RouterKernel, ZygoteHost

pytestmark = strict_host.needed


@pytest.fixture
def kernel(runtime_dir: Path) -> Iterator[RouterKernel]:
    fake = RouterKernel(runtime_dir)
    yield fake
    fake.close()


class Stage:
    """A strictly confining zygote, and programs that print the value of an expression."""

    def __init__(self, zygote: ZygoteHost, kernel: RouterKernel) -> None:
        self.zygote = zygote
        self._kernel = kernel

    def value(self, expression: str, before: str = "") -> Any:
        source = f"import os\n{before}\ndef main(env):\n    print(repr({expression}))\n"
        child = self.zygote.run(self._kernel, source)
        text = child.text()
        assert child.status() == 0, text
        return ast.literal_eval(text)


@pytest.fixture
def stage(tmp_path: Path, kernel: RouterKernel, baseline: None) -> Iterator[Stage]:
    with ZygoteHost(tmp_path, "strict", kernel) as zygote:
        yield Stage(zygote, kernel)


REFUSED = """
def refused(act):
    try:
        act()
    except OSError as error:
        return error.errno
"""


def test_a_pd_is_process_one_and_its_parent_is_nobody(stage: Stage) -> None:
    assert stage.value("(os.getpid(), os.getppid())") == (1, 0)


def test_of_the_host_s_files_it_finds_its_program_and_what_python_needs(
    stage: Stage, tmp_path: Path
) -> None:
    there = [str(tmp_path / "program.py"), os.__file__, pytest.__file__, __file__, "/dev/null"]
    hidden = ["/etc/passwd", "/proc/self", "/sys/kernel", "/dev/tty", "/boot", "/run", "/.old"]
    hidden.append(str(tmp_path.parent / "sibling"))
    Path(hidden[-1]).mkdir()
    seen = stage.value(f"[path for path in {there + hidden!r} if os.path.lexists(path)]")
    assert seen == there


def test_the_kernel_s_socket_is_there_and_nothing_of_its_folder(
    stage: Stage, runtime_dir: Path
) -> None:
    (runtime_dir / "control.sock").touch()
    names = [pd_view.SOCKET, *(str(runtime_dir / name) for name in ("kernel.sock", "control.sock"))]
    assert stage.value(f"[os.path.exists(path) for path in {names!r}]") == [True, False, False]
    (runtime_dir / "control.sock").unlink()


def test_everything_it_sees_is_read_only(stage: Stage, tmp_path: Path) -> None:
    mounts = [str(tmp_path), os.path.dirname(os.__file__), "/", "/dev"]
    flags = stage.value(f"[os.statvfs(path).f_flag & os.ST_RDONLY for path in {mounts!r}]")
    assert flags == [os.ST_RDONLY] * len(mounts)


def test_a_link_on_the_way_to_a_code_root_leads_there_too(
    tmp_path: Path, kernel: RouterKernel, baseline: None
) -> None:
    (tmp_path / "real" / "deep").mkdir(parents=True)
    (tmp_path / "far").symlink_to("real")
    (tmp_path / "farther").symlink_to(tmp_path / "far")
    with ZygoteHost(tmp_path / "farther" / "deep", "strict", kernel) as zygote:
        stage = Stage(zygote, kernel)
        assert stage.value("__file__") == str(tmp_path / "farther" / "deep" / "program.py")
        ways = [str(tmp_path / way / "deep") for way in ("real", "far", "farther")]
        assert stage.value(f"[os.path.exists(path) for path in {ways!r}]") == [True] * 3


def test_it_opens_the_segments_that_it_was_granted_and_knows_no_other(stage: Stage) -> None:
    (stage.zygote.shm_of(1) / "cl.granted").write_text("mine")
    (stage.zygote.shm_of(2) / "cl.other").write_text("another's")
    (stage.zygote.shm / "cl.nobodys").write_text("nobody's")
    for path in (stage.zygote.shm_of(1), stage.zygote.shm_of(2)):
        for each in path.iterdir():
            each.chmod(0o666)
    read = stage.value(
        "[open('/dev/shm/cl.granted').read(),"
        " refused(lambda: open('/dev/shm/cl.other')),"
        " refused(lambda: open('/dev/shm/cl.nobodys')),"
        " refused(lambda: open('/.shm/cl.nobodys')),"
        " refused(lambda: os.listdir('/dev/shm')),"
        " refused(lambda: open('/dev/shm/cl.new', 'x'))]",
        REFUSED,
    )
    assert read[:4] == ["mine", errno.ENOENT, errno.ENOENT, errno.ENOENT]
    assert all(read[4:])


def test_what_was_granted_for_reading_cannot_be_opened_for_writing(stage: Stage) -> None:
    folder = stage.zygote.shm_of(1)
    granted = folder.parent.parent / ".ro" / folder.name / "cl.granted"
    granted.write_text("read me")
    granted.chmod(0o666)
    told = stage.value(
        "[open('/dev/shr/cl.granted').read(), refused(lambda: open('/dev/shr/cl.granted', 'r+'))]",
        REFUSED,
    )
    assert told == ["read me", errno.EROFS]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has users to give")
@pytest.mark.parametrize(("mode", "own"), [(0o755, True), (0o700, False)])
def test_each_pd_is_a_user_of_its_own_unless_others_may_not_read_its_program(
    tmp_path: Path, kernel: RouterKernel, baseline: None, mode: int, own: bool
) -> None:
    tmp_path.chmod(mode)
    with ZygoteHost(tmp_path, "strict", kernel) as zygote:
        kernel.handler = lambda call: None  # so that it lives until it is looked at
        child = zygote.run(kernel, "def main(env):\n    env.yield_()\n")
        kernel.wait_for(Sys.YIELD)
        status = Path(f"/proc/{child.pid}/status").read_text()
    child.text()
    users = {line.split()[1] for line in status.splitlines() if line.startswith("Uid:")}
    assert users == {str(FIRST_USER + 1) if own else "0"}


def test_open_to_others_is_what_others_may_read_and_search(tmp_path: Path) -> None:
    folder, file = tmp_path / "folder", tmp_path / "file"
    folder.mkdir()
    file.touch()
    verdicts = []
    for folder_mode, file_mode in [(0o755, 0o644), (0o754, 0o644), (0o751, 0o644), (0o755, 0o640)]:
        folder.chmod(folder_mode)
        file.chmod(file_mode)
        verdicts.append(pd_view.open_to_others([str(folder), str(file)]))
    assert verdicts == [True, False, False, False]
