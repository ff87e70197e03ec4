"""YAML's words, places and bounds."""

import json
import math
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from caplab.kernel.boot.checked import Checked
from caplab.kernel.boot.manifest import check
from caplab.kernel.boot.yaml_marks import Document
from caplab.kernel.boot.yaml_nodes import Unreadable


def value(text: str) -> Any:
    document = Document("m.yaml", f"a: {text}\n".encode())
    assert not document.problems
    return document.data["a"]


@pytest.mark.parametrize("word", ["no", "NO", "yes", "on", "off", "y", "n", "010e", "1_000", "0b1"])
def test_words_of_yaml_1_1_are_strings(word: str) -> None:
    assert value(word) == word


@pytest.mark.parametrize("word", ["1:30", "2001-01-01", "=", "0x", "+", ".", "1e", "0o8", "--1"])
def test_what_looks_like_a_number_and_is_none_is_a_string(word: str) -> None:
    assert value(word) == word


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        *(("true", True), ("TRUE", True), ("False", False), ("null", None), ("~", None)),
        *(("010", 10), ("0o10", 8), ("0x1F", 31), ("-7", -7), ("+7", 7), ("0", 0)),
        *(("1.5", 1.5), (".5", 0.5), ("1e3", 1000.0), ("-.inf", -math.inf), ("1.", 1.0)),
        *(("", None), ('""', ""), ("'true'", "true"), ('"\\x41"', "A"), ("!!str 7", "7")),
        *(('!!int "7"', 7), ("!!float 7", 7.0), ("! 7", "7"), ("!!null null", None)),
        *(("18446744073709551615", (1 << 64) - 1), ("-9223372036854775808", -(1 << 63))),
    ],
)
def test_words_of_yaml_1_2_have_their_meaning(text: str, wanted: Any) -> None:
    found = value(text)
    assert found == wanted
    assert type(found) is type(wanted)


def test_not_a_number_is_a_number() -> None:
    assert math.isnan(value(".nan"))


@pytest.mark.parametrize("text", ["18446744073709551616", "-9223372036854775809", "9" * 9999])
def test_an_integer_that_fits_into_no_message_is_refused(text: str) -> None:
    document = Document("m.yaml", f"a: {text}\n".encode())
    assert [problem.code for problem in document.problems] == ["CL013"]


@pytest.mark.parametrize(
    "text", ["!!int x", "!!bool 1", "!!python/none ''", "!mine 1", "!!binary x"]
)
def test_a_tag_that_does_not_fit_or_asks_for_an_object_is_refused(text: str) -> None:
    document = Document("m.yaml", f"a: {text}\n".encode())
    assert [problem.code for problem in document.problems] == ["CL008"]


def test_keys_are_the_text_that_stands_there() -> None:
    assert Document("m.yaml", b"{no: 1, 010: 2, null: 3}").data == {"no": 1, "010": 2, "null": 3}


def test_an_alias_is_written_out() -> None:
    data = Document("m.yaml", b"a: &x {b: [1, 2]}\nc: *x\n").data
    assert data["c"] == data["a"] == {"b": [1, 2]}
    assert data["c"] is not data["a"]


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    document = Document("m.yaml", b"\xef\xbb\xbfa: 1\n")
    assert document.data == {"a": 1}
    assert str(document.place(("a",))) == "m.yaml:1:4"


def test_places_lead_to_values_to_keys_and_to_the_last_part_that_is_there() -> None:
    document = Document("m.yaml", b"a:\n  - x\n  - {b: [1, yy]}\nc: \xc3\xa9 word # no\n")
    where = {
        ("a",): "1:1",  # a block is shown by its key
        ("a", 0): "2:5",
        ("a", "x"): "2:5",
        ("a", 1, "b"): "3:9",
        ("a", 1, "b", 1): "3:13",
        ("a", 1, "nope", 1): "3:5",
        ("c",): "4:4",
        ("nope",): "1:1",
    }
    for path, place in where.items():
        assert str(document.place(path)) == f"m.yaml:{place}", path
    assert str(document.place(("c",), key=True)) == "m.yaml:4:1"
    assert document.place(("c",)).width == len("é word")


def nested(opening: str, closing: str, depth: int) -> bytes:
    return ("a: " + opening * depth + closing * depth).encode()


