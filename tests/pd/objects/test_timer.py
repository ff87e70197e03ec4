"""A timer as an object: programmed, heard, stopped."""

from collections.abc import Iterator

import pytest

from caplab.pd.env import Env
from caplab.pd.errors import IllegalOperation, MissingCap, RevokeFirst
from caplab.pd.objects.timer import LONGEST, Timer
from threaded_system import ThreadedSystem


@pytest.fixture
def system() -> Iterator[ThreadedSystem]:
    parts = {"devices": ["timer0", "uart0"]}
    pds = ({"name": "driver", **parts}, {"name": "rival", **parts}, {"name": "app"})
    with ThreadedSystem(*pds, timers=["timer0"]) as booted:
        yield booted


@pytest.fixture
def driver(system: ThreadedSystem) -> Env:
    return system.env("driver")


def test_a_timer_raises_its_interrupt_after_a_while_and_after_each(
    system: ThreadedSystem, driver: Env
) -> None:
    timer = driver.timer("timer0")
    irq, registers, bell = timer.claim(), timer.ports(), driver.notification()
    irq.set_notification(bell)
    registers.start(0.25)
    assert registers.left() == 0.25
    system.advance(0.25)
    assert bell.poll() == 0
    assert registers.left() == 0
    irq.ack()
    registers.start(0.1, periodic=True)
    for _ in range(2):
        system.advance(0.1)
        assert bell.poll() == 0
        irq.ack()
    assert registers.ticks() == 3
    registers.stop()
    system.advance(1)
    assert bell.poll() is None


def test_a_timer_is_driven_by_one_and_stops_with_its_registers(
    system: ThreadedSystem, driver: Env
) -> None:
    timer, same = driver.timer("timer0"), system.env("rival").timer("timer0")
    irq, registers = timer.claim(), timer.ports()
    with pytest.raises(RevokeFirst, match="driver holds it"):
        same.claim()
    with pytest.raises(RevokeFirst):
        same.ports()
    registers.start(0.1, periodic=True)
    registers.delete()
    assert same.ports().ticks() == 0
    irq.delete()
    same.claim()


def test_what_no_timer_can_is_refused(driver: Env) -> None:
    registers = driver.timer("timer0").ports()
    for seconds in (-1, LONGEST + 1, float("nan")):
        with pytest.raises(ValueError, match="a timer takes"):
            registers.start(seconds)
    with pytest.raises(IllegalOperation):
        Timer(driver, driver.pd.lookup("uart0").slot).ports()


def test_a_pd_without_devices_is_told_which_line_gives_them(system: ThreadedSystem) -> None:
    env = system.env("app")
    for look, line in (
        (lambda: env.timer("timer0"), "devices: [timer0]"),
        (env.irqs, "devices: [irqs]"),
        (env.ioports, "devices: [ioports]"),
    ):
        with pytest.raises(MissingCap, match=line.replace("[", "\\[")):
            look()
    assert env.ranges() == []
