"""The bindings, in children: what they change is the process itself."""

import errno
import os
import signal
from pathlib import Path

import pytest

from caplab.kernel.confine import libc
from caplab.kernel.confine.libc import Libc
from children import in_child


def status(key: str) -> str:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(line.split(":")[1].strip() for line in lines if line.startswith(key + ":"))


def test_an_error_names_the_call_and_has_its_number() -> None:
    with pytest.raises(OSError, match="setns: ") as caught:
        Libc().setns(-1)
    assert caught.value.errno == errno.EBADF


def test_an_error_of_a_mount_names_the_place() -> None:
    with pytest.raises(OSError, match="umount2: ") as caught:
        Libc().umount("/no/such/place")
    assert caught.value.errno in (errno.ENOENT, errno.EPERM)
    assert caught.value.filename == "/no/such/place"


def test_an_architecture_without_numbers_lacks_the_calls_and_nothing_crashes() -> None:
    unknown = Libc(machine="vax")
    assert not unknown.has("seccomp")
    with pytest.raises(OSError, match="capset: unknown on vax") as caught:
        unknown.capset()
    assert caught.value.errno == errno.ENOSYS
    assert unknown.prctl(libc.PR_GET_DUMPABLE) in (0, 1, 2)


def test_both_tables_name_the_same_calls() -> None:
    assert set(libc.NUMBERS["x86_64"]) == set(libc.NUMBERS["aarch64"])


def test_a_process_without_capabilities_has_none() -> None:
    calls = Libc()

    def body() -> None:
        if os.getuid() == 0:
            calls.drop_bounding_set()
            assert int(status("CapBnd"), 16) == 0
        calls.capset()
        for kind in ("CapEff", "CapPrm", "CapInh", "CapAmb"):
            assert int(status(kind), 16) == 0, kind

    assert not in_child(body).trace


def test_a_name_is_cut_to_what_the_machine_keeps() -> None:
    calls = Libc()

    def body() -> None:
        calls.set_name("a-name-with-more-than-fifteen")
        assert Path("/proc/self/comm").read_text() == "a-name-with-mor\n"

    assert not in_child(body).trace


def test_a_child_dies_with_its_parent() -> None:
    calls = Libc()
    readable, writable = os.pipe()

    def body() -> None:
        if os.fork() == 0:
            calls.die_with_parent(signal.SIGKILL)
            os.write(writable, b"!")
            signal.pause()
        os.read(readable, 1)

    try:
        assert not in_child(body).trace
        os.close(writable)
        writable = -1
        assert os.read(readable, 1) == b""  # every copy of the writing end is closed
    finally:
        os.close(readable)
        if writable >= 0:
            os.close(writable)


def namespaces_work(calls: Libc) -> bool:
    return in_child(lambda: calls.unshare(libc.CLONE_NEWUSER | libc.CLONE_NEWNS)).error == 0


def test_a_new_root_holds_only_what_was_mounted_into_it(tmp_path: Path) -> None:
    calls = Libc()
    if not namespaces_work(calls):
        pytest.skip("this host gives no namespaces")

    def body() -> None:
        user, group = os.getuid(), os.getgid()
        calls.unshare(libc.CLONE_NEWUSER | libc.CLONE_NEWNS)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
        calls.mount("", "/", flags=libc.MS_REC | libc.MS_PRIVATE)
        root = str(tmp_path)
        calls.mount("tmpfs", root, "tmpfs", libc.MS_NOSUID | libc.MS_NODEV, "size=64k")
        (tmp_path / "lib").mkdir()
        (tmp_path / "old").mkdir()
        calls.mount("/usr/lib", f"{root}/lib", flags=libc.MS_BIND | libc.MS_REC)
        calls.mount_setattr(f"{root}/lib", libc.MOUNT_ATTR_RDONLY)
        calls.pivot_root(root, f"{root}/old")
        os.chdir("/")
        calls.umount("/old")
        assert sorted(os.listdir("/")) == ["lib", "old"]
        assert os.listdir("/lib")
        with pytest.raises(OSError, match="Read-only") as caught:
            os.open("/lib/mine", os.O_CREAT | os.O_WRONLY)
        assert caught.value.errno == errno.EROFS

    assert not in_child(body).trace
