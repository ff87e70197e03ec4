"""The tracer between a pure kernel and the test: what a line says, and that it only looks."""

from typing import Any

import pytest

from caplab.kernel.abi import SLOT_CNODE, SLOT_TCB, ObjectType, Status, Sys
from caplab.kernel.core.cap import guard_word
from caplab.kernel.core.events import Exited, Interrupt, Syscall
from caplab.kernel.host import trace
from caplab.kernel.host.trace import Tracer
from lab import SECOND, Lab, encode, ok, pair, trio


class Traced:
    """A lab whose every step goes through a tracer."""

    def __init__(self, lab: Lab, *, begin: bool = True) -> None:
        self.lab = lab
        self.rung = 0
        self.tracer = Tracer(lab.k, lab.k.step, self._ring)
        if begin:
            self.begin()

    def begin(self) -> None:
        self.tracer.begin()
        self.lab.k.step = self.tracer.step  # type: ignore[method-assign]

    def _ring(self) -> None:
        self.rung += 1

    def lines(self) -> list[dict[str, Any]]:
        lines, lost = self.tracer.take()
        assert lost == 0
        return lines

    def line(self) -> dict[str, Any]:
        (line,) = self.lines()
        return line


def test_a_call_is_a_line_once_it_is_answered() -> None:
    traced = Traced(pair())
    lab = traced.lab
    fs, app = lab["fs"], lab["app"]
    app.alloc(ObjectType.ENDPOINT, 20)
    traced.lines()
    asked = lab.now
    app.call("fs", b"open", label=7, caps=[20])
    assert traced.lines() == []
    lab.now += SECOND
    ok(fs.recv(slot=21))
    received = traced.line()
    lab.now += SECOND
    ok(fs.reply(b"done"))
    call, reply = sorted(traced.lines(), key=lambda line: line["call"])
    time = call.pop("time")
    assert received["time"] - time == pytest.approx(1)
    assert time == pytest.approx((asked + traced.tracer._epoch) / 1e9)
    assert call == {
        "pd": "app",
        "generation": 0,
        "tcb": "app",
        "call": "Call",
        "cptr": app.slot("fs"),
        "target": "endpoint fs/gen0",
        "label": 7,
        "invocation": None,
        "bytes": 4,
        "caps": 1,
        "status": "OK",
        "nothing": False,
        "seconds": 2.0,
        "by": "fs/gen0",
        "waits": False,
    }
    assert (received["call"], received["by"], received["seconds"]) == ("Recv", "kernel", 0.0)
    assert (reply["call"], reply["target"], reply["cptr"]) == ("Reply", "reply app/gen0", None)
    assert reply["by"] == "kernel"


def test_who_wakes_a_receiver_has_answered_it() -> None:
    traced = Traced(pair())
    fs, app = traced.lab["fs"], traced.lab["app"]
    fs.recv()
    app.call("fs")
    line = traced.line()
    assert (line["pd"], line["call"], line["by"]) == ("fs", "Recv", "app/gen0")
    assert fs.woken().status == Status.OK


def test_an_invocation_is_named_and_so_is_its_refusal() -> None:
    traced = Traced(Lab({"app": {}}))
    app = traced.lab["app"]
    assert app.copy(99, 20) is not None
    line = traced.line()
    assert (line["target"], line["invocation"]) == ("cnode app/gen0", "CNODE_COPY")
    assert (line["status"], line["by"]) == ("FAILED_LOOKUP", "kernel")


def test_calls_are_named_as_sel4_names_them() -> None:
    traced = Traced(pair())
    fs, app = traced.lab["fs"], traced.lab["app"]
    fs.nb_recv()
    app.nb_send("fs")
    app.syscall(Sys.YIELD)
    app.syscall(Sys.REPLY)
    receive, send, rest, reply = traced.lines()
    assert (receive["call"], receive["nothing"]) == ("NBRecv", True)
    assert (send["call"], send["nothing"]) == ("NBSend", True)
    assert (rest["call"], rest["cptr"], rest["target"]) == ("Yield", None, None)
    assert (reply["call"], reply["target"]) == ("Reply", None)


def test_an_empty_slot_and_a_call_nobody_knows_are_lines_too() -> None:
    traced = Traced(pair())
    app = traced.lab["app"]
    app.call(77)
    line = traced.line()
    assert (line["cptr"], line["target"], line["status"]) == (77, None, "NEVER_EXISTED")
    app.send_frame(encode(200, 5))  # type: ignore[arg-type]
    traced.lab.die("app")  # nobody handles its fault
    line = traced.line()
    assert (line["call"], line["cptr"], line["status"]) == ("200", 5, None)


def test_a_pointer_of_several_levels_is_followed() -> None:
    traced = Traced(pair())
    fs, app = traced.lab["fs"], traced.lab["app"]
    made = {"type": int(ObjectType.CNODE), "size_bits": 4, "num_objects": 1}
    where = {"node_index": 0, "node_depth": 0, "node_offset": 20}
    ok(app.invoke("untyped_retype", "untyped", caps=[SLOT_CNODE], **made, **where))
    copy = {"dest_index": 3, "dest_depth": 4, "src_index": app.slot("fs"), "src_depth": 64}
    ok(app.invoke("cnode_copy", 20, caps=[SLOT_CNODE], rights=15, **copy))
    words = {"fault_ep": 0, "cspace_root_data": guard_word(0, 60), "vspace_root_data": 0}
    ok(app.invoke("tcb_set_space", SLOT_TCB, caps=[20, SLOT_CNODE], **words))
    fs.recv()
    traced.lines()
    app.send(3)
    line = next(line for line in traced.lines() if line["pd"] == "app")
    assert (line["cptr"], line["target"]) == (3, "endpoint fs/gen0")


