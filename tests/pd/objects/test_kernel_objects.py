"""Devices, interrupts, threads and pages as objects, on the real kernel."""

import threading
from collections.abc import Iterator

import pytest

from caplab.kernel.abi import INTERRUPT_BIT, notification_badge
from caplab.pd.env import Env
from caplab.pd.errors import DeleteFirst, IllegalOperation, InvalidArgument, RangeError, RevokeFirst
from threaded_system import PATIENCE, ThreadedSystem


@pytest.fixture
def system() -> Iterator[ThreadedSystem]:
    driver = {"name": "driver", "devices": ["uart0"], "threads": 2, "rdes": ["pd"]}
    with ThreadedSystem(driver, {"name": "rival", "devices": ["uart0"]}) as booted:
        yield booted


@pytest.fixture
def driver(system: ThreadedSystem) -> Env:
    return system.env("driver")


def test_a_driver_writes_and_reads_its_device(system: ThreadedSystem, driver: Env) -> None:
    uart, device = system.uarts["uart0"], driver.device("uart0")
    assert device.read() == b""
    device.write(b"out")
    assert uart.expect(b"out") == b"out"
    uart.type(b"in")
    assert device.read(1) + device.read() == b"in"
    assert driver.device("uart0").fileno() == device.fileno()


def test_a_line_that_is_gone_is_an_end_and_not_silence(system, driver: Env) -> None:
    device = driver.device("uart0")
    system.uarts["uart0"].end.close()
    with pytest.raises(EOFError, match="uart0"):
        device.read()
    with pytest.raises(ConnectionError):
        device.write(b"x")


def test_an_interrupt_reaches_the_notification_it_was_given_until_it_is_cleared(
    system: ThreadedSystem, driver: Env
) -> None:
    uart, irq = system.uarts["uart0"], driver.device("uart0").claim()
    bell = driver.notification().mint(notification_badge(INTERRUPT_BIT))
    irq.set_notification(bell)
    uart.type(b"a")
    assert bell.wait(timeout=PATIENCE) & INTERRUPT_BIT
    assert bell.poll() is None, "the line is masked until it is acknowledged"
    irq.ack()
    assert bell.wait(timeout=PATIENCE) & INTERRUPT_BIT
    irq.clear()
    irq.ack()
    uart.interrupt()
    assert bell.poll() is None


def test_a_claimed_device_is_refused_with_its_holders_name(system, driver: Env) -> None:
    irq = driver.device("uart0").claim()
    rival = system.env("rival")
    with pytest.raises(RevokeFirst, match="driver holds it") as refused:
        rival.device("uart0").claim()
    assert refused.value.holder == "driver"
    assert rival.slots.used() == 0
    irq.delete()
    assert rival.device("uart0").claim().slot


def test_a_domain_set_puts_threads_into_domains_and_sets_their_turns() -> None:
    with ThreadedSystem({"name": "boss", "rdes": ["domain"]}) as system:
        boss = system.env("boss")
        domains = boss.domains()
        domains.set(3, boss.tcb)
        domains.configure(1, 3, 10)
        domains.start(1)
        domains.start()
        with pytest.raises(InvalidArgument):
            domains.set(16, boss.tcb)
        with pytest.raises(InvalidArgument):
            domains.start(2)
        with pytest.raises(RangeError):
            domains.configure(63, 0, 1)


def test_a_thread_has_a_priority_up_to_its_authoritys_maximum(driver: Env) -> None:
    driver.tcb.set_priority(7, driver.tcb)
    driver.tcb.set_mc_priority(50, driver.tcb)
    with pytest.raises(RangeError):
        driver.tcb.set_priority(51, driver.tcb)
    driver.tcb.set_priority(50, driver.tcb)
    with pytest.raises(RangeError):
        driver.tcb.set_mc_priority(51, driver.tcb)


def test_a_suspended_thread_gets_its_answer_when_it_is_resumed(driver: Env) -> None:
    ran = threading.Event()
    bell, done = driver.notification(), driver.notification()

    def entry(env: Env, arg: int) -> None:
        bell.wait()
        ran.set()
        done.signal()

    tcb = driver.thread(entry)
    tcb.suspend()
    bell.signal()
    assert not ran.is_set()
    tcb.resume()
    done.wait(timeout=PATIENCE)
    assert ran.is_set()


def test_a_notification_is_bound_once(driver: Env) -> None:
    driver.tcb.bind_notification(driver.work)
    with pytest.raises(IllegalOperation):
        driver.tcb.bind_notification(driver.notification())
    driver.tcb.unbind_notification()
    with pytest.raises(IllegalOperation):
        driver.tcb.unbind_notification()


def test_pages_given_back_can_be_mapped_again(driver: Env) -> None:
    memory = driver.memory()
    with memory.map() as window:
        window.write(0, b"kept")
    memory.unmap()
    with memory.map() as window:
        assert window.read(0, 4) == b"kept"


def test_a_saved_caller_is_answered_later(system: ThreadedSystem, driver: Env) -> None:
    own = driver.endpoint()
    child = driver.rde("pd").create("child", "")
    child.install(own, "service", badge=5)
    child.start()
    replies: list[bytes] = []
    client = system.env("child")
    thread = threading.Thread(
        target=lambda: (
            client.first.enter(),
            replies.append(client.endpoint("service").call(1, b"ask").data),
        )
    )
    thread.start()
    assert own.recv(timeout=PATIENCE)[:3] == (b"ask", 5, 1)
    slot = driver.slots.place(driver.cnode.save_caller)
    with pytest.raises(IllegalOperation):
        driver.cnode.save_caller(driver.slots.alloc())
    with pytest.raises(DeleteFirst):
        driver.cnode.copy_slot(slot, own.slot)
    driver.cap(type(own), slot).send(0, b"answer")
    thread.join(PATIENCE)
    assert replies == [b"answer"]


def test_registers_of_a_thread_are_read_as_they_were_written(driver: Env) -> None:
    tcb = driver.thread(lambda env, arg: env.notification().wait(), 7)
    assert tcb.read_registers(9) == (1, 0, 0, 0, 0, 0, 0, 0, 7)
    tcb.set_space(driver.cnode, fault_ep=40)
    tcb.suspend()
