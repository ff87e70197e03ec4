"""What a console is told of the driver behind it, and what the terminal of a PD of that PD."""

import os
import tty
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from caplab.kernel.boot.control import readable
from caplab.kernel.boot.running import Running
from caplab.scripts.cli.driver_news import DriverNews
from caplab.scripts.cli.escape import EscapeKey
from caplab.scripts.cli.generations import Generations
from stand_in_control import ROW, StandIn

PATIENCE = 20.0
SERIAL = {**ROW, "pd": "serial", "drives": ["uart0"], "state": "waiting", "generation": 0}
END = {
    "pd": "serial",
    "generation": 0,
    "state": "killed",
    "exit_code": 137,
    "drives": ["uart0"],
    "restart": True,
    "down": False,
}
START = {**END, "generation": 1, "state": "starting"}
DIED = "the driver of uart0 has died (serial/gen0)"


class Told:
    """A stand-in's news of uart0, once it has answered."""

    def __init__(self, system: StandIn) -> None:
        self.system = system
        self.news = DriverNews(Running("test", system.run_dir), "uart0")
        self.first = self.next()

    def next(self) -> list[str]:
        assert readable(self.news, PATIENCE)
        return self.news.receive()

    def of(self, **event: Any) -> list[str]:
        self.system.announce(**event)
        return self.next()


@pytest.fixture
def told(stand_in: Callable[..., StandIn]) -> Iterator[Callable[..., Told]]:
    made: list[Told] = []

    def make(*rows: dict[str, Any]) -> Told:
        system = stand_in(ps={"pds": [ROW, *rows]})
        made.append(Told(system))
        return made[-1]

    yield make
    for one in made:
        one.news.close()


def test_a_driver_that_dies_and_comes_back_is_told_of_each_time(
    told: Callable[..., Told],
) -> None:
    uart = told(SERIAL)
    assert uart.first == []
    assert uart.of(**END) == [DIED]
    assert uart.of(**START) == ["serial/gen1 drives uart0"]
    last = {**END, "generation": 1, "restart": False}
    assert uart.of(**last) == [
        "the driver of uart0 has died (serial/gen1) and is not restarted",
    ]


def test_an_end_that_went_well_is_no_death(told: Callable[..., Told]) -> None:
    said = told(SERIAL).of(**{**END, "state": "exited", "exit_code": 0})
    assert said == ["the driver of uart0 has ended (serial/gen0)"]


@pytest.mark.parametrize(
    "event",
    [
        {**END, "drives": ["uart1"]},
        {**END, "down": True},
        {**START, "generation": 0},
        {"pd": "shell", "generation": 0, "state": "waiting", "reason": "at a breakpoint"},
    ],
    ids=["another UART", "going down", "the first start", "no start or end"],
)
def test_what_is_no_news_is_not_told(told: Callable[..., Told], event: dict[str, Any]) -> None:
    assert told(SERIAL).of(**event) == []


def test_who_comes_late_is_told_once_that_nobody_drives_the_uart(
    told: Callable[..., Told],
) -> None:
    uart = told({**SERIAL, "state": "killed", "exit_code": 137})
    assert uart.first == [DIED]
    assert uart.of(**END) == []
    assert uart.of(**START) == ["serial/gen1 drives uart0"]


def test_a_second_driver_that_lives_is_driver_enough(told: Callable[..., Told]) -> None:
    assert told({**SERIAL, "state": "killed"}, SERIAL).first == []


def test_there_is_no_news_of_a_system_that_has_ended(told: Callable[..., Told]) -> None:
    uart = told(SERIAL)
    uart.system.hang_up()
    assert (uart.next(), uart.news.ended) == ([], True)


def test_a_system_that_has_no_room_for_watchers_gives_no_news(
    stand_in: Callable[..., StandIn],
) -> None:
    system = stand_in(ps={"error": {"code": "too-many-clients", "message": "128 are connected"}})
    with DriverNews(Running("test", system.run_dir), "uart0") as news:
        assert readable(news, PATIENCE)
        assert news.receive() == []


def test_ends_and_starts_of_a_pd_come_in_pairs(stand_in: Callable[..., StandIn]) -> None:
    system = stand_in()
    running = Running("test", system.run_dir)
    with closing(running.control.watch()) as changes:
        generations = Generations(changes, "serial")
        running.ps()  # so that it is known that we watch
        system.announce(**START)  # of the generation that we see
        system.announce(**{**END, "pd": "other"})
        system.announce(**END)
        end = generations.end(PATIENCE)
        assert end is not None
        assert (end["pd"], end["state"]) == ("serial", "killed")
        system.announce(**START)
        start = generations.start(EscapeKey())
        assert start is not None
        assert start["generation"] == 1
        assert generations.end(0) is None
        system.hang_up()
        assert (generations.start(EscapeKey()), generations.ended) == (None, True)


@pytest.mark.parametrize("keys", [b"x\x1dq", b"\x03"])
def test_who_waits_for_the_next_generation_may_leave(
    stand_in: Callable[..., StandIn], keys: bytes
) -> None:
    system = stand_in()
    running = Running("test", system.run_dir)
    master, slave = os.openpty()
    tty.setraw(slave)  # as it is while somebody is attached: else ^C is no key
    with closing(running.control.watch()) as changes:
        generations = Generations(changes, "serial")
        os.write(master, keys)
        assert generations.start(EscapeKey(), terminal=slave) is None
        assert not generations.ended
    os.close(master)
    os.close(slave)
