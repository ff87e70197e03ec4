"""docs/idl.md does what it says: its blocks are written and run, its tables are complete."""

import re
from pathlib import Path

import pytest

import pages
from caplab.pd.idl import WireError
from caplab.scripts.gen.idl.interfaces import RESERVED_ERRORS
from caplab.scripts.gen.idl.words import KNOWN
from sources import ROOT

PAGE = ROOT / "docs" / "idl.md"
BLOCKS = pages.read(PAGE)


@pytest.mark.timeout(200)
def test_the_example_of_the_manual_prints_what_the_manual_shows(
    tmp_path: Path, baseline: None
) -> None:
    assert not BLOCKS.others
    BLOCKS.write(tmp_path)
    for command in BLOCKS.commands:
        pages.run(command, tmp_path)


def test_the_table_of_refusals_has_each_class_with_its_number() -> None:
    table = PAGE.read_text().split("## What is refused")[1]
    rows = {int(number): name for number, name in re.findall(r"^\| (\d+) \| `(\w+)`", table, re.M)}
    assert rows == {error.code: error.__name__ for error in WireError.__subclasses__()}


def test_the_table_of_types_names_each_word_and_the_reserved_numbers_are_told() -> None:
    text = PAGE.read_text()
    for word in KNOWN:
        word = word if not re.fullmatch(r"u?int\d+_t", word) else "int8_t"
        assert f"`{word}" in text or f" {word}`" in text or f"{word}<" in text, word
    for number in RESERVED_ERRORS:
        assert re.search(rf"Numbers begin at 1; .*\b{number}\b", text)
