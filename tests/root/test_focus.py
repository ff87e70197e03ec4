"""The operator's `focus`: asked of the server that drives the UART, answered once, with names."""

from typing import Any

import pytest

from caplab.kernel.abi import ObjectType, Rights, Status
from caplab.kernel.root.focus import CLIENTS_MAX, PATIENCE
from lab import Lab, Thread, ok, refused

SERIAL = {"serves": "endpoint", "devices": ["uart0"]}
IRQ = 30


def console(**more: Any) -> tuple[Lab, Thread]:
    """A system with a server that drives uart0 and two clients of it."""
    lab = Lab(
        {
            "serial": SERIAL,
            "hello": {"uses": {"console": "serial"}, "console": {"prefix": True}},
            "shell": {"uses": {"console": "serial"}},
            "other": {},
            **more,
        },
        uarts=["uart0", "uart1"],
    )
    serial = lab["serial"]
    ok(serial.invoke("device_claim", "uart0", slot=IRQ))
    return lab, serial


def asked(serial: Thread) -> dict[str, Any]:
    [item] = ok(serial.pd_call("get_work")).map["items"]
    assert item["kind"] == "focus"
    return dict(item)


def tell(serial: Thread, item: dict[str, Any], *clients: tuple[int, int, int], **more: Any) -> None:
    slot = serial.slot("server")
    rows = [[slot, *client] for client in clients]
    ok(serial.pd_call("finish_work", id=item["id"], rows=rows, **more))


def test_who_has_the_focus_is_told_by_name() -> None:
    lab, serial = console()
    request = lab.ask("focus", uart="uart0", to=None)
    item = asked(serial)
    assert (item["device"], item["numbers"]) == ("uart0", [])
    assert request not in lab.answers
    tell(serial, item, (2, 0, 0), (3, 1, 1))
    assert lab.answers[request] == {
        "uart": "uart0",
        "focus": "shell",
        "clients": [
            {"pd": "hello", "reading": False, "focus": False},
            {"pd": "shell", "reading": True, "focus": True},
        ],
    }
    lab.pass_time(PATIENCE * 2)


def test_nobody_may_have_the_focus() -> None:
    lab, serial = console()
    request = lab.ask("focus", uart="uart0")
    tell(serial, asked(serial))
    assert lab.answers[request] == {"uart": "uart0", "focus": None, "clients": []}


def test_a_pd_is_given_the_focus_by_the_numbers_it_is_known_by() -> None:
    lab, serial = console(both={"uses": {"one": "serial", "two": "serial"}})
    request = lab.ask("focus", uart="uart0", to="both")
    item = asked(serial)
    assert item["numbers"] == [4, 5]
    tell(serial, item, (5, 0, 1))
    assert lab.answers[request]["focus"] == "both"


def test_a_client_that_only_its_parent_knows_goes_by_its_number() -> None:
    lab, serial = console()
    request = lab.ask("focus", uart="uart0", to="client 77")
    item = asked(serial)
    assert item["numbers"] == [77]
    tell(serial, item, (77 | 1 << 32, 1, 1))
    assert lab.answers[request]["focus"] == "client 77"


def test_a_client_that_a_parent_has_installed_goes_by_its_name() -> None:
    lab, serial = console(parent={"rdes": ["pd"], "devices": ["uart1"]})
    parent = lab["parent"]
    parent.create("child", 40)
    ok(parent.invoke("device_claim", "uart1", slot=IRQ))
    ok(parent.retype(ObjectType.ENDPOINT, 41))
    ok(parent.pd_call("install", 40, caps=[41], rights=int(Rights.WRITE), badge=9 | 1 << 34))
    request = lab.ask("focus", uart="uart1", to="child")
    item = asked(parent)
    assert item["numbers"] == [9]
    rows = [[41, 9 | 1 << 34, 0, 1]]
    ok(parent.pd_call("finish_work", id=item["id"], rows=rows))
    assert lab.answers[request]["focus"] == "child"
    assert serial


@pytest.mark.parametrize("uart", ["uart7", None, 3])
def test_a_uart_nobody_knows_is_refused_with_those_there_are(uart: object) -> None:
    lab, _ = console()
    error = lab.operator("focus", uart=uart, to=None)["error"]
    assert error["code"] == "no-uart"
    assert "uart0, uart1" in error["message"]
    assert "none" in Lab({"a": {}}).operator("focus", uart="uart0")["error"]["message"]


def test_a_uart_that_nobody_drives_is_refused() -> None:
    lab, serial = console()
    assert lab.operator("focus", uart="uart1")["error"]["code"] == "no-server"
    ok(serial.delete(IRQ))
    assert lab.operator("focus", uart="uart0")["error"]["code"] == "no-server"


