"""IRQControl, interrupts that come while a line is masked, I/O ports and timers."""

from typing import Any

import pytest

from caplab.kernel.abi import (
    SLOT_CNODE,
    TIMER_CONTROL,
    TIMER_COUNT,
    TIMER_PORT,
    TIMER_PORTS,
    TIMER_RELOAD,
    TIMER_STATUS,
    TIMER_TICKS,
    ObjectType,
    Status,
    TimerMode,
)
from caplab.kernel.core.effects import Unmask
from caplab.kernel.core.events import Interrupt
from lab import Answer, Cptr, Lab, Thread, ok, refused

BELL, LINE, PORTS = 20, 21, 22
SECOND_TIMER = TIMER_PORT + TIMER_PORTS


def machine(**spec: Any) -> tuple[Lab, Thread]:
    """`driver` may have everything there is; `rival` any line, any port, and timer0."""
    pds = {
        "driver": {"devices": ["timer0", "timer1", "irqs", "ioports", "ranges"]},
        "rival": {"devices": ["timer0", "irqs", "ioports", "uart0"]},
    }
    ranges = [{"address": 0x10440000, "size": 0x3000}]
    parts = {"uarts": ["uart0"], "timers": ["timer0", "timer1"], "irqs": [3], "ranges": ranges}
    lab = Lab(pds, **{**parts, **spec})
    return lab, lab["driver"]


def get(thread: Thread, irq: int, slot: int = LINE) -> Answer | None:
    into = {"index": slot, "depth": 64}
    return thread.invoke("irq_control_get", "irqs", caps=[SLOT_CNODE], irq=irq, **into)


def listen(thread: Thread, line: Cptr = LINE) -> None:
    """Let the line signal BELL."""
    if thread.cap(BELL) is None:
        thread.alloc(ObjectType.NOTIFICATION, BELL)
    ok(thread.invoke("irq_set_notification", line, caps=[BELL]))


def rang(thread: Thread) -> bool:
    return not ok(thread.poll(BELL)).nothing


def issue(thread: Thread, first: int, last: int, slot: int = PORTS) -> Answer | None:
    row = {"first_port": first, "last_port": last, "index": slot, "depth": 64}
    return thread.invoke("ioport_control_issue", "ioports", caps=[SLOT_CNODE], **row)


def read(thread: Thread, port: int, width: int = 1) -> int:
    return ok(thread.invoke("ioport_in", PORTS, port=port, width=width)).words[0]


def write(thread: Thread, port: int, data: int, width: int = 1) -> None:
    ok(thread.invoke("ioport_out", PORTS, port=port, width=width, data=data))


def program(thread: Thread, microseconds: int, mode: TimerMode, first: int = TIMER_PORT) -> None:
    write(thread, first + TIMER_RELOAD, microseconds, 4)
    write(thread, first + TIMER_CONTROL, mode)


# -- lines ---------------------------------------------------------------------------------------


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
    assert "0 (uart0), 16 (timer0), 17 (timer1), 3" in error(4)["message"]
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


# -- ports ---------------------------------------------------------------------------------------


def test_ports_are_somebodys_only_once_and_free_again_when_the_capability_is_gone() -> None:
    lab, driver = machine()
    rival = lab["rival"]
    ok(issue(driver, 0x3F8, 0x3FF))
    refused(Status.REVOKE_FIRST, issue, rival, 0x3FF, 0x400)
    ok(issue(rival, 0x400, 0x400))
    ok(driver.copy(PORTS, 30))
    ok(driver.delete(PORTS))
    refused(Status.REVOKE_FIRST, issue, driver, 0x3F8, 0x3F8)
    ok(driver.delete(30))
    ok(issue(driver, 0x3F8, 0x3F8))


def test_rows_of_ports_in_any_order_never_overlap() -> None:
    _, driver = machine()
    for slot, (first, last) in enumerate(((10, 19), (40, 40), (0, 4), (30, 39), (20, 29)), 30):
        ok(issue(driver, first, last, slot))
    for first, last in ((4, 5), (5, 10), (19, 19), (0, 0xFFFF), (25, 26), (40, 50)):
        refused(Status.REVOKE_FIRST, issue, driver, first, last)
    ok(driver.delete(34))
    refused(Status.REVOKE_FIRST, issue, driver, 20, 30)
    ok(issue(driver, 20, 29))
    ok(issue(driver, 5, 9, 34))
    ok(issue(driver, 41, 0xFFFF, 35))


def test_ports_that_are_none_are_refused() -> None:
    _, driver = machine()
    driver.alloc(ObjectType.NOTIFICATION, BELL)
    refused(Status.RANGE_ERROR, issue, driver, 0, 0x10000)
    refused(Status.INVALID_ARGUMENT, issue, driver, 2, 1)
    refused(Status.DELETE_FIRST, issue, driver, 1, 2, BELL)
    row = {"first_port": 1, "last_port": 2, "index": PORTS, "depth": 64}
    refused(Status.TRUNCATED_MESSAGE, driver.invoke, "ioport_control_issue", "ioports", **row)
    ok(issue(driver, 0x10, 0x13))
    for port, width in ((0xF, 1), (0xF, 2), (0x13, 2), (0x10, 8), (0x11, 4), (0x14, 1)):
        status = Status.INVALID_ARGUMENT if width == 8 else Status.ILLEGAL_OPERATION
        refused(status, driver.invoke, "ioport_in", PORTS, port=port, width=width)
        refused(status, driver.invoke, "ioport_out", PORTS, port=port, width=width, data=0)


