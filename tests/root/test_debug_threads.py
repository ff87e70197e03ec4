"""Breakpoints of a PD with several threads."""

from typing import Any

from caplab.kernel.abi import At, Sys
from lab import Lab, Thread, ok


def at(thread: Thread, where: int) -> Any:
    return thread.syscall(Sys.DEBUG, 0, label=int(where))


def test_time_stands_still_until_the_last_thread_goes_on() -> None:
    lab = Lab({"fs": {"debug": True, "threads": 2}})
    fs, other = lab["fs"], lab["fs.1"]
    ok(at(fs, At.BREAKPOINT))
    ok(at(other, At.BREAKPOINT))
    ok(at(fs, At.NOTHING))
    assert fs.pd.breakpoints == {other.number}
    ok(at(other, At.NOTHING))
    assert not fs.pd.breakpoints


def test_a_thread_that_stands_nowhere_has_nothing_to_leave() -> None:
    fs = Lab({"fs": {"debug": True}})["fs"]
    ok(at(fs, At.NOTHING))
    assert not fs.pd.breakpoints
