"""How a PD ended, in one word and one reason; and what its end means for others."""

import pytest

from caplab.kernel.abi import SLOT_CNODE, SLOT_PD, SLOT_TCB, FaultLabel, ObjectType, Status, Sys
from caplab.kernel.root.death import signal_name, signal_number
from lab import Lab, ok, pair, refused


@pytest.mark.parametrize(
    ("status", "state", "reason", "code"),
    [
        (0, "exited", "", 0),
        (1 << 8, "exited", "exit code 1", 1),
        (255 << 8, "exited", "exit code 255", 255),
        (9, "killed", "SIGKILL", 137),
        (15, "killed", "SIGTERM", 143),
        (11, "faulted", "SIGSEGV", 139),
        (11 | 0x80, "faulted", "SIGSEGV", 139),
        (7, "faulted", "SIGBUS", 135),
        (6, "faulted", "SIGABRT", 134),
        (31, "faulted", "SIGSYS", 159),
    ],
)
def test_the_wait_status_says_how_a_pd_ended(
    status: int, state: str, reason: str, code: int
) -> None:
    lab = pair()
    lab.die("app", status)
    row = lab.ps("app")
    assert (row["state"], row["reason"], row["exit_code"]) == (state, reason, code)


def fault(lab: Lab, text: bytes) -> None:
    ok(lab["app"].syscall(Sys.FAULT, 0, text, label=FaultLabel.USER_EXCEPTION))


def test_an_uncaught_exception_is_a_fault_with_its_last_line() -> None:
    lab = pair()
    fault(lab, b"Traceback (most recent call last):\n  ...\nValueError: no such thing\n")
    lab.die("app", 1 << 8)
    row = lab.ps("app")
    assert (row["state"], row["reason"]) == ("faulted", "ValueError: no such thing")


def test_the_first_fault_is_the_reason() -> None:
    lab = pair()
    fault(lab, b"ValueError: first")
    lab["app"].send_frame(b"garbage")
    lab.die("app")
    assert lab.ps("app")["reason"] == "ValueError: first"


@pytest.mark.parametrize(
    ("text", "reason"),
    [(b"", "exception"), (b"\xff\xfe", "\ufffd\ufffd"), (b"x" * 5000, "x" * 300)],
)
def test_an_exception_without_a_readable_text_is_one_too(text: bytes, reason: str) -> None:
    lab = pair()
    fault(lab, text)
    lab.die("app", 1 << 8)
    assert lab.ps("app")["reason"] == reason


def test_signals_have_names_and_numbers() -> None:
    assert signal_name(9) == "SIGKILL"
    assert signal_name(33) == "signal 33"
    assert signal_number("SIGTERM") == signal_number("15") == 15


def test_two_deaths_at_once_each_free_their_own() -> None:
    lab = Lab(
        {
            "a": {"serves": "endpoint", "uses": {"b": "b"}},
            "b": {"serves": "endpoint", "uses": {"a": "a"}},
            "app": {"uses": {"a": "a"}},
        }
    )
    a, b, app = lab["a"], lab["b"], lab["app"]
    app.call("a")
    ok(a.recv())
    a.call("b")
    ok(b.recv())
    lab.exited("b")
    told = a.woken()
    assert (told.status, told.blames) == (Status.DIED_AFTER_RECV, "b")
    lab.exited("a")
    told = app.woken()
    assert (told.status, told.blames) == (Status.DIED_AFTER_RECV, "a")
    lab.work()


def test_a_service_that_calls_its_own_client_may_die_with_it() -> None:
    """A circle of callers is freed from the dead end on."""
    lab = Lab(
        {
            "a": {"serves": "endpoint", "uses": {"b": "b"}},
            "b": {"serves": "endpoint", "uses": {"a": "a"}},
        }
    )
    a, b = lab["a"], lab["b"]
    a.call("b")
    b.call("a")
    lab.exited("a")
    assert b.woken().status == Status.DIED_BEFORE_RECV
    lab.work()
    refused(Status.DIED_BEFORE_RECV, b.call, "a")


def test_a_bound_notification_forgets_its_dead_thread() -> None:
    lab = pair()
    fs, app = lab["fs"], lab["app"]
    app.alloc(ObjectType.NOTIFICATION, 20)
    ok(app.bind(20))
    app.call("fs", caps=[20])
    ok(fs.recv(slot=40))
    lab.die("app")
    ok(fs.signal(40))
    assert ok(fs.poll(40)).notification
    ok(fs.bind(40))


def test_a_notification_outlives_its_maker() -> None:
    lab = pair()
    fs, app = lab["fs"], lab["app"]
    app.alloc(ObjectType.NOTIFICATION, 20)
    app.call("fs", caps=[20])
    ok(fs.recv(slot=40))
    lab.die("app")
    assert fs.wait(40) is None


def test_capabilities_to_the_dead_are_there_and_useless() -> None:
    lab = pair()
    fs, app = lab["fs"], lab["app"]
    for slot, index in ((40, SLOT_TCB), (41, SLOT_CNODE), (42, SLOT_PD)):
        app.call("fs", caps=[index])
        ok(fs.recv(slot=slot))
        ok(fs.reply())
        ok(app.woken())
    lab.die("app")
    refused(Status.ILLEGAL_OPERATION, fs.invoke, "tcb_suspend", 40)
    refused(Status.FAILED_LOOKUP, fs.invoke, "cnode_delete", 41, index=1, depth=64)
    refused(Status.ILLEGAL_OPERATION, fs.pd_call, "kill", 42)
    assert ok(fs.pd_call("info", 42)).map["state"] == "killed"
    for slot in (40, 41, 42):
        ok(fs.delete(slot))


def test_a_new_pd_of_the_old_name_has_another_number() -> None:
    lab = Lab({"boss": {"rdes": ["pd"]}})
    boss = lab["boss"]
    first = boss.create("child", 30).pd
    lab.die("child")
    second = boss.create("child", 31).pd
    assert second.number > first.number
    assert ok(boss.pd_call("info", 30)).map["state"] == "killed"
    assert ok(boss.pd_call("info", 31)).map["state"] == "starting"
    assert first.number not in lab.root.pds
    lab.die("child")
    assert lab.ps("child")["state"] == "killed"


def test_everything_is_as_before_when_a_child_has_come_and_gone() -> None:
    """But for the numbers, which are never reused, the row that `ps` shows, and the page that
    paid for the child's record and will pay for the next."""
    lab = Lab({"boss": {"rdes": ["pd"]}})
    boss = lab["boss"]
    slots = len(lab.root.cspace.slots) + 1
    for _ in range(3):
        child = boss.create("child", 30, serves="endpoint", threads=3)
        child.alloc(ObjectType.FRAME, 20)
        ok(boss.delete(30))
        lab.die("child")
    assert len(lab.root.cspace.slots) == slots
    assert len(lab.root.pds) == 2
    assert len(lab.k.tcbs) == 1
    assert not lab.k.jobs_pending
