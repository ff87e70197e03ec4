"""One deliberate mistake per file: its message, its place and its fix, word for word."""

from pathlib import Path

import pytest

from caplab.kernel.boot.manifest import check

BAD = Path(__file__).parent / "bad"
FILES = sorted(file.stem for file in BAD.glob("*.yaml"))


@pytest.mark.parametrize("name", FILES)
def test_a_mistake_is_named_with_its_place_and_its_fix(name: str, folder: Path) -> None:
    checked = check(f"{name}.yaml")
    shown = checked.render().replace(str(folder), "DIR")
    assert shown == (BAD / f"{name}.expected").read_text().rstrip("\n")
    assert checked.system is None


def test_each_mistake_has_its_message_and_each_message_its_mistake() -> None:
    assert sorted(file.stem for file in BAD.glob("*.expected")) == FILES
