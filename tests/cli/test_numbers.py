"""Numbers on the command line: one sentence for each that is none, before anything is asked."""

from collections.abc import Callable

import pytest

LINES = "irq takes the number of an interrupt line, not"
CALLS = "--after takes a number of system calls, 1 or more, not"


def seconds(command: str, *before: str, more: str = "") -> list[tuple[list[str], str]]:
    wrong = ["x", "-1", "nan", "1e9", "1_0", "", "5s", "²", *([] if more else ["inf"])]
    sentence = f"--timeout takes seconds, from 0 to 1000000{more}, not"
    return [([command, *before, "--timeout", word], f"{sentence} {word!r}.") for word in wrong]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        *seconds("up", "hello"),
        *seconds("expect", "x", more=" or inf")[:4],
        *seconds("graph")[:2],
        (["irq", "x"], f"{LINES} 'x'."),
        (["irq", "1.5"], f"{LINES} '1.5'."),
        (["irq", "9" * 5000], f"{LINES} '{'9' * 40}'."),
        (["kill", "a", "--after", "0"], f"{CALLS} '0'."),
        (["kill", "a", "--after", "y"], f"{CALLS} 'y'."),
        (["crash", "a", "--after", "-3"], f"{CALLS} '-3'."),
        (["logs", "--tail", "many"], "--tail takes a number of lines, 0 or more, not 'many'."),
        (["trace", "--limit", "0"], "--limit takes a number of lines, 1 or more, not '0'."),
        (["replay", "x", "--until", "²"], "--until takes a number of events, 0 or more, not '²'."),
        (["logs", "--tail", "\x1b[2J"], "lines, 0 or more, not '\N{REPLACEMENT CHARACTER}[2J'."),
    ],
)
def test_a_number_that_is_none_is_refused_in_one_sentence(
    caplab: Callable, stand_in: Callable, words: list[str], sentence: str
) -> None:
    system = stand_in()
    ran = caplab(*words)
    first, second = ran.err.splitlines()
    assert first.startswith("caplab: ")
    assert first.endswith(f"{sentence} [bad-request]")
    assert second == f"  See `caplab {words[0]} --help`."
    assert (ran.status, ran.out, system.requests) == (2, "", [])


def test_numbers_that_fit_reach_the_system(caplab: Callable, stand_in: Callable) -> None:
    system = stand_in(irq={"irqs": []}, kill={"error": {"code": "x", "message": "no"}})
    assert "has no UART" in caplab("expect", "x", "--timeout", "inf").err
    caplab("irq", "16")
    caplab("kill", "a", "--after", "1")
    asked = [(one["op"], one.get("irq"), one.get("after")) for one in system.requests]
    assert asked == [("irq", 16, None), ("kill", None, 1)]
