"""I/O ports, and the timers behind them."""

from caplab.kernel.abi import (
    TIMER_CONTROL,
    TIMER_COUNT,
    TIMER_PORT,
    TIMER_RELOAD,
    TIMER_STATUS,
    TIMER_TICKS,
    ObjectType,
    Status,
    TimerMode,
)
from lab import Lab, Thread, ok, refused
from machine_lab import BELL, LINE, PORTS, issue, listen, machine, program, rang, read, write

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
