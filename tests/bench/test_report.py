"""The table people read and the document programs read."""

import json

from caplab.scripts.bench.machine import cpu_model, described
from caplab.scripts.bench.report import HEADINGS, Report, cells, footnotes
from caplab.scripts.bench.rows import Row

CALL = Row("call", 91.234, "µs", "a relay", 82.1, 1.1112, 1.09, 1.13, "<=", 1.15, True)
BOOT = Row("boot", 120.4, "PDs/s", "a relay", 60.2, 2.0, 1.9, 2.1, ">=", 2.5, False)
KILL = Row("kill", 41.26, "ms", None, None, None, 40.0, 44.0, "<=", 50, True)

DELAY = Row("p99", 2.184, "ms", "in quiet", 0.24, None, 0.77, 4.45, "<=", 10, True)

HOST = {
    "cpu": "A CPU",
    "cpus": 4,
    "cpus_allowed": 2,
    "load": 0.4,
    "system": "Linux 6 x86_64",
    "python": "CPython 3.11",
    "pyzmq": "27",
    "libzmq": "4.3",
}


def test_the_document_has_the_fields_that_programs_rely_on() -> None:
    report = Report("ipc", True, HOST, [CALL, KILL])
    document = json.loads(json.dumps(report.document()))
    assert list(document) == ["bench", "sample", "machine", "rows"]
    assert document["machine"] == HOST
    assert document["sample"] is True
    assert document["rows"][0] == {
        "name": "call",
        "value": 91.234,
        "unit": "µs",
        "yardstick": "a relay",
        "yardstick_value": 82.1,
        "ratio": 1.1112,
        "low": 1.09,
        "high": 1.13,
        "op": "<=",
        "target": 1.15,
        "ok": True,
    }
    assert document["rows"][1]["yardstick"] is None


def test_a_report_is_ok_when_every_row_is() -> None:
    assert Report("ipc", False, HOST, [CALL, KILL]).ok
    assert not Report("ipc", False, HOST, [CALL, BOOT]).ok


def test_a_line_of_the_table_says_what_is_judged() -> None:
    assert cells(CALL) == (
        "call",
        "91.2 µs",
        "82.1 µs",
        "1.111",
        "1.090 to 1.130",
        "<= 1.15",
        "ok",
    )
    assert cells(BOOT)[-1] == "NOT OK"
    assert cells(BOOT)[1] == "120 PDs/s"


def test_a_line_without_a_yardstick_is_in_the_value_s_unit() -> None:
    assert cells(KILL) == ("kill", "41.3 ms", "-", "-", "40.0 to 44.0 ms", "<= 50 ms", "ok")


def test_a_line_that_exceeds_its_yardstick_is_in_the_value_s_unit() -> None:
    assert cells(DELAY) == ("p99", "2.18 ms", "0.24 ms", "-", "0.77 to 4.45 ms", "<= 10 ms", "ok")


def test_every_line_has_a_cell_for_each_heading() -> None:
    assert {len(cells(row)) for row in (CALL, BOOT, KILL, DELAY)} == {len(HEADINGS)}


def test_a_yardstick_is_explained_once() -> None:
    assert footnotes([CALL, BOOT, KILL]) == ["Yardstick: a relay."]


def test_a_busy_machine_is_pointed_out() -> None:
    assert "spoils" not in described(HOST)
    assert "load 1.5" in described({**HOST, "load": 1.5})


def test_the_cpu_has_its_name_where_the_system_knows_it() -> None:
    assert cpu_model("processor\t: 0\nmodel name\t: Fast CPU: 2 GHz\n\n") == "Fast CPU: 2 GHz"
    assert cpu_model("processor\t: 0\nBogoMIPS\t: 50.00\n") == ""
