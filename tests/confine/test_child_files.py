"""A confined child, without namespaces, and the files and networks it does not reach."""

import os
import socket
import sys
from collections.abc import Callable
from multiprocessing import shared_memory
from pathlib import Path

import pytest

from caplab.kernel.confine.child import Confinement, Plan
from caplab.kernel.confine.landlock import Landlock
from caplab.kernel.confine.level import Level
from caplab.kernel.confine.libc import Libc
from caplab.kernel.confine.seccomp import Seccomp
from children import Outcome, confined, in_child, refused

READABLE = ("/usr", sys.base_prefix)
BASIC = Plan(Level.BASIC, READABLE)

pytestmark = pytest.mark.skipif(
    not Seccomp(Libc()).available() or not Landlock(Libc()).version,
    reason="this host has no Landlock or no seccomp filters",
)


# -- files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/etc/passwd", "/etc/shadow", "/proc/self/maps", "/root", "/"])
def test_the_users_files_are_not_opened(path: str) -> None:
    assert refused(confined(BASIC, lambda: os.open(path, os.O_RDONLY)))


def test_what_it_may_read_it_may_not_change(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text("pass\n")
    (tmp_path / "folder").mkdir()
    plan = Plan(Level.BASIC, (*READABLE, str(tmp_path)))
    file = str(tmp_path / "code.py")
    changes: dict[str, Callable[[], object]] = {
        "write": lambda: os.open(file, os.O_WRONLY),
        "append": lambda: os.open(file, os.O_WRONLY | os.O_APPEND),
        "truncate": lambda: os.truncate(file, 0),
        "create": lambda: os.open(f"{tmp_path}/new", os.O_CREAT | os.O_WRONLY),
        "unlink": lambda: os.unlink(file),
        "rename": lambda: os.rename(file, f"{tmp_path}/other"),
        "link": lambda: os.link(file, f"{tmp_path}/other"),
        "symlink": lambda: os.symlink(file, f"{tmp_path}/other"),
        "mkdir": lambda: os.mkdir(f"{tmp_path}/other"),
        "rmdir": lambda: os.rmdir(f"{tmp_path}/folder"),
        "mkfifo": lambda: os.mkfifo(f"{tmp_path}/other"),
        "chmod": lambda: os.chmod(file, 0o777),
        "chown": lambda: os.chown(file, os.getuid(), os.getgid()),
        "utime": lambda: os.utime(file),
        "setxattr": lambda: os.setxattr(file, "user.caplab", b""),
    }
    passed = {name: o for name, do in changes.items() if not refused(o := confined(plan, do))}
    assert not passed
    assert confined(plan, lambda: Path(file).read_text()).value == "pass\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["code.py", "folder"]


def test_a_shared_folder_is_opened_by_name_and_never_listed_or_changed(tmp_path: Path) -> None:
    page = tmp_path / "page"
    page.write_bytes(bytes(4096))
    plan = Plan(Level.BASIC, READABLE, shared=(str(tmp_path),))

    def write() -> bytes:
        fd = os.open(page, os.O_RDWR)
        os.pwrite(fd, b"hello", 0)
        return os.pread(fd, 5, 0)

    assert confined(plan, write).value == b"hello"
    for do in (
        lambda: os.listdir(tmp_path),
        lambda: os.open(tmp_path / "new", os.O_RDWR | os.O_CREAT),
        lambda: os.open(page, os.O_RDWR | os.O_TRUNC),
        lambda: os.ftruncate(os.open(page, os.O_RDWR), 0),
        lambda: os.posix_fallocate(os.open(page, os.O_RDWR), 0, 8192),
        lambda: os.unlink(page),
        lambda: os.fchmod(os.open(page, os.O_RDWR), 0),
    ):
        assert refused(confined(plan, do))
    assert page.stat().st_size == 4096


def test_no_segment_is_made_and_none_that_is_shared_is_cut(tmp_path: Path) -> None:
    assert refused(confined(BASIC, lambda: shared_memory.SharedMemory(create=True, size=4096)))
    assert refused(confined(BASIC, lambda: os.memfd_create("mine")))


@pytest.mark.parametrize("shared", [False, True])
def test_without_landlock_files_are_read_and_still_not_changed(
    tmp_path: Path, shared: bool
) -> None:
    file = tmp_path / "file"
    file.write_text("as it was")
    plan = BASIC._replace(shared=("/dev/shm",) if shared else ())
    means = Confinement()
    means.landlock.version = 0

    def without_landlock(do: Callable[[], object]) -> Outcome:
        def body() -> object:
            means.confine(plan)()
            return do()

        return in_child(body)

    assert without_landlock(file.read_text).value == "as it was"
    for do in (
        lambda: file.write_text("changed"),
        lambda: os.open(tmp_path / "new", os.O_CREAT | os.O_WRONLY),
        lambda: os.open(file, os.O_WRONLY | os.O_TRUNC),
        lambda: file.unlink(),
        lambda: socket.socket(),
    ):
        assert refused(without_landlock(do))
    assert refused(without_landlock(lambda: os.close(os.open(file, os.O_RDWR)))) is not shared
    assert file.read_text() == "as it was"


def test_a_landlock_that_does_not_know_truncation_is_helped_out(tmp_path: Path) -> None:
    page = tmp_path / "page"
    page.write_bytes(bytes(4096))
    means = Confinement()
    means.landlock.version = 2
    plan = Plan(Level.BASIC, READABLE, shared=(str(tmp_path),))

    def body() -> None:
        means.confine(plan)()
        os.close(os.open(page, os.O_RDWR))
        os.open(page, os.O_RDWR | os.O_TRUNC)

    assert refused(in_child(body))
    assert page.stat().st_size == 4096


# -- network --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("family", "kind"),
    [
        (socket.AF_INET, socket.SOCK_STREAM),
        (socket.AF_INET6, socket.SOCK_DGRAM),
        (socket.AF_NETLINK, socket.SOCK_RAW),
        (socket.AF_UNIX, socket.SOCK_STREAM),
        (38, socket.SOCK_SEQPACKET),  # AF_ALG
    ],
)
def test_no_socket_is_made(family: int, kind: int) -> None:
    assert refused(confined(BASIC, lambda: socket.socket(family, kind)))


def test_nothing_listens_even_before_it_is_sealed() -> None:
    means = Confinement()

    def body() -> None:
        means.confine(BASIC)
        with socket.socket(socket.AF_UNIX) as mine:
            mine.bind("\0caplab-test")

    assert refused(in_child(body))
