"""`caplab trace` on set answers: the line, the JSON form, limits, losses."""

import json
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from stand_in_control import ROW

NOON = datetime(2026, 5, 17, 12, 0, 0, 250_000).astimezone().timestamp()
LINE: dict[str, Any] = {
    "time": NOON,
    "pd": "hello1",
    "generation": 0,
    "tcb": "hello1",
    "call": "Call",
    "cptr": 512,
    "target": "endpoint serial/gen0",
    "label": 7,
    "invocation": None,
    "bytes": 20,
    "caps": 1,
    "status": "OK",
    "nothing": False,
    "seconds": 0.000123,
    "by": "serial/gen0",
    "waits": False,
}
TRACING = {"tracing": True}


def followed(*lines: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    return (TRACING, *({"trace": line} for line in lines))


def test_a_line_says_who_asked_whom_for_what_and_what_came_of_it(
    caplab: Callable, stand_in: Callable
) -> None:
    system = stand_in(trace=followed(LINE))
    ran = caplab("trace", "-f")
    assert (ran.status, ran.err) == (0, "")
    assert ran.out == (
        "12:00:00.250000 hello1       Call      endpoint serial/gen0 label 7 20 B 1 cap"
        " -> OK after 123 µs by serial/gen0\n"
    )
    assert system.requests == [{"id": 1, "op": "trace", "pds": [], "follow": True}]


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        ({"target": None}, "Call      slot 512 label 7"),
        ({"target": None, "cptr": None, "label": 0, "bytes": 0, "caps": 0}, "Call      ->"),
        ({"invocation": "CNODE_COPY"}, "serial/gen0 CNODE_COPY 20 B"),
        ({"caps": 3}, "20 B 3 caps ->"),
        ({"nothing": True}, "-> OK, nothing after"),
        ({"seconds": 0.25}, "-> OK after 250.0 ms by"),
        ({"time": None, "seconds": None}, "-> OK by serial/gen0"),
        ({"status": None, "by": None}, "-> answered"),
        ({"status": None, "by": None, "waits": True}, "-> waits"),
        ({"status": None, "by": "nobody"}, "-> by nobody: its PD has ended"),
        ({"tcb": "\x1b[2J"}, "\N{REPLACEMENT CHARACTER}[2J"),
    ],
)
def test_what_is_not_there_is_not_shown(
    caplab: Callable, stand_in: Callable, change: dict[str, Any], shown: str
) -> None:
    stand_in(trace=followed({**LINE, **change}))
    assert shown in caplab("trace", "-f").out


def test_without_following_the_last_calls_are_shown(caplab: Callable, stand_in: Callable) -> None:
    past = [{**LINE, "label": label, "status": None, "by": None} for label in (1, 2, 3)]
    system = stand_in(trace={"calls": past})
    labels = re.findall(r"label (\d)", caplab("trace", "hello1", "hello1").out)
    assert labels == ["1", "2", "3"]
    assert system.requests[-1] == {"id": 1, "op": "trace", "pds": ["hello1"]}
    labels = re.findall(r"label (\d)", caplab("trace", "--limit", "2").out)
    assert labels == ["2", "3"]


def test_a_limit_ends_what_is_followed(caplab: Callable, stand_in: Callable) -> None:
    stand_in(trace=followed(*({**LINE, "label": label} for label in (1, 2, 3))))
    ran = caplab("trace", "-f", "--limit", "2")
    assert (ran.status, re.findall(r"label (\d)", ran.out)) == (0, ["1", "2"])


def test_the_json_form_is_a_document_a_line(caplab: Callable, stand_in: Callable) -> None:
    stand_in(trace=followed(LINE, LINE))
    documents = [
        json.loads(line) for line in caplab("trace", "-f", "--format", "json").out.splitlines()
    ]
    assert documents == [{"schema": 1, **LINE}] * 2


def test_lost_lines_are_counted_on_standard_error(caplab: Callable, stand_in: Callable) -> None:
    stand_in(trace=(*followed(LINE), {"lost": 12}, *followed(LINE)[1:]))
    ran = caplab("trace", "-f")
    assert ran.err == "caplab: 12 calls not shown: they came too fast\n"
    assert len(ran.out.splitlines()) == 2


def test_pds_that_are_not_there_are_refused(caplab: Callable, stand_in: Callable) -> None:
    system = stand_in(ps={"pds": [ROW]})
    ran = caplab("trace", "helo1", "-f")
    assert (ran.status, ran.out) == (2, "")
    assert "Did you mean hello1?" in ran.err
    assert [request["op"] for request in system.requests] == ["ps"]


def test_without_a_system_it_exits_3(caplab: Callable) -> None:
    assert caplab("trace", "-f").status == 3
