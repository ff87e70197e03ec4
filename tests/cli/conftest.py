"""Fixtures of the command line's tests: the command as a call, and a system that is a stand-in."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from caplab.scripts.cli.main import guarded
from stand_in_control import StandIn


class Ran(NamedTuple):
    """What a command printed and how it exited."""

    status: int
    out: str
    err: str


@pytest.fixture
def caplab(baseline: None, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """`caplab("ps", "--format", "json")`, in this process."""

    def run(*words: str) -> Ran:
        capsys.readouterr()
        status = guarded(words)
        printed = capsys.readouterr()
        return Ran(status, printed.out, printed.err)

    return run


@pytest.fixture
def stand_in(baseline: None) -> Iterator[Callable[..., StandIn]]:
    """Makes running systems out of set answers."""
    made: list[StandIn] = []

    def make(name: str = "test", **answers: Any) -> StandIn:
        made.append(StandIn(name, **answers))
        return made[-1]

    yield make
    for one in made:
        one.close()
