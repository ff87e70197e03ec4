"""What is posted for a window is told there once, or is left to who posted it."""

import os
import threading
from pathlib import Path

import pytest

from caplab.kernel.boot.control import readable
from caplab.kernel.boot.running import Running
from caplab.scripts.cli import up
from caplab.scripts.cli.bulletin import Bulletin
from caplab.scripts.cli.console import Ending
from caplab.scripts.cli.screen import Screen


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


def test_what_a_window_did_not_come_to_is_said_when_it_is_closed(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    bulletin = Bulletin()

    def attach(*_: object, **__: object) -> Ending:
        assert bulletin.post("hello exited")
        return Ending.LEFT

    monkeypatch.setattr(up, "attach", attach)
    running, us = Running("test", Path("/nowhere")), threading.current_thread()
    assert up.joined(us, bulletin, running, ["uart0"], "ctrl-]", Screen()) is Ending.LEFT
    assert capfd.readouterr().err == "caplab: hello exited\n"
    bulletin.close()
