"""`caplab irq`: what it asks, and how it shows the lines."""

import json
from collections.abc import Callable

LINES = [
    {"irq": 0, "device": "uart0", "pd": "serial", "route": "claimed", "state": "open"},
    {"irq": 3, "device": "", "pd": "", "route": "", "state": "free"},
    {"irq": 16, "device": "timer0", "pd": "test0", "route": "simple", "state": "pending"},
]
TOLD = {"irq": 3, "pd": "test0", "delivered": True, "pending": False}


def test_without_a_number_the_lines_are_listed(caplab: Callable, stand_in: Callable) -> None:
    system = stand_in(irq={"irqs": LINES})
    ran = caplab("irq")
    assert system.requests[-1] == {"id": 1, "op": "irq"}
    assert ran.out.splitlines() == [
        "IRQ  DEVICE  STATE    PD      ROUTE",
        "  0  uart0   open     serial  claimed",
        "  3  -       free     -       -",
        " 16  timer0  pending  test0   simple",
    ]
    assert json.loads(caplab("irq", "--format", "json").out)["irqs"] == LINES


def test_a_machine_without_lines_says_so(caplab: Callable, stand_in: Callable) -> None:
    stand_in(irq={"irqs": []})
    ran = caplab("irq")
    assert (ran.status, ran.out) == (0, "")
    assert "has no interrupt lines" in ran.err


def test_raising_a_line_says_whom_it_reached(caplab: Callable, stand_in: Callable) -> None:
    system = stand_in(irq=TOLD)
    ran = caplab("irq", "3")
    assert system.requests[-1] == {"id": 1, "op": "irq", "irq": 3}
    assert ran.err == "caplab: interrupt 3 has signalled test0\n"
    assert json.loads(caplab("irq", "3", "--format", "json").out) == {"schema": 1, **TOLD}


def test_a_masked_line_is_said_to_be_pending(caplab: Callable, stand_in: Callable) -> None:
    stand_in(irq={**TOLD, "delivered": False, "pending": True})
    assert "interrupt 3 is pending: test0" in caplab("irq", "3").err


def test_a_line_that_reaches_nobody_is_refused(caplab: Callable, stand_in: Callable) -> None:
    stand_in(irq={"error": {"code": "irq-free", "message": "nobody has interrupt 3"}})
    ran = caplab("irq", "3")
    assert (ran.status, ran.err) == (2, "caplab: nobody has interrupt 3 [irq-free]\n")
    assert caplab("irq", "three").status == 2
