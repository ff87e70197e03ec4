"""The interfaces that come with caplab: what is committed is what their files say."""

from pathlib import Path

import pytest

from caplab.kernel.boot.generated import idls, stale
from caplab.scripts.gen.idl.files import generate
from sources import ROOT

IDLS = sorted((ROOT / "servers").rglob("*.idl"))


def test_what_is_committed_is_what_the_interfaces_say() -> None:
    made = generate(IDLS)
    different = [
        target.relative_to(ROOT).as_posix()
        for target, text in made.items()
        if not target.is_file() or target.read_text() != text
    ]
    assert not different, f"run caplab gen servers: {different}"


def test_no_module_is_left_of_an_interface_that_is_gone() -> None:
    made = generate(IDLS).keys()
    there = {file for file in (ROOT / "servers").rglob("*.py") if idls(file)}
    assert there == set(made)


@pytest.mark.parametrize("folder", sorted({file.parent for file in IDLS}), ids=lambda p: p.name)
def test_nothing_that_is_committed_is_stale(folder: Path) -> None:
    assert list(stale(folder)) == []
