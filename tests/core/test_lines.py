"""IRQControl, interrupts by hand, and those that come while a line is masked."""

import pytest

from caplab.kernel.abi import (
    SLOT_CNODE,
    ObjectType,
    Status,
    TimerMode,
)
from caplab.kernel.core.effects import Unmask
from caplab.kernel.core.events import Interrupt
from caplab.kernel.core.invariants import violations
from lab import Lab, ok, refused
from machine_lab import BELL, LINE, PORTS, get, issue, listen, machine, program, rang


def test_a_granted_line_fires_and_is_masked_until_it_is_acknowledged() -> None:
    lab, driver = machine()
    ok(get(driver, 3))
    listen(driver)
    assert lab.of(Unmask) == []  # no cable of the host's to watch
    told = lab.operator("irq", irq=3)
    assert told == {"irq": 3, "pd": "driver", "delivered": True, "pending": False}
    assert rang(driver)
    assert lab.operator("irq", irq=3)["pending"]
    assert lab.operator("irq", irq=3)["pending"]
    assert not rang(driver)
    ok(driver.invoke("irq_ack", LINE))
    assert rang(driver)  # what came meanwhile, once
    ok(driver.invoke("irq_ack", LINE))
    assert not rang(driver)


def test_a_line_is_somebodys_only_once_however_it_is_asked_for() -> None:
    lab, driver = machine()
    rival = lab["rival"]
    ok(get(driver, 3))
    into = {"index": LINE, "depth": 64}
    control = {"caps": [SLOT_CNODE], **into}
    said = refused(Status.REVOKE_FIRST, get, rival, 3)
    assert said.body == b"driver"
    for name, more in (
        ("get_trigger", {"irq": 3, "trigger": 1}),
        ("get_ioapic", {"ioapic": 0, "pin": 1, "level": 0, "polarity": 0, "vector": 3}),
        ("get_msi", {"pci_bus": 0, "pci_dev": 0, "pci_func": 0, "handle": 0, "vector": 3}),
    ):
        call = f"irq_control_{name}"
        refused(Status.REVOKE_FIRST, rival.invoke, call, "irqs", **control, **more)
    ok(driver.delete(LINE))
    ok(get(rival, 3))


def test_the_lines_of_devices_are_lines_as_others() -> None:
    lab, driver = machine()
    ok(get(driver, 16))
    refused(Status.REVOKE_FIRST, lab["rival"].invoke, "device_claim", "timer0", slot=LINE)
    ok(get(driver, 0, 30))
    listen(driver, 30)
    assert lab.of(Unmask) == [Unmask(0)]


@pytest.mark.parametrize(
    ("name", "more", "route"),
    [
        ("get", {"irq": 3}, "simple"),
        ("get_trigger", {"irq": 3, "trigger": 0}, "level"),
        ("get_trigger", {"irq": 3, "trigger": 1}, "edge"),
        (
            "get_ioapic",
            {"ioapic": 0, "pin": 7, "level": 1, "polarity": 1, "vector": 3},
            "ioapic 0 pin 7",
        ),
        (
            "get_msi",
            {"pci_bus": 2, "pci_dev": 31, "pci_func": 7, "handle": 9, "vector": 3},
            "msi 02:1f.7",
        ),
    ],
)
def test_each_way_to_ask_leads_to_the_line(name: str, more: dict[str, int], route: str) -> None:
    lab, driver = machine()
    into = {"index": LINE, "depth": 64}
    ok(driver.invoke(f"irq_control_{name}", "irqs", caps=[SLOT_CNODE], **into, **more))
    row = next(row for row in lab.operator("irq")["irqs"] if row["irq"] == 3)
    assert row == {"irq": 3, "device": "", "pd": "driver", "route": route, "state": "unbound"}


def test_the_handler_goes_where_the_caller_says_or_nowhere() -> None:
    lab, driver = machine()
    driver.alloc(ObjectType.NOTIFICATION, BELL)
    refused(Status.DELETE_FIRST, get, driver, 3, BELL)
    refused(Status.INVALID_ARGUMENT, get, driver, 4)
    refused(Status.RANGE_ERROR, get, driver, 128)
    arguments = {"irq": 3, "index": LINE, "depth": 64}
    refused(Status.TRUNCATED_MESSAGE, driver.invoke, "irq_control_get", "irqs", **arguments)
    refused(Status.FAILED_LOOKUP, driver.invoke, "irq_control_get", "irqs", caps=[99], **arguments)
    assert lab["rival"].cap(LINE) is None