def test_time_an_operator_and_an_interrupt_may_answer() -> None:
    lab = Lab({"app": {"devices": ["uart0"]}}, uarts=["uart0"])
    app = lab["app"]
    app.alloc(ObjectType.NOTIFICATION, 20)
    ok(app.invoke("device_claim", "uart0", slot=21))
    ok(app.invoke("irq_set_notification", 21, caps=[20]))
    ok(app.invoke("irq_ack", 21))
    traced = Traced(lab)
    app.wait(20, timeout=1)
    lab.pass_time(1)
    line = traced.line()
    assert (line["status"], line["by"], line["seconds"]) == ("TIMED_OUT", "clock", 1.0)
    app.woken()
    app.wait(20)
    lab.step(Interrupt(lab.now, 0))
    assert traced.line()["by"] == "interrupt"
    app.woken()
    app.wait(20)
    lab.operator("crash", pd="app", how="hang")
    line = traced.line()
    assert (line["status"], line["by"]) == ("CRASH", "operator")


def test_a_death_answers_the_callers_and_ends_the_calls_of_the_dead() -> None:
    traced = Traced(trio())
    lab = traced.lab
    fs, app, web = lab["fs"], lab["app"], lab["web"]
    app.call("fs")
    ok(fs.recv())
    web.call("fs")
    fs.alloc(ObjectType.NOTIFICATION, 20)
    fs.wait(20)
    traced.lines()
    lab.die("fs")
    lines = {line["pd"]: line for line in traced.lines()}
    assert (lines["app"]["status"], lines["app"]["by"]) == ("DIED_AFTER_RECV", "fs/gen0")
    assert (lines["web"]["status"], lines["web"]["by"]) == ("DIED_BEFORE_RECV", "fs/gen0")
    assert (lines["fs"]["status"], lines["fs"]["by"]) == (None, "nobody")
    lab.step(Exited(lab.now, 99, 0))
    assert traced.lines() == []


def test_a_call_made_before_the_trace_began_has_no_time() -> None:
    traced = Traced(pair(), begin=False)
    fs, app = traced.lab["fs"], traced.lab["app"]
    app.call("fs", b"open", label=7)
    traced.begin()
    ok(fs.recv())
    traced.lines()
    ok(fs.reply())
    line = next(line for line in traced.lines() if line["pd"] == "app")
    assert (line["time"], line["seconds"], line["by"]) == (None, None, "fs/gen0")
    assert (line["call"], line["label"], line["bytes"]) == ("Call", 7, 4)


def test_a_second_call_at_once_takes_nothing_from_the_first() -> None:
    traced = Traced(pair())
    lab = traced.lab
    app = lab["app"]
    app.call("fs", label=7)
    lab.step(Syscall(lab.now, app.number, encode(Sys.YIELD, label=9)))
    lab.die("app")
    line = traced.line()
    assert (line["call"], line["label"], line["by"]) == ("Call", 7, "nobody")


def test_garbage_and_calls_of_nobody_are_no_lines() -> None:
    traced = Traced(pair())
    lab = traced.lab
    app = lab["app"]
    for frame in (b"", b"x", encode(Sys.CALL, 1)[:-1]):
        lab.step(Syscall(lab.now, app.number, frame))
    lab.step(Syscall(lab.now, 999, encode(Sys.YIELD)))
    assert traced.lines() == []


def test_tracing_changes_nothing_of_what_the_kernel_does() -> None:
    plain, traced = pair(), pair()
    Traced(traced)
    for lab in (plain, traced):
        fs, app = lab["fs"], lab["app"]
        app.call("fs", b"one")
        ok(fs.recv())
        ok(fs.save_caller(20))
        ok(fs.send(20, b"two"))
        app.woken()
        app.call("fs")
        lab.die("fs")
    assert traced.k.state_hash() == plain.k.state_hash()
    assert traced.all_effects == plain.all_effects


# -- lines on their way ----------------------------------------------------------------------------


def test_it_rings_once_until_the_lines_are_taken() -> None:
    traced = Traced(pair())
    app = traced.lab["app"]
    for _ in range(3):
        app.syscall(Sys.YIELD)
    assert traced.rung == 1
    assert len(traced.lines()) == 3
    app.syscall(Sys.YIELD)
    assert traced.rung == 2


def test_lines_nobody_takes_are_lost_and_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "LINES_MAX", 4)
    traced = Traced(pair())
    app = traced.lab["app"]
    for _ in range(10):
        app.syscall(Sys.YIELD)
    lines, lost = traced.tracer.take()
    assert (len(lines), lost) == (4, 6)
    app.syscall(Sys.YIELD)
    lines, lost = traced.tracer.take()
    assert (len(lines), lost) == (1, 0)


def test_what_is_remembered_are_calls_without_their_answers() -> None:
    traced = Traced(trio(), begin=False)
    lab = traced.lab
    fs, app, web = lab["fs"], lab["app"], lab["web"]
    app.syscall(Sys.YIELD)
    app.call("fs", b"open")
    web.call("fs")
    ok(fs.recv())
    lab.step(Syscall(lab.now, 999, b""))
    lines = traced.tracer.remembered(lab.events, ())
    told = [(line["pd"], line["call"], line["waits"]) for line in lines]
    assert told == [
        ("app", "Yield", False),
        ("app", "Call", True),
        ("web", "Call", True),
        ("fs", "Recv", False),
    ]
    assert all(line["status"] is line["seconds"] is line["by"] is None for line in lines)
    assert lines[1]["target"] == "endpoint fs/gen0"
    only = traced.tracer.remembered(lab.events, ["web"])
    assert [line["pd"] for line in only] == ["web"]
