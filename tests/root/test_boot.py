"""From the boot specification to PDs: what each finds in its CSpace and by which name."""

from typing import Any

import pytest

from caplab.kernel.abi import (
    ROOT_SLOTS,
    SLOT_CNODE,
    SLOT_FIRST_ROOT,
    SLOT_PD,
    SLOT_TCB,
    SLOT_WORK,
    ObjectType,
    Rights,
    Status,
)
from caplab.kernel.core.effects import Announce, Kill, Spawn
from caplab.kernel.core.events import Started
from caplab.kernel.core.outcome import KernelBug
from caplab.kernel.root.pd import names_given
from lab import Lab, Thread, ok, refused

SYSTEM = {
    "serial": {"serves": "endpoint", "devices": ["uart0"], "threads": 2},
    "hello": {"uses": {"console": "serial"}, "args": {"name": "you"}, "path": ["/code"]},
    "shell": {"uses": {"console": "serial"}, "manages": ["hello"], "rdes": ["pd"]},
}


def booted(**spec: object) -> Lab:
    return Lab(SYSTEM, uarts=["uart0"], **spec)


def test_every_pd_is_spawned_in_the_order_of_the_manifest() -> None:
    lab = booted()
    spawned = [effect for effect in lab.all_effects if isinstance(effect, Spawn)]
    assert [effect.spec["name"] for effect in spawned] == ["serial", "hello", "shell"]
    serial, hello, _ = (effect.spec for effect in spawned)
    assert serial["devices"] == ["uart0"]
    assert len(serial["tcbs"]) == 2
    assert hello["args"] == {"name": "you"}
    assert hello["path"] == ["/code"]
    assert hello["run"] == {"module": "hello"}
    assert hello["generation"] == 0


def test_all_endpoints_exist_before_the_first_spawn() -> None:
    lab = booted(start=False)
    assert all(lab.pd(name).names["console"].slot for name in ("hello", "shell"))


def test_the_fixed_slots_hold_what_the_abi_says() -> None:
    lab = booted()
    hello = lab["hello"]
    assert hello.cap(SLOT_TCB).obj is hello.tcb
    assert hello.cap(SLOT_CNODE).obj is hello.pd.cspace
    assert hello.cap(SLOT_PD).obj is hello.pd
    assert hello.cap(SLOT_WORK).obj is hello.pd.notification
    assert hello.cap(0) is None


def test_what_the_root_task_gives_lies_in_its_own_half() -> None:
    lab = booted()
    for name in ("serial", "hello", "shell"):
        assert all(entry.slot >= SLOT_FIRST_ROOT for entry in lab.pd(name).names.values())


def test_only_the_server_gets_read_on_its_endpoint() -> None:
    lab = booted()
    assert lab["serial"].cap("server").rights & Rights.READ
    for name in ("hello", "shell"):
        assert lab[name].cap("console").rights == (Rights.WRITE | Rights.GRANT | Rights.GRANT_REPLY)


def test_badges_count_up_and_are_never_reused() -> None:
    lab = booted()
    badges = [lab[name].cap("console").badge for name in ("hello", "shell")]
    assert badges == [2, 3]
    lab.die("hello")
    assert lab.pd("serial").next_badge == 4


def who(server: Thread, badge: int) -> dict[str, Any]:
    found = ok(server.pd_call("client", caps=["server"], badge=badge)).map
    return {key: found[key] for key in ("pd", "number", "generation", "which")}


def test_a_server_tells_the_capabilities_and_the_generations_of_a_client_apart() -> None:
    uses = {"console": "serial", "again": "serial"}
    app = {"uses": uses, "restart": {"policy": "always", "backoff": 0, "max": 3}}
    lab = Lab({"serial": {"serves": "endpoint"}, "app": app})
    for generation in range(2):
        number = lab.pd("app").number
        for which, name in enumerate(uses):
            told = who(lab["serial"], lab["app"].cap(name).badge)
            expected = {"pd": "app", "number": number, "generation": generation, "which": which}
            assert told == expected
        lab.die("app")


def test_a_server_is_told_which_pd_lost_a_badge() -> None:
    lab = Lab({"fs": {"serves": "endpoint"}, "app": {"uses": {"fs": "fs"}}})
    fs, app = lab["fs"], lab["app"]
    ok(fs.mint("server", 20, badge=9))
    ok(fs.delete(20))
    lab.die("app")
    items = ok(fs.pd_call("get_work")).map["items"]
    assert [(item["badge"], item["pd"]) for item in items] == [(9, 0), (2, app.pd.number)]