def test_a_line_that_is_sent_on_is_the_receivers() -> None:
    lab, driver = machine()
    ok(get(driver, 3))
    ok(driver.copy(LINE, 30))
    ok(driver.delete(LINE))
    assert lab.operator("irq")["irqs"][1]["pd"] == "driver"
    ok(driver.delete(30))
    assert lab.operator("irq")["irqs"][1]["pd"] == ""


def test_an_operator_is_told_why_a_line_reaches_nobody() -> None:
    lab, driver = machine()

    def error(number: object) -> dict[str, str]:
        found: dict[str, str] = lab.operator("irq", irq=number)["error"]
        return found

    for number in (4, "3", True, 3.0):
        assert error(number)["code"] == "no-such-irq"
    assert "0 (uart0), 3, 16 (timer0), 17 (timer1)" in error(4)["message"]
    assert error(3)["code"] == "irq-free"
    ok(get(driver, 3))
    assert error(3)["code"] == "irq-unbound"
    assert "`driver`" in error(3)["message"]
    assert Lab({"app": {}}).operator("irq", irq=1)["error"]["message"].endswith("there are: none")


def test_the_states_of_a_line_are_told() -> None:
    lab, driver = machine()

    def state() -> str:
        return str(lab.operator("irq")["irqs"][1]["state"])

    assert state() == "free"
    ok(get(driver, 3))
    assert state() == "unbound"
    listen(driver)
    assert state() == "open"
    lab.operator("irq", irq=3)
    assert state() == "masked"
    lab.operator("irq", irq=3)
    assert state() == "pending"


def test_what_came_before_anybody_listened_is_told_who_listens_but_not_his_successor() -> None:
    lab, driver = machine()
    ok(driver.invoke("device_claim", "timer0", slot=LINE))
    ok(driver.invoke("device_ports", "timer0", slot=PORTS))
    program(driver, 1000, TimerMode.ONE_SHOT)
    lab.pass_time(0.01)
    listen(driver)
    assert rang(driver)
    program(driver, 1000, TimerMode.ONE_SHOT)
    lab.pass_time(0.01)
    ok(driver.delete(LINE))
    ok(driver.invoke("device_claim", "timer0", slot=LINE))
    listen(driver)
    assert not rang(driver)


def test_an_interrupt_of_the_hosts_while_an_operators_is_served_is_not_lost() -> None:
    lab, _ = machine()
    rival = lab["rival"]
    ok(rival.invoke("device_claim", "uart0", slot=LINE))
    listen(rival)
    lab.operator("irq", irq=0)
    assert rang(rival)
    lab.step(Interrupt(lab.now, 0))
    assert not rang(rival)
    ok(rival.invoke("irq_ack", LINE))
    assert rang(rival)
    assert lab.of(Unmask) == []
    ok(rival.invoke("irq_ack", LINE))
    assert lab.of(Unmask) == [Unmask(0)]


def test_lines_and_timers_wake_who_waits_under_strict_priorities() -> None:
    lab, driver = machine(scheduler="strict")
    ok(driver.invoke("device_claim", "timer0", slot=LINE))
    ok(driver.invoke("device_ports", "timer0", slot=PORTS))
    listen(driver)
    program(driver, 1000, TimerMode.ONE_SHOT)
    assert driver.wait(BELL) is None
    lab.pass_time(0.01)
    assert driver.woken().notification
    ok(driver.invoke("irq_ack", LINE))
    assert driver.wait(BELL) is None
    assert lab.operator("irq", irq=16)["delivered"]
    assert driver.woken().notification


def test_who_looks_sees_what_a_capability_is_to() -> None:
    lab, driver = machine()
    ok(get(driver, 3))
    ok(issue(driver, 0x3F8, 0x3FF))
    rows = {row["slot"]: row for row in lab.operator("caps", pd="driver", tree=True)["slots"]}
    assert (rows[LINE]["type"], rows[PORTS]["type"]) == ("irq handler", "ioport")
    named = {name: row["type"] for row in rows.values() for name in row["names"]}
    assert (named["irqs"], named["ioports"], named["ranges"]) == (
        *("irq control", "ioport control", "untyped"),
    )


def test_an_invariant_counts_the_capabilities_of_lines_and_ports() -> None:
    lab, driver = machine()
    ok(get(driver, 3))
    ok(issue(driver, 1, 2))
    lab.k.irqs[3].refs += 1
    lab.root.machine.ports.issued[0].refs += 1
    told = violations(lab.k)
    assert [text[:2] for text in told] == ["I6", "I6"]
    lab.k.irqs[3].refs -= 1
    lab.root.machine.ports.issued[0].refs -= 1
