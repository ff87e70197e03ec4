"""docs/seeds/003.md does what it says: every block of it is run."""

import re
from pathlib import Path

import pytest

import pages
from caplab.pd import l4
from sources import ROOT

PAGE = ROOT / "docs" / "seeds" / "003.md"
BLOCKS = pages.read(PAGE)


@pytest.mark.parametrize("command", BLOCKS.commands, ids=lambda c: " ".join(c.words))
def test_what_the_page_types_prints_what_the_page_shows(
    command: pages.Command, tmp_path: Path, baseline: None
) -> None:
    assert command.lines
    BLOCKS.write(tmp_path)
    pages.run(command, tmp_path)


def test_every_block_is_a_file_or_a_command_and_each_program_is_used() -> None:
    assert not BLOCKS.others
    manifests = {name for name in BLOCKS.files if name.endswith(".yaml")}
    assert manifests == {word for c in BLOCKS.commands for word in c.words if word in manifests}
    used = re.findall(r"\./(\w+\.py)", "".join(BLOCKS.files.values()))
    assert {name for name in BLOCKS.files if name.endswith(".py")} == set(used)


def test_every_point_of_the_operational_model_is_told() -> None:
    rows = re.findall(r"^\| (\d)\. ", PAGE.read_text(), re.MULTILINE)
    assert rows == [str(number) for number in range(1, 10)]


def test_every_verb_the_page_names_exists() -> None:
    named = set(re.findall(r"`l4\.(\w+)", PAGE.read_text()))
    assert named
    missing = {name for name in named if not hasattr(l4.L4Thread, name)}
    assert not missing
    constants = set(re.findall(r"\b(MR_\w+|L4SYS_\w+|L4_[A-Z]+THREAD)\b", PAGE.read_text()))
    assert not {name for name in constants if not hasattr(l4, name)}


def test_the_error_numbers_are_codezero_s() -> None:
    numbers = {"ESRCH": 3, "EINTR": 4, "EFAULT": 14, "EINVAL": 22, "ENOSYS": 38}
    numbers |= {"ENOIPC": 133, "ENOCAP": 134, "EABORT": 138}
    assert {name: getattr(l4, name) for name in numbers} == numbers
