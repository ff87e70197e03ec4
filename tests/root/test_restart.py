"""Restart: generations, the same slots, renewal counts, back-off and its bound."""

from typing import Any

import pytest

from caplab.kernel.abi import Inv, ObjectType, Status
from caplab.kernel.core.effects import Spawn
from caplab.kernel.core.events import Started
from caplab.kernel.root import restart
from lab import Lab, Thread, ok
from spaces import ask, bury, given, gpicl, made, rdes, work


def pair(policy: Any = "on-failure", **more: Any) -> Lab:
    """A server that is restarted, and its client and manager."""
    return Lab(
        {
            "fs": {"serves": "endpoint", "restart": policy, **more},
            "app": {"uses": {"disk": "fs"}, "manages": ["fs"], "faults": "fs"},
        }
    )


def spaced(policy: Any = "on-failure") -> Lab:
    return Lab(
        {
            "lot": {"serves": {"space": "LOT"}, "restart": policy, "rdes": ["resspc"]},
            "car": {"uses": {"lot": "lot"}},
        }
    )


def started(lab: Lab, name: str) -> Thread:
    """The process of a new generation runs."""
    pd = lab.pd(name)
    lab.step(Started(lab.now, pd.number, 1000 + pd.number))
    return lab[name]


def served(lab: Lab, server: Thread, client: Thread, cptr: Any = "disk") -> bool:
    """Does a call get through?"""
    assert client.call(cptr, b"x") is None
    ok(server.recv())
    ok(server.reply(b"y"))
    return client.woken().body == b"y"


def test_a_server_that_died_comes_back_in_the_same_slot() -> None:
    lab = pair()
    app = lab["app"]
    slot = app.slot("disk")
    old = lab.pd("fs")
    lab.die("fs")
    assert lab.pd("fs") is old
    lab.pass_time(0.5)
    new = lab.pd("fs")
    assert (new.generation, new.number) == (1, 3)
    assert [effect.spec["generation"] for effect in lab.of(Spawn)] == [1]
    assert app.slot("disk") == slot
    assert served(lab, started(lab, "fs"), app, slot)


def test_during_back_off_calls_say_that_it_died_before_it_received() -> None:
    lab = pair()
    app = lab["app"]
    app.call("disk")
    lab.die("fs")
    assert app.woken().status == Status.DIED_BEFORE_RECV
    answer = app.call("disk")
    assert answer is not None
    assert (answer.status, answer.blames, answer.death[1]) == (Status.DIED_BEFORE_RECV, "fs", 0)


def test_an_object_of_the_old_generation_is_refused_and_a_pointer_is_not() -> None:
    lab = pair()
    app = lab["app"]
    assert ok(app.pd_call("lookup", name="disk")).map["renewal"] == 0
    lab.die("fs")
    lab.pass_time(1)
    fs = started(lab, "fs")
    for renewal, blamed in ((0, "fs"), (2, "")):
        answer = app.call("disk", renewal=renewal)
        assert answer is not None
        assert (answer.status, answer.blames) == (Status.DIED_BEFORE_RECV, blamed)
        assert answer.death[1] == 0
    answer = app.call("pd:fs", label=int(Inv.PD_INFO), renewal=0)
    assert answer is not None
    assert (answer.status, answer.blames) == (Status.DIED_BEFORE_RECV, "fs")
    assert ok(app.pd_call("lookup", name="disk")).map["renewal"] == 1
    app.call("disk", renewal=1)
    ok(fs.recv())
    ok(fs.reply())
    app.woken()
    assert served(lab, fs, app)


def test_the_generation_that_died_is_named_generation_after_generation() -> None:
    lab = pair({"policy": "always", "backoff": 0.1, "max": 9})
    app = lab["app"]
    for generation in range(4):
        app.call("disk")
        lab.die("fs")
        assert app.woken().death[1] == generation
        lab.pass_time(60)
        started(lab, "fs")
    assert lab.pd("fs").generation == 4
    for renewal in range(4):  # and to an object by the renewal it was bound to
        answer = app.call("disk", renewal=renewal)
        assert answer is not None
        assert (answer.blames, answer.death[1]) == ("fs", renewal)


def test_back_off_doubles_and_has_an_end() -> None:
    lab = pair({"policy": "on-failure", "backoff": 1.0, "max": 3})
    for delay in (1, 2, 4):
        lab.die("fs")
        lab.pass_time(delay - 0.01)
        assert lab.pd("fs").again is not None
        lab.pass_time(0.02)
        assert lab.pd("fs").again is None
        started(lab, "fs")
    lab.die("fs")
    lab.pass_time(1000)
    assert lab.pd("fs").state == "dead"
    assert "restarted 3 times, and no more" in lab.ps("fs")["reason"]


