"""Threads of one PD that share a connection."""

import threading
from typing import Any

from caplab.pd.env import Env
from caplab.servers.serial import Serial
from threaded_system import PATIENCE, Hand, ThreadedSystem, Uart


class Watched:
    """A lock that says when somebody has to wait for it."""

    def __init__(self, lock: Any, system: ThreadedSystem) -> None:
        self.lock, self.system, self.waited_for = lock, system, False

    def __enter__(self) -> None:
        if not self.lock.acquire(blocking=False):
            self.waited_for = True
            self.system.wake()
            self.lock.acquire()

    def __exit__(self, *_: object) -> None:
        self.lock.release()


def test_what_one_thread_writes_is_not_overwritten_by_another(
    system: ThreadedSystem, uart: Uart
) -> None:
    hand = Hand(system, "b")
    out: Serial = hand.do(lambda env: Serial.connect(env.endpoint("console"), buffering="call"))
    lock: Any = Watched(out._writing, system)
    out._writing = lock

    turn = threading.Event()

    def second(env: Env, _: int) -> None:
        assert turn.wait(PATIENCE)
        out.write("two\n")

    hand.do(lambda env: env.thread(second))
    system.until(lambda: system.blocked("serial"))
    system.operate(op="suspend", pd="serial")
    first = hand.begin(lambda env: out.write("one\n"))
    system.until(lambda: system.blocked("b"))
    turn.set()
    system.until(lambda: lock.waited_for or system.blocked("b", 1))
    system.operate(op="resume", pd="serial")
    assert first.result(PATIENCE) == 4
    assert uart.expect(b"two\r\n") == b"one\r\ntwo\r\n"
