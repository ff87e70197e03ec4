"""Shared pages through a descriptor."""

import faulthandler
import os
import signal
from collections.abc import Iterator
from multiprocessing import resource_tracker
from pathlib import Path

import pytest

from caplab.pd.window import SHM_DIR, Window, leave_segments_to_the_kernel


@pytest.fixture
def segment() -> Iterator[Path]:
    path = Path(SHM_DIR, f"cl.{os.urandom(4).hex()}.1")
    path.write_bytes(bytes(4096))
    yield path
    path.unlink(missing_ok=True)


def test_what_is_written_is_read_by_whoever_opens_the_segment(segment: Path) -> None:
    with Window(segment.name) as one, Window("/" + segment.name) as other:
        assert one.size == 4096
        assert one.write(10, b"hello") == 5
        assert other.read(10, 5) == b"hello"
        assert len(other.read()) == 4096


@pytest.mark.parametrize(("offset", "length"), [(4096, 1), (-1, 1), (0, 4097), (4000, 200)])
def test_beyond_the_window_nothing_is_read_or_written(segment: Path, offset, length) -> None:
    with Window(segment.name) as window:
        with pytest.raises(ValueError, match="4096 bytes"):
            window.read(offset, length)
        with pytest.raises(ValueError, match="4096 bytes"):
            window.write(offset, bytes(length))
    assert segment.read_bytes() == bytes(4096)


def test_a_segment_that_was_taken_away_is_a_short_read_and_no_fault(segment: Path) -> None:
    with Window(segment.name) as window:
        os.truncate(segment, 0)
        segment.unlink()
        assert window.read(0, 4096) == b""


def test_a_mapping_is_the_window_itself_and_is_closed_with_it(segment: Path) -> None:
    window = Window(segment.name)
    mapping = window.mapping()
    assert window.mapping() is mapping
    mapping[10:15] = b"hello"
    assert window.read(10, 5) == b"hello"
    window.close()
    assert mapping.closed
    with pytest.raises(ValueError, match="closed"):
        window.mapping()


def test_what_is_granted_for_reading_only_has_no_mapping_to_write_to(segment: Path) -> None:
    with Window(segment.name) as window:
        window.writable = False
        with pytest.raises(PermissionError, match="reading only"):
            window.mapping()


def test_a_window_that_was_taken_away_takes_its_mapping_with_it(segment: Path) -> None:
    window = Window(segment.name)
    mapping = window.mapping()
    window.withdraw()
    assert mapping.closed


def test_a_view_of_a_mapping_that_was_taken_away_shows_the_page_no_more(segment: Path) -> None:
    """It cannot be closed while it is used; a touch is a fault, in a child of ours."""
    window = Window(segment.name)
    with memoryview(window.mapping()) as view:
        child = os.fork()
        if not child:
            faulthandler.disable()
            window.withdraw()
            os._exit(view[0])
        _, status = os.waitpid(child, 0)
        assert os.WTERMSIG(status) == signal.SIGSEGV
        assert view[0] == 0
        window.close()  # the view is still in use here, and still shows it
        assert view[0] == 0


def test_a_segment_that_is_not_there_says_so() -> None:
    with pytest.raises(FileNotFoundError):
        Window("cl.00000000.404")


@pytest.mark.parametrize("name", ["", "/", "../etc/passwd", "a/b"])
def test_a_name_that_is_no_segments_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not the name"):
        Window(name)


def test_a_link_is_not_followed(segment: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    segment.unlink()
    segment.symlink_to(secret)
    with pytest.raises(OSError, match="symbolic"):
        Window(segment.name)


def test_a_closed_window_refuses_and_closing_twice_is_allowed(segment: Path) -> None:
    window = Window(segment.name)
    window.close()
    window.close()
    with pytest.raises(ValueError, match="closed"):
        window.read(0, 1)


def test_the_tracker_hears_only_of_segments_that_are_not_the_kernels(monkeypatch) -> None:
    heard: list[tuple[str, str]] = []
    for verb in ("register", "unregister"):
        monkeypatch.setattr(resource_tracker, verb, lambda *told: heard.append(told))
    leave_segments_to_the_kernel()
    resource_tracker.register("/cl.0011aabb.1", "shared_memory")
    resource_tracker.unregister("/cl.0011aabb.1", "shared_memory")
    assert not heard
    resource_tracker.register("/psm_123", "shared_memory")
    resource_tracker.register("/cl.0011aabb.1", "semaphore")
    assert heard == [("/psm_123", "shared_memory"), ("/cl.0011aabb.1", "semaphore")]


def test_a_window_that_was_taken_away_is_empty_until_it_is_closed(segment: Path) -> None:
    window = Window(segment.name)
    window.withdraw()
    window.withdraw()
    assert (window.read(), window.read(5, 1), window.write(0, b"x")) == (b"", b"", 0)
    with pytest.raises(ValueError, match="do not lie in"):
        window.read(0, window.size + 1)
    window.close()
    window.withdraw()
    with pytest.raises(ValueError, match="closed"):
        window.read()
