"""What is posted for a window is told there once, or is left to who posted it."""

import os

from caplab.kernel.boot.control import readable
from caplab.scripts.cli.bulletin import Bulletin


def test_what_is_posted_while_a_window_is_open_is_told_there_and_the_rest_is_left() -> None:
    bulletin = Bulletin()
    left: list[str] = []
    assert not bulletin.post("nobody looks")
    with bulletin.looked_at(left):
        assert not readable(bulletin, 0)
        assert bulletin.post("one")
        assert bulletin.post("two")
        assert readable(bulletin, 0)
        assert bulletin.receive() == ["one", "two"]
        assert not readable(bulletin, 0)
        assert bulletin.receive() == []
        assert bulletin.post("three")
    assert not bulletin.post("nobody looks any more")
    assert left == ["three"]
    with bulletin.looked_at(left):
        assert bulletin.receive() == []
    bulletin.close()


def test_a_bulletin_leaves_no_descriptor() -> None:
    before = len(os.listdir("/proc/self/fd"))
    Bulletin().close()
    assert len(os.listdir("/proc/self/fd")) == before