def test_where_no_device_is_a_read_gives_ones_and_a_write_is_lost() -> None:
    _, driver = machine()
    ok(issue(driver, TIMER_PORT - 2, TIMER_PORT + 3))
    write(driver, TIMER_PORT - 2, 0xAABBCCDD, 4)
    assert read(driver, TIMER_PORT - 2, 4) == 0xAABBFFFF
    assert read(driver, TIMER_PORT, 2) == 0xAABB


def test_a_uart_has_no_ports_and_a_timers_are_taken_once() -> None:
    lab, driver = machine()
    rival = lab["rival"]
    refused(Status.ILLEGAL_OPERATION, rival.invoke, "device_ports", "uart0", slot=PORTS)
    assert ok(driver.invoke("device_ports", "timer0", slot=PORTS)).map == {"first": TIMER_PORT}
    refused(Status.REVOKE_FIRST, rival.invoke, "device_ports", "timer0", slot=PORTS)
    refused(Status.RANGE_ERROR, rival.invoke, "device_ports", "timer0", slot=3)


# -- timers --------------------------------------------------------------------------------------


def timed() -> tuple[Lab, Thread]:
    """A driver that listens to timer0 and has its ports."""
    lab, driver = machine()
    ok(driver.invoke("device_claim", "timer0", slot=LINE))
    ok(driver.invoke("device_ports", "timer0", slot=PORTS))
    listen(driver)
    return lab, driver


def test_a_timer_fires_once_when_its_time_has_come() -> None:
    lab, driver = timed()
    program(driver, 2_000_000, TimerMode.ONE_SHOT)
    assert read(driver, TIMER_PORT + TIMER_CONTROL) == TimerMode.ONE_SHOT
    lab.pass_time(1.5)
    assert not rang(driver)
    assert read(driver, TIMER_PORT + TIMER_COUNT, 4) == 500_000
    assert read(driver, TIMER_PORT + TIMER_STATUS) == 0
    lab.pass_time(0.6)
    assert rang(driver)
    assert [read(driver, TIMER_PORT + TIMER_STATUS) for _ in range(2)] == [1, 0]
    assert read(driver, TIMER_PORT + TIMER_CONTROL) == TimerMode.STOP
    assert read(driver, TIMER_PORT + TIMER_COUNT, 4) == 0
    ok(driver.invoke("irq_ack", LINE))
    lab.pass_time(10)
    assert not rang(driver)
    assert read(driver, TIMER_PORT + TIMER_TICKS, 4) == 1


def test_a_periodic_timer_fires_again_and_keeps_its_beat() -> None:
    lab, driver = timed()
    program(driver, 100_000, TimerMode.PERIODIC)
    for _ in range(3):
        lab.pass_time(0.1)
        assert rang(driver)
        ok(driver.invoke("irq_ack", LINE))
    write(driver, TIMER_PORT + TIMER_CONTROL, TimerMode.STOP)
    lab.pass_time(1)
    assert not rang(driver)
    assert read(driver, TIMER_PORT + TIMER_TICKS, 4) == 3


def test_periods_that_passed_unnoticed_are_counted_and_fire_once() -> None:
    from caplab.kernel.core.events import Deadline

    lab, driver = timed()
    program(driver, 1000, TimerMode.PERIODIC)
    lab.now += 5_500_000
    lab.step(Deadline(lab.now))
    assert rang(driver)
    assert read(driver, TIMER_PORT + TIMER_TICKS, 4) == 5
    assert lab.k.next_deadline == lab.now + 500_000


def test_no_timer_is_faster_than_a_millisecond() -> None:
    lab, driver = timed()
    program(driver, 0, TimerMode.PERIODIC)
    lab.pass_time(0.0101)
    assert read(driver, TIMER_PORT + TIMER_TICKS, 4) == 10


def test_the_registers_are_written_byte_by_byte_and_what_is_none_is_zero() -> None:
    _, driver = timed()
    for byte, value in enumerate((0x40, 0x42, 0x0F, 0)):
        write(driver, TIMER_PORT + TIMER_RELOAD + byte, value)
    assert read(driver, TIMER_PORT + TIMER_RELOAD, 4) == 1_000_000
    write(driver, TIMER_PORT + TIMER_COUNT, 7, 4)
    write(driver, TIMER_PORT + TIMER_CONTROL, 9)
    assert read(driver, TIMER_PORT + TIMER_CONTROL, 4) == 0


def test_a_timer_nobody_has_the_ports_of_stops() -> None:
    lab, driver = timed()
    program(driver, 1000, TimerMode.PERIODIC)
    ok(driver.delete(PORTS))
    lab.pass_time(1)
    assert not rang(driver)
    assert lab.k.next_deadline is None


def test_a_dead_drivers_timer_stops_and_its_line_is_free() -> None:
    lab, driver = timed()
    program(driver, 1000, TimerMode.PERIODIC)
    lab.die("driver")
    assert lab.pass_time(1) is None
    rival = lab["rival"]
    ok(rival.invoke("device_claim", "timer0", slot=LINE))
    ok(rival.invoke("device_ports", "timer0", slot=PORTS))
    assert read(rival, TIMER_PORT + TIMER_TICKS, 4) == 0


def test_a_run_with_a_timer_replays_to_the_same_state() -> None:
    from caplab.kernel.core.kernel import Kernel
    from caplab.kernel.root.task import RootTask

    lab, driver = timed()
    program(driver, 2500, TimerMode.PERIODIC)
    lab.pass_time(0.02)
    again = Kernel(RootTask())
    for event in lab.events:
        again.step(event)
    assert again.state_hash() == lab.k.state_hash()