@pytest.mark.parametrize("to", ["disk", 5, "client", "client x", "client ²"])
def test_a_pd_nobody_knows_is_refused(to: object) -> None:
    lab, _ = console()
    error = lab.operator("focus", uart="uart0", to=to)["error"]
    assert error["code"] == "no-such-pd"
    assert "serial, hello, shell, other" in error["message"]


@pytest.mark.parametrize("to", ["other", "hello", "client 99"])
def test_who_is_not_connected_is_refused_with_those_who_are(to: str) -> None:
    lab, serial = console()
    request = lab.ask("focus", uart="uart0", to=to)
    tell(serial, asked(serial), (3, 1, 1))
    error = lab.answers[request]["error"]
    assert error["code"] == "not-a-client"
    assert error["message"] == f"`{to}` is no client of `uart0`; its clients: shell"


def test_a_server_that_does_not_answer_is_busy_and_is_not_asked_any_more() -> None:
    lab, serial = console()
    request = lab.ask("focus", uart="uart0")
    lab.pass_time(PATIENCE)
    assert lab.answers[request]["error"]["code"] == "server-busy"
    assert ok(serial.pd_call("get_work")).map["items"] == []
    late = lab.ask("focus", uart="uart0")
    item = asked(serial)
    lab.pass_time(PATIENCE)
    assert lab.answers[late]["error"]["code"] == "server-busy"
    tell(serial, item, (2, 0, 0))


def test_a_driver_that_knows_of_no_focus_is_said_to() -> None:
    lab, serial = console()
    for rows in (None, [[1, 2]], ["x"], [["a", 2, 0, 0]]):
        request = lab.ask("focus", uart="uart0")
        ok(serial.pd_call("finish_work", id=asked(serial)["id"], rows=rows))
        assert lab.answers[request]["error"]["code"] == "no-server"
    request = lab.ask("focus", uart="uart0")
    asked(serial)
    assert ok(serial.pd_call("get_work")).map["items"] == []
    assert lab.answers[request]["error"]["code"] == "no-server"


def test_clients_may_come_in_several_answers_and_not_without_end() -> None:
    lab, serial = console()
    request = lab.ask("focus", uart="uart0")
    item = asked(serial)
    tell(serial, item, (2, 0, 1), more=1)
    tell(serial, item, (3, 1, 0))
    assert [one["pd"] for one in lab.answers[request]["clients"]] == ["hello", "shell"]
    request = lab.ask("focus", uart="uart0")
    item = asked(serial)
    for _ in range(2):
        tell(serial, item, *[(2, 0, 0)] * (CLIENTS_MAX // 2), more=1)
    tell(serial, item, (3, 0, 0), more=1)
    assert lab.answers[request]["error"]["code"] == "no-server"


def test_a_client_at_an_endpoint_that_is_not_the_servers_has_no_name() -> None:
    lab, serial = console()
    request = lab.ask("focus", uart="uart0")
    ok(serial.pd_call("finish_work", id=asked(serial)["id"], rows=[[99, 2, 0, 1]]))
    assert lab.answers[request]["focus"] == "client 2"


def test_a_server_that_dies_meanwhile_is_said_to_have_ended() -> None:
    lab, serial = console()
    request = lab.ask("focus", uart="uart0")
    asked(serial)
    lab.die("serial")
    assert lab.answers[request]["error"]["code"] == "no-server"
    assert "has ended" in lab.answers[request]["error"]["message"]
    assert lab.operator("focus", uart="uart0")["error"]["code"] == "no-server"


def test_a_server_learns_who_a_badge_was_given_to_and_what_its_manifest_says() -> None:
    lab, serial = console()
    told = ok(serial.pd_call("client", caps=["server"], badge=2)).map
    assert (told["pd"], told["console"]) == ("hello", {"prefix": True})
    told = ok(serial.pd_call("client", caps=["server"], badge=3)).map
    assert (told["pd"], told["console"]) == ("shell", {})
    refused(Status.FAILED_LOOKUP, serial.pd_call, "client", caps=["server"], badge=4)
    ok(lab["shell"].delete("console"))
    refused(Status.FAILED_LOOKUP, serial.pd_call, "client", caps=["server"], badge=3)
    refused(Status.TRUNCATED_MESSAGE, serial.pd_call, "client", badge=2)
    refused(Status.INVALID_ARGUMENT, serial.pd_call, "client", caps=["server"], badge="2")
    refused(Status.FAILED_LOOKUP, serial.pd_call, "client", caps=[99], badge=2)
    refused(Status.INVALID_CAPABILITY, serial.pd_call, "client", caps=[IRQ], badge=2)
    hello = lab["hello"]
    refused(Status.INVALID_CAPABILITY, hello.pd_call, "client", caps=["console"], badge=2)
    boss = Lab({"boss": {"serves": "endpoint", "manages": ["b"]}, "b": {}})["boss"]
    refused(Status.INVALID_CAPABILITY, boss.pd_call, "client", "pd:b", caps=["server"], badge=2)
