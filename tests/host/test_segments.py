"""Memory objects in /dev/shm."""

import mmap
import os
from collections.abc import Iterator
from multiprocessing import shared_memory
from pathlib import Path

import pytest

from caplab.kernel.core.effects import (
    CreateSegment,
    DestroySegment,
    GrantSegment,
    WithdrawSegment,
)
from caplab.kernel.host.segments import SHM, Segments

PREFIX = f"cl.{os.urandom(4).hex()}."


@pytest.fixture
def segments() -> Iterator[Segments]:
    segments = Segments()
    yield segments
    segments.destroy_all()
    assert not list(SHM.glob(f"{PREFIX}*"))


def path(name: str) -> Path:
    return SHM / f"{PREFIX}{name}"


def create(segments: Segments, mo: int, size: int = 4096) -> None:
    segments.create(CreateSegment(mo, f"{PREFIX}{mo}", size))


def test_a_segment_is_allocated_at_once_and_only_its_user_may_open_it(segments: Segments) -> None:
    create(segments, 1, 3 * 4096)
    status = path("1").stat()
    assert status.st_size == 3 * 4096
    assert status.st_blocks * 512 >= 3 * 4096
    assert status.st_mode & 0o777 == 0o600


def test_a_pd_finds_it_by_name(segments: Segments) -> None:
    create(segments, 1)
    memory = shared_memory.SharedMemory(f"{PREFIX}1")
    memory.buf[:5] = b"hello"
    assert path("1").read_bytes()[:5] == b"hello"
    memory.close()
    from multiprocessing.resource_tracker import unregister

    unregister(f"/{PREFIX}1", "shared_memory")


def test_destroying_one_truncates_it_for_whoever_has_it_open(segments: Segments) -> None:
    create(segments, 1)
    descriptor = os.open(path("1"), os.O_RDWR)
    mapped = mmap.mmap(descriptor, 4096)
    segments.destroy(DestroySegment(1))
    assert not path("1").exists()
    assert os.fstat(descriptor).st_size == 0
    mapped.close()
    os.close(descriptor)


def test_destroying_one_whose_name_somebody_took_away_truncates_it_all_the_same(
    segments: Segments,
) -> None:
    create(segments, 1)
    descriptor = os.open(path("1"), os.O_RDWR)
    path("1").unlink()
    segments.destroy(DestroySegment(1))
    assert os.fstat(descriptor).st_size == 0
    os.close(descriptor)


def test_a_name_that_is_taken_is_an_error_and_its_holder_keeps_it(segments: Segments) -> None:
    path("1").write_bytes(b"a stranger's")
    with pytest.raises(FileExistsError):
        create(segments, 1)
    segments.destroy(DestroySegment(1))
    assert path("1").read_bytes() == b"a stranger's"
    path("1").unlink()


def test_more_memory_than_there_is_is_an_error_and_leaves_no_file(segments: Segments) -> None:
    with pytest.raises(OSError, match=r"space|large"):
        create(segments, 1, 1 << 50)
    assert not path("1").exists()
    segments.grant(GrantSegment(1, 7, True))
    segments.destroy(DestroySegment(1))


def test_who_may_open_it_is_written_down(segments: Segments) -> None:
    create(segments, 1)
    segments.grant(GrantSegment(1, 7, writable=True))
    segments.grant(GrantSegment(1, 8, writable=False))
    assert segments.granted(1) == {7: True, 8: False}
    segments.withdraw(WithdrawSegment(1, 7))
    assert segments.granted(1) == {8: False}


def test_what_is_left_at_the_end_is_destroyed_and_counted(segments: Segments) -> None:
    for mo in (1, 2, 3):
        create(segments, mo)
    segments.destroy(DestroySegment(2))
    assert segments.destroy_all() == 2
    assert segments.destroy_all() == 0
