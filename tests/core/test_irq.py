"""Devices and their interrupts: claimed by one, masked until acknowledged, freed at death."""

from caplab.kernel.abi import INTERRUPT_BIT, ObjectType, Rights, Status, notification_badge
from caplab.kernel.core.effects import Unmask
from caplab.kernel.core.events import Interrupt
from lab import Lab, Thread, ok, refused


def machine() -> tuple[Lab, Thread]:
    """`serial` drives uart0, its notification in 20, its interrupt in 21; `rival` may, too."""
    lab = Lab(
        {"serial": {"devices": ["uart0"]}, "rival": {"devices": ["uart0"]}, "app": {}},
        uarts=["uart0", "uart1"],
    )
    return lab, lab["serial"]


def driver() -> tuple[Lab, Thread]:
    lab, serial = machine()
    ok(serial.invoke("device_claim", "uart0", slot=21))
    serial.alloc(ObjectType.NOTIFICATION, 20)
    ok(serial.mint(20, 22, badge=notification_badge(INTERRUPT_BIT), rights=Rights.WRITE))
    ok(serial.invoke("irq_set_notification", 21, caps=[22]))
    return lab, serial


def test_setting_the_notification_opens_the_line() -> None:
    lab, _ = driver()
    assert lab.of(Unmask) == [Unmask(0)]


def test_an_interrupt_signals_the_notification_with_its_badge() -> None:
    lab, serial = driver()
    serial.wait(20)
    lab.step(Interrupt(lab.now, 0))
    told = serial.woken()
    assert told.notification
    assert told.badge == notification_badge(INTERRUPT_BIT)


def test_the_line_stays_masked_until_it_is_acknowledged() -> None:
    lab, serial = driver()
    lab.step(Interrupt(lab.now, 0))
    assert lab.of(Unmask) == []
    assert ok(serial.poll(20)).notification
    ok(serial.invoke("irq_ack", 21))
    assert lab.of(Unmask) == [Unmask(0)]
    ok(serial.invoke("irq_ack", 21))  # open already
    assert lab.of(Unmask) == []


def test_a_device_is_claimed_by_one_at_a_time() -> None:
    lab, _ = driver()
    answer = refused(Status.REVOKE_FIRST, lab["rival"].invoke, "device_claim", "uart0", slot=21)
    assert answer.body == b"serial"
    refused(Status.REVOKE_FIRST, lab["serial"].invoke, "device_claim", "uart0", slot=30)


def test_deleting_the_handler_frees_the_device() -> None:
    lab, serial = driver()
    ok(serial.delete(21))
    ok(lab["rival"].invoke("device_claim", "uart0", slot=21))
    lab.step(Interrupt(lab.now, 0))
    assert ok(serial.poll(20)).nothing


def test_a_copy_of_the_handler_keeps_the_device() -> None:
    lab, serial = driver()
    ok(serial.copy(21, 30))
    ok(serial.delete(21))
    refused(Status.REVOKE_FIRST, lab["rival"].invoke, "device_claim", "uart0", slot=21)
    ok(serial.invoke("irq_ack", 30))


def test_a_dead_drivers_device_is_free_and_its_interrupts_go_nowhere() -> None:
    lab, _ = driver()
    lab.die("serial")
    assert lab.step(Interrupt(lab.now, 0)) == []
    rival = lab["rival"]
    ok(rival.invoke("device_claim", "uart0", slot=21))
    rival.alloc(ObjectType.NOTIFICATION, 20)
    ok(rival.invoke("irq_set_notification", 21, caps=[20]))
    assert lab.of(Unmask) == [Unmask(0)]
    lab.step(Interrupt(lab.now, 0))
    assert ok(rival.poll(20)).notification


def test_another_notification_takes_the_first_ones_place() -> None:
    lab, serial = driver()
    serial.alloc(ObjectType.NOTIFICATION, 30)
    ok(serial.invoke("irq_set_notification", 21, caps=[30]))
    lab.step(Interrupt(lab.now, 0))
    assert ok(serial.poll(20)).nothing
    assert ok(serial.poll(30)).notification


def test_a_cleared_line_signals_nobody() -> None:
    lab, serial = driver()
    ok(serial.invoke("irq_clear", 21))
    lab.step(Interrupt(lab.now, 0))
    assert ok(serial.poll(20)).nothing
    ok(serial.invoke("irq_clear", 21))


def test_the_kernels_copy_keeps_the_notification_alive_until_it_is_revoked() -> None:
    lab, serial = driver()
    ok(serial.revoke(20))
    lab.step(Interrupt(lab.now, 0))
    assert ok(serial.poll(20)).nothing


def test_setting_the_notification_needs_a_writable_notification() -> None:
    _, serial = driver()
    ok(serial.copy(20, 30, Rights.READ))
    refused(Status.INVALID_CAPABILITY, serial.invoke, "irq_set_notification", 21, caps=[30])
    refused(Status.INVALID_CAPABILITY, serial.invoke, "irq_set_notification", 21, caps=[21])
    refused(Status.FAILED_LOOKUP, serial.invoke, "irq_set_notification", 21, caps=[99])
    refused(Status.TRUNCATED_MESSAGE, serial.invoke, "irq_set_notification", 21)


def test_a_claim_needs_an_empty_slot_of_the_own_half() -> None:
    lab, serial = machine()
    refused(Status.DELETE_FIRST, driver()[1].invoke, "device_claim", "uart0", slot=20)
    for slot in (0, 15, 512, -1, 5000):
        refused(Status.RANGE_ERROR, serial.invoke, "device_claim", "uart0", slot=slot)
    refused(Status.INVALID_ARGUMENT, serial.invoke, "device_claim", "uart0")
    assert lab["rival"].cap(21) is None


def test_an_interrupt_of_a_line_that_is_not_there_is_nothing() -> None:
    lab, _ = driver()
    assert lab.step(Interrupt(lab.now, 7)) == []


def test_only_a_pd_with_the_device_has_its_capability() -> None:
    lab, _ = machine()
    assert "uart0" not in lab["app"].pd.names
    assert lab["rival"].cap("uart0").type == ObjectType.DEVICE
