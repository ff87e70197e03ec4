"""What is announced of a driver's start and end, for whoever looks at its UART."""

from typing import Any

import pytest

from caplab.kernel.core.effects import Announce
from caplab.kernel.core.events import Started
from lab import Lab, ok

RESTARTED = {"policy": "on-failure", "backoff": 1, "max": 1}


def driven(**more: Any) -> Lab:
    """A driver that has claimed the one UART, and another PD that might."""
    driver = {"devices": ["uart0"], **more}
    lab = Lab({"driver": driver, "other": {"devices": ["uart0"]}, "app": {}}, uarts=["uart0"])
    ok(lab["driver"].invoke("device_claim", "uart0", slot=30))
    return lab


def news(lab: Lab, *keys: str) -> tuple[Any, ...]:
    [said] = lab.of(Announce)
    return tuple(said.body[key] for key in keys)


def test_an_end_says_what_is_without_its_driver_and_whether_that_comes_back() -> None:
    lab = driven(restart=RESTARTED)
    told = ("pd", "generation", "drives", "restart", "down")
    lab.exited("driver", 9)
    assert news(lab, *told) == ("driver", 0, ["uart0"], True, False)
    lab.work()
    lab.pass_time(2)
    lab.step(Started(lab.now, lab.pd("driver").number, 4711))
    assert news(lab, "generation", "state", "drives") == (1, "starting", ["uart0"])
    lab.exited("driver", 9)  # once more than it may
    assert news(lab, *told) == ("driver", 1, ["uart0"], False, False)


def test_who_has_the_register_of_a_uart_that_another_drives_does_not_drive_it() -> None:
    lab = driven()
    assert [lab.ps(pd)["drives"] for pd in ("driver", "other", "app")] == [["uart0"], [], []]
    lab.exited("other", 0)
    assert news(lab, "drives") == ([],)


def test_a_driver_that_never_claimed_its_interrupt_drives_all_the_same() -> None:
    lab = Lab({"driver": {"devices": ["uart0"]}}, uarts=["uart0"])
    assert lab.ps("driver")["drives"] == ["uart0"]
    lab.die("driver")
    assert lab.ps("driver")["drives"] == ["uart0"]


@pytest.mark.parametrize("status", [0, 9])
def test_an_end_with_the_whole_system_says_so(status: int) -> None:
    lab = driven(restart="always")
    lab.ask("down")
    lab.exited("app", status)
    assert news(lab, "restart", "down") == (False, True)