def test_a_restart_waits_a_minute_at_most() -> None:
    lab = pair({"policy": "always", "backoff": 50, "max": 9})
    for _ in range(3):
        lab.die("fs")
        lab.pass_time(restart.LONGEST)
        started(lab, "fs")
    assert lab.pd("fs").generation == 3


@pytest.mark.parametrize(
    ("policy", "status", "again"),
    [
        ("no", 9, False),
        (None, 9, False),
        ("on-failure", 0, False),
        ("on-failure", 256, True),
        ("on-failure", 9, True),
        ("always", 0, True),
        ("always", 9, True),
        ({"policy": "on-failure", "max": 0}, 9, False),
    ],
)
def test_the_policy_says_who_comes_back(policy: Any, status: int, again: bool) -> None:
    lab = pair(policy)
    lab.die("fs", status)
    lab.pass_time(100)
    assert lab.pd("fs").alive == again


def test_an_operators_kill_is_a_failure_and_its_report_says_that_a_restart_follows() -> None:
    lab = pair()
    request = lab.ask("kill", pd="fs")
    lab.die("fs")
    actions = lab.answers[request]["actions"]
    assert actions[-1] == {"action": "restart", "target": "fs", "generation": 1, "seconds": 0.5}


def test_a_restarted_server_has_a_new_space_and_its_users_the_rde_in_the_same_slot() -> None:
    lab = spaced()
    lot, car = lab["lot"], lab["car"]
    rde = car.slot("lot")
    place = given(lot, made(lot), car)
    lab.die("lot")
    answer = car.call("lot")
    assert answer is not None
    assert answer.status == Status.DIED_BEFORE_RECV
    assert car.cap(rde) is not None  # the dead one, until it is renewed
    lab.pass_time(1)
    new = started(lab, "lot")
    assert ok(ask(new, "info")).map["space"] == 17
    assert rdes(car) == {"LOT": rde}
    assert served(lab, new, car, "lot")
    gone = car.call(place)
    assert gone is not None
    assert (gone.status, gone.blames) == (Status.DIED_BEFORE_RECV, "lot")
    assert given(new, made(new), car)


def test_a_slot_that_its_pd_put_to_another_use_is_left_alone() -> None:
    lab = pair()
    app = lab["app"]
    slot = app.slot("disk")
    ok(app.delete("disk"))
    lab.die("fs")
    lab.pass_time(1)
    assert app.cap(slot) is None
    lab = pair()
    app = lab["app"]
    app.alloc(ObjectType.ENDPOINT, 20)
    ok(app.delete("disk"))
    ok(app.move(20, slot))
    lab.die("fs")
    lab.pass_time(1)
    assert app.cap(slot).obj.owner is app.pd


def test_managers_and_those_whose_faults_it_handles_get_the_new_one() -> None:
    lab = pair()
    app = lab["app"]
    slot = app.slot("pd:fs")
    lab.die("fs")
    lab.pass_time(1)
    fs = started(lab, "fs")
    assert ok(app.pd_call("info", slot)).map["generation"] == 1
    assert app.call(99) is None  # its fault goes to the new generation
    assert ok(fs.recv()).label == 1


def test_a_client_that_comes_back_uses_what_it_used() -> None:
    lab = Lab(
        {
            "fs": {"serves": "endpoint"},
            "app": {
                "uses": {"disk": "fs"},
                "restart": "always",
                "rdes": ["pd"],
                "manages": ["fs"],
                "arms": None,
            },
        }
    )
    old = lab["app"].slot("disk")
    lab.die("app", 0)
    lab.pass_time(1)
    app = started(lab, "app")
    assert app.slot("disk") == old
    assert app.cap("rde:pd").type == ObjectType.SERVICE
    assert served(lab, lab["fs"], app)


def test_a_client_that_comes_back_while_its_server_is_dead_is_told_so() -> None:
    lab = Lab(
        {
            "fs": {"serves": "endpoint", "restart": {"policy": "always", "backoff": 9}},
            "app": {"uses": {"disk": "fs"}, "restart": "always"},
        }
    )
    lab.die("fs")
    lab.die("app")
    lab.pass_time(1)
    app = started(lab, "app")
    answer = app.call("disk")
    assert answer is not None
    assert (answer.status, answer.blames) == (Status.DIED_BEFORE_RECV, "fs")
    lab.pass_time(9)
    assert served(lab, started(lab, "fs"), app)
    assert app.pd.cspace.slots[app.slot("disk")].renewals == 1


def test_an_operator_restarts_a_live_pd_politely() -> None:
    lab = pair("no")
    fs = lab["fs"]
    fs.recv()
    request = lab.ask("restart", pd="fs")
    assert fs.woken().status == Status.STOP
    lab.die("fs", 0)
    answer = lab.answers[request]
    assert (answer["restarted"], answer["pd"]) == (1, "fs")
    assert lab.pd("fs").generation == 1
    assert lab.pd("fs").restarts == 0
    assert served(lab, started(lab, "fs"), lab["app"])


