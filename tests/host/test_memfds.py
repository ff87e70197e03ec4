"""Memory objects handed over as descriptors, from the kernel's table to the PD's SharedMemory."""

import mmap
import os
import socket
from collections.abc import Iterator, Sequence
from multiprocessing import shared_memory
from typing import Any

import msgpack
import pytest

from caplab.kernel.core.effects import (
    CreateSegment,
    DestroySegment,
    GrantSegment,
    WithdrawSegment,
)
from caplab.kernel.host.memfds import MemFds
from caplab.pd.handed import HandedSegments, open_handed
from caplab.pd.window import Window

NAME = f"cl.{os.urandom(4).hex()}.1"
PD = 7


class Handing:
    """The kernel's segments, and the one PD that they are handed to."""

    def __init__(self) -> None:
        self.ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.segments = MemFds(self.hand)
        self.pd = HandedSegments(self.theirs.fileno(), shared_memory._posixshmem)  # type: ignore[attr-defined]

    def hand(self, pd: int, message: dict[str, Any], descriptors: Sequence[int]) -> None:
        if pd == PD:
            socket.send_fds(self.ours, [msgpack.packb(message)], descriptors)

    def create(self, mo: int = 1) -> None:
        self.segments.create(CreateSegment(mo, NAME, 8192))

    def grant(self, *, writable: bool = True) -> None:
        self.segments.grant(GrantSegment(1, PD, writable))

    def opened(self, flags: int = os.O_RDWR) -> int:
        return self.pd.shm_open(f"/{NAME}", flags)

    def close(self) -> None:
        self.segments.destroy_all()
        self.pd.close()
        self.ours.close()
        self.theirs.close()


@pytest.fixture
def handing(baseline: None) -> Iterator[Handing]:
    handing = Handing()
    yield handing
    handing.close()


@pytest.fixture
def hooked(handing: Handing, monkeypatch: pytest.MonkeyPatch) -> Handing:
    """Names are answered in this process too."""
    monkeypatch.setattr(shared_memory, "_posixshmem", shared_memory._posixshmem)
    open_handed(handing.theirs.fileno()).close()
    shared_memory._posixshmem = handing.pd
    return handing


def test_what_was_granted_is_opened_by_its_name_and_nothing_else_is(handing: Handing) -> None:
    handing.create()
    with pytest.raises(FileNotFoundError):
        handing.opened()
    handing.grant()
    first, second = handing.opened(), handing.opened()
    assert os.fstat(first).st_size == 8192
    os.pwrite(first, b"hello", 10)
    assert os.pread(second, 5, 10) == b"hello"
    assert not os.path.exists(f"/dev/shm/{NAME}")
    os.close(first)
    os.close(second)


def test_nobody_makes_it_longer_and_the_kernel_still_takes_it_away(handing: Handing) -> None:
    handing.create()
    handing.grant()
    opened = handing.opened()
    for attempt in (
        lambda: os.pwrite(opened, b"x", 8192),
        lambda: os.ftruncate(opened, 8193),
        lambda: os.posix_fallocate(opened, 0, 8193),
    ):
        with pytest.raises(PermissionError):
            attempt()
    assert os.fstat(opened).st_size == 8192
    handing.segments.destroy(DestroySegment(1))
    assert os.fstat(opened).st_size == 0
    os.close(opened)


def test_reading_only_is_enforced_by_the_descriptor(handing: Handing) -> None:
    handing.create()
    handing.grant(writable=False)
    opened = handing.opened()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.pwrite(opened, b"x", 0)
    with pytest.raises(PermissionError):
        mmap.mmap(opened, 4096, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
    assert os.fstat(opened).st_mode & 0o777 == 0o400
    os.close(opened)
    handing.grant(writable=True)
    opened = handing.opened()
    assert os.pwrite(opened, b"x", 0) == 1
    os.close(opened)


def test_a_window_and_plain_shared_memory_open_what_was_handed(hooked: Handing) -> None:
    hooked.create()
    hooked.grant()
    with Window(NAME) as window:
        assert window.writable
        window.write(0, b"through the window")
        shared = shared_memory.SharedMemory(name=NAME)
        assert bytes(shared.buf[:18]) == b"through the window"
        shared.close()


def test_a_window_for_reading_only_says_so(hooked: Handing) -> None:
    hooked.create()
    hooked.grant(writable=False)
    with Window(NAME) as window:
        assert not window.writable
        assert window.read(0, 4) == bytes(4)
        with pytest.raises(PermissionError, match="reading only"):
            window.write(0, b"x")
    with pytest.raises(PermissionError):
        shared_memory.SharedMemory(name=NAME)


def test_what_is_withdrawn_is_let_go_of(handing: Handing) -> None:
    handing.create()
    handing.grant()
    os.close(handing.opened())
    handing.segments.withdraw(WithdrawSegment(1, PD))
    with pytest.raises(FileNotFoundError):
        handing.opened()
    assert handing.segments.granted(1) == {}


def test_what_is_destroyed_is_empty_for_who_still_has_it(handing: Handing) -> None:
    handing.create()
    handing.grant()
    opened = handing.opened()
    handing.segments.destroy(DestroySegment(1))
    assert os.fstat(opened).st_size == 0
    with pytest.raises(FileNotFoundError):
        handing.opened()
    os.close(opened)


def test_an_object_without_memory_is_granted_to_nobody(
    handing: Handing, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "no space")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="no space"):
        handing.create()
    handing.grant()
    with pytest.raises(FileNotFoundError):
        handing.opened()


def test_names_of_the_pds_own_are_the_hosts_as_ever(hooked: Handing) -> None:
    shared = shared_memory.SharedMemory(create=True, size=4096)
    shared.close()
    shared.unlink()
    hooked.create()
    hooked.grant()
    with pytest.raises(FileExistsError):
        hooked.opened(os.O_RDWR | os.O_CREAT | os.O_EXCL)
