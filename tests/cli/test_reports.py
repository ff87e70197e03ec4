"""What is said of PDs waits for what they printed, in order, and not for ever."""

from collections.abc import Hashable
from functools import partial

from caplab.scripts.cli.reports import PATIENCE, Reports


class Sources:
    """Two that bring output, and answer when a test says so."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.rounds: list[int] = []
        self.reports = Reports(self._begin)

    def _begin(self, number: int) -> dict[Hashable, int]:
        self.rounds.append(number)
        return {"line": 10 * number, "log": number}

    def report(self, *texts: str) -> None:
        for text in texts:
            self.reports.add(partial(self.said.append, text))

    def bring(self, number: int) -> None:
        self.reports.brought("line", 10 * number)
        self.reports.brought("log", number)


def test_a_report_waits_until_all_have_brought_what_there_was() -> None:
    sources = Sources()
    sources.report("one")
    sources.reports.brought("line", 10)
    assert sources.said == []
    sources.reports.brought("log", 1)
    assert sources.said == ["one"]
    assert sources.reports.limit is None


def test_what_comes_meanwhile_waits_for_the_next_round_in_order() -> None:
    sources = Sources()
    sources.report("one", "two", "three")
    assert sources.rounds == [1]
    sources.bring(1)
    assert (sources.said, sources.rounds) == (["one"], [1, 2])
    sources.bring(1)  # once more: an answer of long ago
    assert sources.said == ["one"]
    sources.bring(3)  # and one that covers what was asked before
    assert sources.said == ["one", "two", "three"]
    assert sources.rounds == [1, 2]


def test_who_is_late_or_gone_holds_nothing_back() -> None:
    sources = Sources()
    sources.report("one", "two")
    limit = sources.reports.limit
    assert limit is not None
    sources.reports.look(limit - PATIENCE / 2)
    assert sources.said == []
    sources.reports.look(limit)
    assert sources.said == ["one"]
    sources.reports.ended("line")
    sources.reports.ended("log")
    assert sources.said == ["one", "two"]


def test_at_the_end_all_is_said() -> None:
    sources = Sources()
    sources.report("one", "two")
    sources.reports.make_all()
    assert sources.said == ["one", "two"]


def test_with_nobody_to_ask_a_report_is_made_at_once() -> None:
    said: list[str] = []
    reports = Reports(lambda _: {})
    reports.add(partial(said.append, "one"))
    reports.add(partial(said.append, "two"))
    assert said == ["one", "two"]