def test_who_looks_an_endpoint_up_learns_which_pd_receives_there() -> None:
    lab = Lab({"fs": {"serves": "endpoint"}, "app": {"uses": {"fs": "fs"}}})
    app = lab["app"]
    assert ok(app.pd_call("lookup", name="fs")).map["pd"] == lab.pd("fs").number
    assert ok(app.pd_call("lookup", name="untyped")).map["pd"] == 0
    lab.die("fs")
    assert ok(app.pd_call("lookup", name="fs")).map["pd"] == 0


def entries(thread: Thread) -> dict[str, dict[str, object]]:
    names: dict[str, dict[str, object]] = ok(thread.pd_call("lookup", name=None)).map["names"]
    return names


def test_a_pd_finds_its_environment_by_name() -> None:
    lab = booted()
    hello, shell, serial = lab["hello"], lab["shell"], lab["serial"]
    found = ok(hello.pd_call("lookup", name="console")).map
    assert found == {
        "slot": hello.slot("console"),
        "type": ObjectType.ENDPOINT,
        "from": "serial",
        "renewal": 0,
        "pd": serial.pd.number,
    }
    assert set(entries(hello)) == {"console", "untyped"}
    assert set(entries(shell)) == {"console", "rde:pd", "pd:hello", "untyped"}
    assert set(entries(serial)) == {"server", "uart0", "tcb.1", "untyped"}
    assert entries(shell)["pd:hello"]["from"] == "hello"
    assert entries(serial)["tcb.1"]["type"] == ObjectType.TCB


def test_a_pd_begins_with_as_many_names_as_there_is_room_for() -> None:
    """`check` refuses more; should they come nevertheless, none is left out in silence."""
    room = ROOT_SLOTS - SLOT_FIRST_ROOT
    many = {f"n{i}": "fs" for i in range(room)}
    pds: dict[str, Any] = {"fs": {"serves": "endpoint"}, "app": {"uses": many, "untyped": 0}}
    lab = Lab(pds)
    assert list(lab.pd("app").names) == list(many)
    pds["app"]["untyped"] = 4096
    with pytest.raises(KernelBug, match="app has no slot left for n511"):
        Lab(pds)


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"threads": 5, "serves": "endpoint", "faults": "fs", "rdes": ["pd", "domain"]},
        {"devices": ["uart0"], "uses": {"a": "fs", "b": "fs"}, "manages": ["fs"]},
        {"untyped": 0},
        {"untyped": 7 << 12},
        {"untyped": (5 << 20) + 4096},
    ],
)
def test_the_names_of_a_pd_are_counted_before_as_they_are_given(spec: dict[str, Any]) -> None:
    lab = Lab({"fs": {"serves": "endpoint"}, "app": spec}, uarts=["uart0"])
    assert len(lab.pd("app").names) == names_given(spec)


def test_a_name_that_is_not_there_is_a_failed_lookup() -> None:
    lab = booted()
    refused(Status.FAILED_LOOKUP, lab["hello"].pd_call, "lookup", name="disk")
    refused(Status.INVALID_ARGUMENT, lab["hello"].pd_call, "lookup", name=3)
    refused(Status.INVALID_CAPABILITY, lab["shell"].pd_call, "lookup", "pd:hello", name=None)


def test_a_managed_pd_may_be_looked_at_and_controlled_but_not_furnished() -> None:
    lab = booted()
    shell = lab["shell"]
    assert shell.cap("pd:hello").rights == Rights.READ | Rights.WRITE
    shell.alloc(ObjectType.ENDPOINT, 20)
    refused(
        Status.INVALID_CAPABILITY,
        shell.pd_call,
        "install",
        "pd:hello",
        caps=[20],
        name=None,
        slot=None,
        rights=15,
        badge=None,
    )


def test_a_pid_is_announced() -> None:
    lab = booted(start=False)
    lab.step(Started(lab.now, 2, 4711))
    (said,) = lab.of(Announce)
    assert (said.body["pd"], said.body["pid"], said.body["state"]) == ("hello", 4711, "starting")
    assert lab.ps("hello")["pid"] == 4711


def test_a_pid_of_nobody_is_nothing() -> None:
    lab = booted()
    assert lab.step(Started(lab.now, 99, 1)) == []


def test_a_pd_killed_before_it_has_a_process_is_killed_when_it_has() -> None:
    lab = booted(start=False)
    lab.ask("kill", pd="hello")
    number = lab.pd("hello").number
    lab.step(Started(lab.now, number, 4711))
    assert lab.of(Kill) == [Kill(number, 9)]


def test_a_pid_that_comes_after_the_death_is_nothing() -> None:
    lab = booted(start=False)
    lab.die("hello")
    assert lab.step(Started(lab.now, lab.pd("hello").number, 4711)) == []
