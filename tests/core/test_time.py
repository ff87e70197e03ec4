"""Time limits, sleeping, and when the kernel wants to be woken."""

from caplab.kernel.abi import Status, Sys
from caplab.kernel.core.deadlines import Deadlines
from caplab.kernel.core.events import Deadline
from lab import SECOND, Lab, ok, pair, refused


def test_without_time_limits_the_kernel_wants_no_waking() -> None:
    lab = pair()
    assert lab.k.next_deadline is None
    lab["app"].call("fs")
    assert lab.k.next_deadline is None


def test_the_next_deadline_is_the_earliest() -> None:
    lab = Lab({"a": {}, "b": {}})
    lab.now = 5 * SECOND
    lab["a"].syscall(Sys.SLEEP, timeout=3)
    assert lab.k.next_deadline == 8 * SECOND
    lab["b"].syscall(Sys.SLEEP, timeout=0.25)
    assert lab.k.next_deadline == 5 * SECOND + SECOND // 4


def test_a_sleep_is_answered_when_it_is_over() -> None:
    lab = Lab({"a": {}})
    a = lab["a"]
    assert a.syscall(Sys.SLEEP, timeout=2) is None
    lab.pass_time(1.9)
    assert a.blocked
    lab.pass_time(0.1)
    ok(a.woken())
    assert lab.k.next_deadline is None


def test_a_sleep_without_a_limit_lasts() -> None:
    lab = Lab({"a": {}})
    assert lab["a"].syscall(Sys.SLEEP) is None
    assert lab.k.next_deadline is None


def test_a_limit_of_zero_is_over_at_the_next_deadline() -> None:
    lab = pair()
    app = lab["app"]
    assert app.call("fs", timeout=0) is None
    assert lab.k.next_deadline == lab.now
    lab.pass_time(0)
    assert app.woken().status == Status.TIMED_OUT


def test_an_endless_limit_is_none() -> None:
    lab = pair()
    for seconds in (float("inf"), 1e18):
        lab["app"].call("fs", timeout=seconds)
        assert lab.k.next_deadline is None
        ok(lab["fs"].recv())
        ok(lab["fs"].reply())
        ok(lab["app"].woken())


def test_a_call_that_was_answered_in_time_is_not_answered_again() -> None:
    lab = pair()
    fs, app = lab["fs"], lab["app"]
    app.call("fs", timeout=1)
    ok(fs.recv())
    ok(fs.reply(b"in time"))
    assert app.woken().body == b"in time"
    app.call("fs")
    lab.pass_time(5)
    assert app.blocked


def test_a_new_limit_is_not_cut_short_by_an_old_one() -> None:
    lab = pair()
    fs, app = lab["fs"], lab["app"]
    app.call("fs", timeout=1)
    ok(fs.recv())
    ok(fs.reply())
    app.woken()
    app.call("fs", timeout=10)
    lab.pass_time(2)
    assert app.blocked
    lab.pass_time(8)
    assert app.woken().status == Status.TIMED_OUT


def test_those_whose_time_is_over_are_told_in_the_order_of_their_limits() -> None:
    lab = Lab({name: {} for name in ("a", "b", "c")})
    for name, seconds in (("a", 3), ("b", 1), ("c", 2)):
        lab[name].syscall(Sys.SLEEP, timeout=seconds)
    lab.now = 10 * SECOND
    lab.step(Deadline(lab.now))
    assert [effect.tcb for effect in lab.effects] == [lab[n].number for n in ("b", "c", "a")]


def test_a_receive_and_a_park_may_be_limited_too() -> None:
    lab = Lab({"fs": {"serves": "endpoint", "threads": 2}})
    assert lab["fs"].recv(timeout=1) is None
    assert lab["fs.1"].syscall(Sys.PARK, timeout=1) is None
    lab.pass_time(1)
    assert lab["fs"].woken().status == Status.TIMED_OUT
    assert lab["fs.1"].woken().status == Status.TIMED_OUT
    assert ok(lab["fs"].nb_recv()).nothing


def test_the_limit_of_a_dead_pd_concerns_nobody() -> None:
    lab = pair()
    app = lab["app"]
    app.call("fs", timeout=1)
    lab.die("app")
    lab.pass_time(2)
    assert app.blocked


def test_a_limit_on_a_call_that_is_answered_at_once_is_nothing() -> None:
    lab = pair()
    refused(Status.NEVER_EXISTED, lab["app"].call, 300, timeout=1)
    assert lab.k.next_deadline is None


class Owner:
    deadline: int | None = None


def test_stale_entries_do_not_pile_up() -> None:
    deadlines, owner = Deadlines(), Owner()
    for when in range(10_000):
        deadlines.set(owner, when, live=1)
    assert deadlines.next is not None
    assert len(deadlines.heap) <= 66
    assert deadlines.expired(9_998) == []
    assert deadlines.expired(9_999) == [owner]
    assert deadlines.expired(10**9) == []


def test_a_cleared_deadline_never_expires() -> None:
    deadlines, owner = Deadlines(), Owner()
    deadlines.set(owner, 5, live=1)
    owner.deadline = None
    assert deadlines.expired(5) == []
    assert deadlines.next is None