def test_depth_has_a_bound_and_no_way_round_it() -> None:
    assert Document("m.yaml", nested("[", "]", 63)).data
    for content in (nested("[", "]", 64), nested("{x: ", "}", 500_000), b"- " * 500_000):
        with pytest.raises(Unreadable, match="nested more than 64 deep"):
            Document("m.yaml", content)


def test_aliases_do_not_get_round_the_bound_of_depth() -> None:
    levels = [b"a0: &a0 [x]"]
    levels += [b"a%d: &a%d [*a%d]" % (n, n, n - 1) for n in range(1, 200)]
    with pytest.raises(Unreadable, match="nested more than 64 deep"):
        Document("m.yaml", b"\n".join(levels))


def test_an_alias_bomb_is_refused_before_it_takes_memory() -> None:
    levels = [b"a0: &a0 [" + b"lol," * 1000 + b"]"]
    levels += [b"a%d: &a%d [" % (n, n) + b"*a%d," % (n - 1) * 1000 + b"]" for n in range(1, 20)]
    with pytest.raises(Unreadable, match="too large"):
        Document("m.yaml", b"\n".join(levels))


def test_a_mebibyte_of_mistakes_is_judged_in_seconds(tmp_path: Path) -> None:
    line = "  name of pd {0}: {{run: ./no_{0}.py, uses: [other_{0}], use: x, threads: 0}}\n"
    text = "pds:\n" + "".join(line.format(number) for number in range(12_000))
    file = tmp_path / "m.yaml"
    file.write_text(text)
    start = time.process_time()
    rendered = check(file).render()
    assert time.process_time() - start < 15
    assert rendered.endswith(" more")
    assert len(rendered) < 100_000


def judged(folder: Path, content: bytes) -> Checked:
    file = folder / "fuzz.yaml"
    file.write_bytes(content)
    return check(file)


PIECES = st.sampled_from(
    [
        *("pds:", "hello:", "run:", " ", "  ", "\n", "- ", "[", "]", "{", "}", ", ", "&a ", "*a"),
        *("!!str ", "!x ", "'", '"', "|", ">", "#", "%", "@", "`", "---\n", "...\n", "? ", ": "),
        *("./hello.py", "uses: [x]", "serves: endpoint", "~", "null", "\t", "\r\n", "\x85", "é"),
        *("threads: 0", "args: {a: b}", "0x", ".inf", "\ufeff", "<<: *a", "\\ud800", "x-y: 1"),
    ]
)


@settings(max_examples=400, deadline=None, database=None)
@given(st.lists(PIECES, max_size=25).map("".join))
@example('pds: {hello: {run: ./hello.py, args: {a: "\\ud800"}}}')
@example("pds:\n  hello:\n    run: |\n      x\n")
def test_nothing_a_user_writes_raises(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    checked = judged(tmp_path_factory.getbasetemp(), text.encode())
    assert checked.ok or checked.render()
    checked.render().encode()


@settings(max_examples=300, deadline=None, database=None)
@given(st.binary(max_size=200))
def test_no_bytes_raise(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    checked = judged(tmp_path_factory.getbasetemp(), content)
    assert checked.ok or checked.render()


JSONISH = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
KEYS = st.sampled_from(
    [
        *("run", "args", "uses", "serves", "rdes", "manages", "devices", "threads", "role", "path"),
        *(
            "faults",
            "confinement",
            "restart",
            "name",
            "uarts",
            "cpus",
            "exit_code_from",
            "pds",
            "x-a",
        ),
    ]
)
PD = JSONISH | st.dictionaries(KEYS, JSONISH, max_size=6)


@settings(max_examples=500, deadline=None, database=None)
@given(
    st.dictionaries(KEYS, JSONISH, max_size=5),
    st.dictionaries(st.text(max_size=5), PD, max_size=4) | JSONISH,
)
def test_no_value_in_a_wrong_place_raises(
    tmp_path_factory: pytest.TempPathFactory, keys: dict[str, Any], pds: Any
) -> None:
    text = json.dumps({**keys, "pds": pds}, ensure_ascii=False)
    checked = judged(tmp_path_factory.getbasetemp(), text.encode("utf-8", "replace"))
    assert checked.ok or checked.render()
