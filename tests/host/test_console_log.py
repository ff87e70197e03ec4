"""`console.log`: every byte, in order, over as many files as are kept, whatever the disk says."""

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caplab.kernel.host.console_log import OLD_MAX, ConsoleLog

LIMIT = 100


def kept(folder: Path) -> list[bytes]:
    """The files, oldest first."""
    old = sorted(folder.glob("console.log.*"), reverse=True)
    return [path.read_bytes() for path in [*old, folder / "console.log"]]


def stream(size: int, start: int = 0) -> bytes:
    return b"".join(b"%d," % number for number in range(start, start + size))


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """No file grows beyond so many bytes: a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@settings(max_examples=30)
@given(sizes=st.lists(st.integers(0, 3 * LIMIT), max_size=20))
def test_the_files_together_are_the_last_bytes_in_order(
    sizes: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("uart0")
    log = ConsoleLog(folder, LIMIT)
    text = stream(3000)
    printed = 0
    for size in sizes:
        log.add(text[printed : printed + size])
        printed += size
    log.close()
    files = kept(folder)
    assert text[:printed].endswith(b"".join(files))
    assert all(len(file) == LIMIT for file in files[:-1])
    assert len(files[-1]) <= LIMIT
    assert sum(map(len, files)) == printed or len(files) == OLD_MAX + 1
    assert (log.unlogged, len(list(folder.iterdir()))) == (0, len(files))


def test_a_log_that_is_there_already_goes_on(tmp_path: Path) -> None:
    for part in (stream(20), stream(40, 20)):
        log = ConsoleLog(tmp_path, LIMIT)
        log.add(part)
        log.close()
    files = kept(tmp_path)
    assert b"".join(files) == stream(60)
    assert [len(file) for file in files[:-1]] == [LIMIT]


def test_a_console_has_four_files_of_four_mebibytes_and_its_owner_alone_reads_them(
    tmp_path: Path,
) -> None:
    log = ConsoleLog(tmp_path)
    descriptors = len(os.listdir("/proc/self/fd"))
    for number in range(6):
        log.add(bytes([number]) * (4 << 20))
    assert len(os.listdir("/proc/self/fd")) == descriptors
    log.close()
    assert [file[:1] for file in kept(tmp_path)] == [b"\2", b"\3", b"\4", b"\5"]
    found = {(path.stat().st_size, path.stat().st_mode & 0o777) for path in tmp_path.iterdir()}
    assert found == {(4 << 20, 0o600)}


def test_what_a_full_disk_refuses_is_counted_and_its_place_marked(tmp_path: Path) -> None:
    log = ConsoleLog(tmp_path, 1 << 20)
    log.add(b"before\n")
    with room_for(10):
        log.add(b"123456789\n")
        log.add(b"all of this is missing\n")
    log.add(b"after\n")
    log.close()
    assert log.unlogged == 30
    gap = b"\n[caplab: 30 bytes are missing here, the disk was full]\n"
    assert kept(tmp_path) == [b"before\n123" + gap + b"after\n"]


def test_half_a_note_is_not_left_on_a_disk_that_is_full_again(tmp_path: Path) -> None:
    log = ConsoleLog(tmp_path, 1 << 20)
    with room_for(2):
        log.add(b"abcd")
    with room_for(20):
        log.add(b"efgh")
    log.close()
    assert (kept(tmp_path), log.unlogged) == ([b"ab"], 6)


def test_a_log_that_somebody_has_removed_is_there_again_after_a_file_s_length(
    tmp_path: Path,
) -> None:
    log = ConsoleLog(tmp_path, LIMIT)
    log.add(b"a" * (LIMIT + 10))
    (tmp_path / "console.log").unlink()
    log.add(b"b" * (LIMIT - 10) + b"c")
    assert kept(tmp_path) == [b"a" * LIMIT, b"c"]
    log.close()


def test_a_log_whose_folder_is_gone_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "uart0"
    folder.mkdir()
    log = ConsoleLog(folder, LIMIT)
    (folder / "console.log").unlink()
    folder.rmdir()
    log.add(stream(200))
    log.close()
    assert not folder.exists()


def test_there_is_a_log_at_every_moment_of_its_rotation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = os.replace

    def replaced(*names: Any) -> None:
        replace(*names)
        assert (tmp_path / "console.log").exists()

    monkeypatch.setattr(os, "replace", replaced)
    log = ConsoleLog(tmp_path, LIMIT)
    log.add(stream(200))
    log.close()
    assert len(kept(tmp_path)) > 2


def test_a_log_that_cannot_be_rotated_grows_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any) -> None:
        raise PermissionError

    log = ConsoleLog(tmp_path, LIMIT)
    monkeypatch.setattr(os, "link", refused)
    descriptors = len(os.listdir("/proc/self/fd"))
    log.add(stream(200))
    assert len(os.listdir("/proc/self/fd")) == descriptors
    assert [path.name for path in tmp_path.iterdir()] == ["console.log"]
    monkeypatch.undo()
    log.add(stream(20, 200))
    log.close()
    assert (b"".join(kept(tmp_path)), log.unlogged) == (stream(220), 0)
    assert len(kept(tmp_path)) == 2
