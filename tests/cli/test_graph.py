"""`caplab graph` and `caplab restart`: what they ask, and how they show what comes back."""

import csv
import io
import json
from collections.abc import Callable

import pytest

from caplab.kernel.boot.running import Running
from caplab.kernel.host.errors import RequestRefused

NODES = [
    ["PD", "PD_0", "root", "", "", "", ""],
    ["RESOURCE_SPACE", "MO_SPACE_4", "MO", "", "", "", ""],
    ["PD", "PD_1", "block", "", "", "", ""],
    ["PD", "PD_2", "file", "", "", "", ""],
    ["PD", "PD_3", "idle", "", "", "", ""],
    ["RESOURCE_SPACE", "BLOCK_SPACE_10", "BLOCK", "", "", "", ""],
    ["RESOURCE_SPACE", "FILE_SPACE_11", "FILE", "", "", "", ""],
    ["RESOURCE", "BLOCK_10_1", "BLOCK", "", "", "", ""],
    ["RESOURCE", "FILE_11_1", "FILE", "", "", "", 'say "hello", twice'],
]
EDGES = [
    ["", "", "NONE", "HOLD", "PD_0", "MO_SPACE_4", ""],
    ["", "", "NONE", "HOLD", "PD_1", "BLOCK_SPACE_10", ""],
    ["", "", "NONE", "HOLD", "PD_2", "FILE_SPACE_11", ""],
    ["", "", "NONE", "MAP", "FILE_SPACE_11", "BLOCK_SPACE_10", ""],
    ["", "", "NONE", "SUBSET", "BLOCK_10_1", "BLOCK_SPACE_10", ""],
    ["", "", "NONE", "SUBSET", "FILE_11_1", "FILE_SPACE_11", ""],
    ["", "", "NONE", "HOLD", "PD_1", "BLOCK_10_1", ""],
    ["", "", "NONE", "HOLD", "PD_2", "BLOCK_10_1", ""],
    ["", "", "NONE", "MAP", "FILE_11_1", "BLOCK_10_1", ""],
    ["", "", "BLOCK", "REQUEST", "PD_2", "PD_1", "10"],
]
PAGES = [
    {"model": 7, "rows": NODES, "marked": [{"pd": "file", "why": "slow"}], "more": True},
    {"model": 7, "rows": EDGES, "more": False},
]
TABLE = """\
PD     NODE  MANAGES         HOLDS    MAY ASK
root   PD_0  1 space         -        -
block  PD_1  BLOCK_SPACE_10  BLOCK 1  -
file   PD_2  FILE_SPACE_11   BLOCK 1  BLOCK
idle   PD_3  -               -        -

SPACE           OF     RESOURCES  BUILT ON
MO_SPACE_4      root           0  -
BLOCK_SPACE_10  block          1  -
FILE_SPACE_11   file           1  BLOCK_SPACE_10
"""


def model() -> list[dict]:
    return [dict(page) for page in PAGES]


def test_the_pages_of_a_model_are_asked_for_until_there_are_no_more(
    caplab: Callable, stand_in: Callable
) -> None:
    system = stand_in(graph=model())
    ran = caplab("graph")
    assert (ran.status, ran.out) == (0, TABLE)
    assert system.requests == [
        {"id": 1, "op": "graph", "timeout": 2.0},
        {"id": 1, "op": "graph", "model": 7},
    ]
    assert "file did not answer in time" in ran.err


def test_csv_is_what_osmosis_reads(caplab: Callable, stand_in: Callable) -> None:
    stand_in(graph=model())
    rows = list(csv.reader(io.StringIO(caplab("graph", "--format", "csv").out)))
    header = "NODE_TYPE,NODE_ID,DATA,EDGE_TYPE,EDGE_FROM,EDGE_TO,EXTRA"
    assert rows == [header.split(","), *NODES, *EDGES]