def test_an_operator_restarts_a_dead_pd_at_once() -> None:
    lab = pair("no")
    lab.die("fs")
    assert lab.operator("restart", pd="fs")["restarted"] == 1
    lab = pair({"policy": "always", "backoff": 10})
    lab.die("fs")
    assert lab.operator("restart", pd="fs")["restarted"] == 1
    lab.pass_time(100)
    assert lab.pd("fs").generation == 1


def test_who_does_not_stop_is_killed_and_restarted() -> None:
    lab = pair("no")
    request = lab.ask("restart", pd="fs")
    lab.pass_time(2.1)
    assert lab.pd("fs").doomed is not None
    lab.die("fs")
    assert lab.answers[request]["restarted"] == 1


def test_what_cannot_be_restarted() -> None:
    lab = Lab({"boss": {"rdes": ["pd"]}})
    boss = lab["boss"]
    boss.create("child", 30)
    for _ in range(2):
        found = lab.operator("restart", pd="child")["error"]
        assert found["code"] == "no-restart"
        assert "boss" in found["message"]
    assert lab.operator("restart", pd="none")["error"]["code"] == "no-such-pd"
    lab.ask("down")
    assert lab.operator("restart", pd="boss")["error"]["code"] == "no-restart"


def test_numbers_of_pds_have_an_end() -> None:
    lab = Lab({"boss": {"rdes": ["pd"]}, "app": {"restart": "always"}})
    lab.k.numbers["pd"] = 0xFFFF
    lab.die("app")
    lab.pass_time(10)
    assert lab.pd("app").state == "dead"
    assert "65535" in lab.operator("restart", pd="app")["error"]["message"]
    answer = lab["boss"].invoke("pd_create", "rde:pd", name="x", run="x", receive=30)
    assert answer is not None
    assert answer.status == Status.NOT_ENOUGH_MEMORY


def test_going_down_restarts_nobody() -> None:
    lab = pair("always")
    lab.die("fs")
    lab.ask("down")
    lab.die("app", 0)
    lab.pass_time(100)
    assert lab.k.finished
    assert lab.pd("fs").generation == 0


def test_who_waits_for_the_end_waits_for_restarts() -> None:
    lab = Lab({"app": {"restart": "on-failure"}})
    request = lab.ask("wait")
    lab.die("app")
    assert request not in lab.answers
    lab.pass_time(1)
    started(lab, "app")
    lab.die("app", 0)
    assert lab.answers[request]["finished"]


def test_who_waits_for_servers_waits_for_those_that_come_back() -> None:
    lab = pair("always")
    request = lab.ask("ready")
    lab.die("fs")
    assert request not in lab.answers
    lab.pass_time(1)
    started(lab, "fs").recv()
    assert lab.answers[request]["ready"]


def test_who_dies_of_another_comes_back_too() -> None:
    again = {"policy": "on-failure", "backoff": 0.5, "max": 5}
    lab = gpicl(cleanup={"pd_depth": 1})
    for name in ("block", "file"):
        lab.pd(name).spec["restart"] = again
    lab.ask("kill", pd="block")
    bury(lab)
    lab.pass_time(1)
    block, file = started(lab, "block"), started(lab, "file")
    assert (block.pd.generation, file.pd.generation) == (1, 1)
    assert served(lab, block, file, "block")
    assert served(lab, file, lab["db"], "file")


def test_a_space_of_a_server_that_is_not_restarted_leaves_empty_slots() -> None:
    lab = spaced("no")
    car = lab["car"]
    lab.die("lot")
    assert car.cap("lot") is None


def test_an_arm_fires_in_the_first_generation_only() -> None:
    lab = Lab(
        {"app": {"restart": "always"}},
        arms=[{"pd": "app", "action": "kill", "how": "9", "after": 2}],
    )
    lab.die("app")
    lab.pass_time(1)
    app = started(lab, "app")
    for _ in range(3):
        ok(app.pd_call("lookup"))


def test_a_client_that_comes_back_to_a_server_without_its_space_is_told_so() -> None:
    lab = Lab(
        {
            "lot": {"serves": {"space": "LOT"}},
            "car": {"uses": {"lot": "lot"}, "restart": "always"},
        }
    )
    ok(ask(lab["lot"], "destroy"))
    lab.die("car")
    lab.pass_time(1)
    answer = started(lab, "car").call("lot")
    assert answer is not None
    assert (answer.status, answer.blames) == (Status.REVOKED, "lot")
    work(lab["lot"])
    ok(lab["car"].delete("lot"))
    assert work(lab["lot"]) == []  # nothing it ever knew is gone
