"""A driver that may have every part of the machine, and what it does with lines and ports."""

from typing import Any

from caplab.kernel.abi import (
    SLOT_CNODE,
    TIMER_CONTROL,
    TIMER_PORT,
    TIMER_PORTS,
    TIMER_RELOAD,
    ObjectType,
    TimerMode,
)
from lab import Answer, Cptr, Lab, Thread, ok

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