def test_json_has_nodes_edges_and_who_is_marked(caplab: Callable, stand_in: Callable) -> None:
    stand_in(graph=model())
    found = json.loads(caplab("graph", "--format", "json").out)
    assert (found["schema"], len(found["nodes"]), len(found["edges"])) == (1, 9, 10)
    assert found["marked"] == [{"pd": "file", "why": "slow"}]
    assert found["edges"][-1] == {
        "type": "REQUEST",
        "from": "PD_2",
        "to": "PD_1",
        "data": "BLOCK",
        "extra": "10",
    }


def test_dot_has_each_node_and_edge_with_its_quotes_escaped(
    caplab: Callable, stand_in: Callable
) -> None:
    stand_in(graph=model())
    dot = caplab("graph", "--format", "dot").out
    assert dot.startswith("digraph model {")
    assert dot.endswith("}\n")
    assert r'"FILE_11_1" [shape=ellipse, label="FILE_11_1\nsay \"hello\", twice"];' in dot
    assert r'"PD_2" [shape=box, label="PD_2\nfile"];' in dot
    assert '"PD_2" -> "PD_1" [style=dashed, label="BLOCK"];' in dot
    assert dot.count("->") == 10


def test_only_what_a_pd_reaches_is_shown_when_asked_for(
    caplab: Callable, stand_in: Callable
) -> None:
    stand_in(graph=[*model(), *model()])
    rows = caplab("graph", "--format", "csv", "--from", "file").out
    assert "idle" not in rows
    assert "MO_SPACE_4" not in rows
    assert rows.count(",MAP,") == 1
    assert "PD_1" in rows
    ran = caplab("graph", "--from", "nobody")
    assert (ran.status, ran.out) == (2, "")
    assert "The PDs that live are root, block, file, idle." in ran.err


def test_a_refused_time_limit_exits_2(caplab: Callable, stand_in: Callable) -> None:
    refusal = {"error": {"code": "bad-timeout", "message": "timeout is seconds, not `1`"}}
    stand_in(graph=refusal)
    ran = caplab("graph", "--timeout", "1")
    assert (ran.status, "[bad-timeout]" in ran.err) == (2, True)


def test_a_graph_answers_questions_about_itself(stand_in: Callable) -> None:
    stand_in(graph=model())
    found = Running.attach().graph()
    assert found.holders("BLOCK_10_1") == ["block", "file"]
    assert [edge.to for edge in found.edges("MAP")] == ["BLOCK_SPACE_10", "BLOCK_10_1"]
    with pytest.raises(RequestRefused, match="No PD 'x' is in the model"):
        found.reachable("x")


RESTARTED = {
    "pd": "file",
    "generation": 0,
    "state": "exited",
    "reason": "",
    "actions": [{"action": "restart", "target": "file", "generation": 1, "seconds": 0.0}],
    "more_actions": 0,
    "freed_callers": 0,
    "pending": [],
    "seconds": 0.001,
    "restarted": 1,
}
LIVES = {"pd": "file", "generation": 0, "pid": 7, "role": "server", "state": "waiting"}
LIVES |= {"reason": "recv", "exit_code": None, "calls": 4, "caps": 5}


def test_restart_says_what_was_done_and_which_generation_runs(
    caplab: Callable, stand_in: Callable
) -> None:
    system = stand_in(ps={"pds": [LIVES]}, restart=[RESTARTED, RESTARTED])
    ran = caplab("restart", "file")
    assert system.requests[1:] == [{"id": 1, "op": "restart", "pd": "file"}]
    assert ran.out.splitlines()[1] == "  1. restart          file (generation 1, seconds 0.0)"
    assert "file is file/gen1 now" in ran.err
    assert json.loads(caplab("restart", "file", "--format", "json").out)["restarted"] == 1


def test_a_pd_that_cannot_be_restarted_is_refused(caplab: Callable, stand_in: Callable) -> None:
    refusal = {"error": {"code": "no-restart", "message": "`file` was made by `y`"}}
    stand_in(ps={"pds": [LIVES]}, restart=refusal)
    ran = caplab("restart", "file")
    assert (ran.status, "[no-restart]" in ran.err) == (2, True)
