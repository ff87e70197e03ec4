"""Memory objects in /dev/shm."""

import errno
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
from caplab.kernel.host import segments as segments_module
from caplab.kernel.host.segments import SHM, SPARE, Segments

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


@pytest.fixture
def shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Segments]:
    """Segments whose PDs have folders, all of it in a folder of the test's."""
    monkeypatch.setattr(segments_module, "SHM", tmp_path)
    segments = Segments(folders=True)
    create(segments, 1)
    yield segments
    segments.destroy_all()
    assert [each for each in tmp_path.rglob("*") if not each.is_dir()] == []


def granted(kind: str, pd: int) -> list[str]:
    return sorted(os.listdir(segments_module.SHM / kind / str(pd)))


def test_a_grant_is_a_link_in_the_pds_own_folder(shown: Segments) -> None:
    shown.admit(7)
    shown.grant(GrantSegment(1, 8, True))
    shown.grant(GrantSegment(1, 9, False))
    assert granted(".pd", 7) == granted(".ro", 7) == granted(".ro", 8) == granted(".pd", 9) == []
    assert granted(".pd", 8) == granted(".ro", 9) == [f"{PREFIX}1"]
    link = segments_module.SHM / ".pd" / "8" / f"{PREFIX}1"
    assert link.samefile(segments_module.SHM / f"{PREFIX}1")


def test_a_pd_may_be_another_user_whatever_the_umask(shown: Segments) -> None:
    umask = os.umask(0o077)
    create(shown, 2)
    shown.grant(GrantSegment(2, 8, True))
    os.umask(umask)
    link = segments_module.SHM / ".pd" / "8" / f"{PREFIX}2"
    assert link.stat().st_mode & 0o777 == 0o666
    assert {each.stat().st_mode & 0o777 for each in (link.parent, link.parent.parent)} == {0o755}


def test_a_withdrawn_segment_is_in_the_folder_no_more_and_others_keep_it(shown: Segments) -> None:
    for pd in (8, 9):
        shown.grant(GrantSegment(1, pd, True))
    shown.withdraw(WithdrawSegment(1, 8))
    assert (granted(".pd", 8), granted(".pd", 9)) == ([], [f"{PREFIX}1"])


def test_a_grant_that_says_read_only_takes_the_place_of_one_that_did_not(shown: Segments) -> None:
    shown.grant(GrantSegment(1, 8, True))
    shown.grant(GrantSegment(1, 8, False))
    assert (granted(".pd", 8), granted(".ro", 8)) == ([], [f"{PREFIX}1"])


def test_a_destroyed_segment_is_in_no_folder(shown: Segments) -> None:
    shown.grant(GrantSegment(1, 8, True))
    shown.grant(GrantSegment(1, 9, False))
    shown.destroy(DestroySegment(1))
    assert granted(".pd", 8) == granted(".ro", 9) == []


def test_the_folders_of_a_dead_pd_go(shown: Segments) -> None:
    shown.grant(GrantSegment(1, 8, True))
    shown.dismiss(8)
    assert not (segments_module.SHM / ".pd" / "8").exists()
    shown.withdraw(WithdrawSegment(1, 8))  # what the kernel says of it afterwards


@pytest.fixture
def rooms() -> list[int]:
    """What /dev/shm was told to hold."""
    return []


@pytest.fixture
def bounded(rooms: list[int]) -> Iterator[Segments]:
    segments = Segments(resize=rooms.append)
    yield segments
    segments.destroy_all()
    assert not list(SHM.glob(f"{PREFIX}*"))


def test_there_is_little_more_room_than_there_are_segments(
    bounded: Segments, rooms: list[int]
) -> None:
    used = 0
    for mo in range(40):
        create(bounded, mo, 1 << 20)
        used += 1 << 20
        assert used <= rooms[-1] <= used + 2 * SPARE
    for mo in range(40):
        bounded.destroy(DestroySegment(mo))
        used -= 1 << 20
        assert used < rooms[-1] <= used + 2 * SPARE
    assert len(rooms) < 30  # by steps


def test_what_has_grown_is_cut_back_when_room_is_short(
    bounded: Segments, rooms: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    create(bounded, 1)
    descriptor = os.open(path("1"), os.O_RDWR)
    os.pwrite(descriptor, b"mine" * 1024 + b"stolen", 0)
    fill, asked = os.posix_fallocate, []

    def full_at_first(fd: int, offset: int, size: int) -> None:
        asked.append(size)
        if len(asked) == 1:
            raise OSError(errno.ENOSPC, "full")
        fill(fd, offset, size)

    monkeypatch.setattr(os, "posix_fallocate", full_at_first)
    create(bounded, 2)
    assert asked == [4096, 4096]
    assert os.pread(descriptor, 8192, 0) == b"mine" * 1024
    assert rooms == [SPARE, 2 * SPARE]  # whoever fills it again has not got it all
    os.close(descriptor)


def test_room_that_is_short_because_of_nobody_is_an_error_and_counts_for_nothing(
    bounded: Segments, rooms: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", full)
        with pytest.raises(OSError, match="full"):
            create(bounded, 1, 64 * SPARE)
    create(bounded, 2)
    assert rooms == [65 * SPARE, SPARE]
