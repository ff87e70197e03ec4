"""The kernel is a function: the same events give the same effects and the same state."""

import msgpack

from caplab.kernel.abi import ObjectType
from caplab.kernel.core.effects import Resume
from caplab.kernel.core.events import EVENT_TYPES, Event, Interrupt
from caplab.kernel.core.kernel import Kernel
from caplab.kernel.root.task import RootTask
from lab import Lab, ok, pair


def busy() -> Lab:
    """A system in which much has happened: calls, transfers, time, devices, deaths."""
    lab = Lab(
        {
            "fs": {"serves": "endpoint", "threads": 2},
            "app": {"uses": {"fs": "fs"}, "devices": ["uart0"]},
            "boss": {"uses": {"fs": "fs"}, "rdes": ["pd"], "manages": ["app"]},
        },
        uarts=["uart0"],
    )
    fs, app, boss = lab["fs"], lab["app"], lab["boss"]
    app.alloc(ObjectType.FRAME, 20)
    app.call("fs", b"page", caps=[20])
    ok(fs.recv(slot=40))
    ok(fs.save_caller(41))
    boss.call("fs", timeout=1)
    lab.pass_time(1)
    boss.woken()
    child = boss.create("child", 30, threads=2)
    boss.alloc(ObjectType.ENDPOINT, 31)
    ok(boss.pd_call("install", 30, caps=[31], name="in", rights=15, badge=None))
    child.recv("in")
    for slot in range(100, 400):
        ok(boss.copy(31, slot))
    ok(boss.pd_call("suspend", "pd:app"))
    ok(fs.send(41, b"mapped"))
    ok(boss.pd_call("resume", "pd:app"))
    app.woken()
    ok(app.invoke("device_claim", "uart0", slot=21))
    lab.step(Interrupt(lab.now, 0))
    lab.ask("kill", pd="child")
    lab.die("child")
    boss.revoke(31)
    lab.exited("boss", 0)
    return lab


def replayed(events: list[Event]) -> tuple[Kernel, list[list[object]]]:
    k = Kernel(RootTask())
    return k, [list(k.step(event)) for event in events]


def test_the_same_events_give_the_same_effects_and_state() -> None:
    lab = busy()
    again, effects = replayed(lab.events)
    assert [effect for step in effects for effect in step] == lab.all_effects
    assert again.state_hash() == lab.k.state_hash()
    assert again.next_deadline == lab.k.next_deadline


def test_events_survive_being_recorded() -> None:
    """Plain numbers, strings, bytes, lists and maps: a record can hold them."""
    lab = busy()
    kinds = {kind.__name__: kind for kind in EVENT_TYPES}
    packed = [msgpack.packb([type(event).__name__, *event]) for event in lab.events]
    events = []
    for record in packed:
        name, *fields = msgpack.unpackb(record)
        events.append(kinds[name](*fields))
    again, _ = replayed(events)
    assert again.state_hash() == lab.k.state_hash()


def test_the_hash_is_the_same_at_every_event() -> None:
    lab = busy()
    one, two = Kernel(RootTask()), Kernel(RootTask())
    for event in lab.events:
        one.step(event)
        two.step(event)
        assert one.state_hash() == two.state_hash()


def test_two_kernels_in_one_process_know_nothing_of_each_other() -> None:
    one, two = pair(), pair()
    before = two.k.state_hash()
    assert one.k.state_hash() == before
    one["app"].call("fs")
    one.die("fs")
    assert two.k.state_hash() == before
    two["fs"].recv()
    assert two.k.state_hash() != before


def test_statistics_are_not_part_of_the_state() -> None:
    lab = pair()
    before = lab.k.state_hash()
    ok(lab["app"].nb_send("fs"))
    lab.now += 10**9
    ok(lab["app"].nb_send("fs"))
    assert lab["app"].tcb.calls == 2
    assert lab.k.state_hash() == before


def test_what_changes_shows_in_the_hash() -> None:
    lab = pair()
    app = lab["app"]
    seen = {lab.k.state_hash()}
    app.alloc(ObjectType.ENDPOINT, 20)
    seen.add(lab.k.state_hash())
    ok(app.copy(20, 21))
    seen.add(lab.k.state_hash())
    ok(app.delete(21))
    app.call("fs")
    seen.add(lab.k.state_hash())
    ok(lab["fs"].recv())
    seen.add(lab.k.state_hash())
    ok(lab["fs"].save_caller(20))
    seen.add(lab.k.state_hash())
    assert len(seen) == 6
    assert all(one.startswith("sha256:") for one in seen)


def test_every_answer_goes_to_a_thread_that_was_waiting_for_one() -> None:
    """At most one message is ever owed to a thread."""
    lab = busy()
    owed: dict[int, int] = {}
    k = Kernel(RootTask())
    for event in lab.events:
        if type(event).__name__ == "Syscall":
            owed[event.tcb] = owed.get(event.tcb, 0) + 1  # type: ignore[union-attr]
            assert owed[event.tcb] == 1  # type: ignore[union-attr]
        for effect in k.step(event):
            if isinstance(effect, Resume):
                owed[effect.tcb] -= 1
                assert owed[effect.tcb] == 0
