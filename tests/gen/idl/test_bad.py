"""One deliberate mistake per file: its message, its place and its fix, word for word."""

import re
from pathlib import Path

import pytest

from caplab.kernel.boot.catalogue import catalogue
from caplab.scripts.gen.idl.compiler import BadIdl, compiled

BAD = Path(__file__).parent / "bad"
FILES = sorted(file.stem for file in BAD.glob("*.idl"))


@pytest.mark.parametrize("name", FILES)
def test_a_mistake_is_named_with_its_place_and_its_fix(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(BAD)
    with pytest.raises(BadIdl) as refused:
        compiled([Path(f"{name}.idl")])
    assert str(refused.value) == (BAD / f"{name}.expected").read_text().rstrip("\n")
    assert len(refused.value.problems) == 1


def test_each_mistake_has_its_message_and_there_are_thirty_at_least() -> None:
    assert sorted(file.stem for file in BAD.glob("*.expected")) == FILES
    assert len(FILES) >= 30


def test_each_code_of_an_interface_is_shown_by_a_deliberate_mistake() -> None:
    shown = {
        code
        for file in BAD.glob("*.expected")
        for code in re.findall(r"\bCL\d{3}\b", file.read_text())
    }
    assert {code for code in catalogue()["errors"] if code >= "CL110"} == shown
