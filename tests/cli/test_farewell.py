"""What `up` says at the end."""

from pathlib import Path

import pytest

from caplab.kernel.boot.manifest import locate, shipped
from caplab.scripts.cli.farewell import suggestion, up_again


def test_the_next_thing_to_type_works_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    for name in ("mine.yaml", "hello.yaml"):
        (folder / name).touch()
    for here in (tmp_path, folder, Path("/")):
        monkeypatch.chdir(here)
        for manifest in (folder / "mine.yaml", shipped()["sample"]):
            assert locate(up_again(manifest)).resolve() == manifest.resolve()
    assert up_again(shipped()["sample"]) == "sample"
    assert "caplab up shell --console" in suggestion(str(shipped()["hello"]), ["uart0"])
    assert "shell" not in suggestion(str(folder / "hello.yaml"), ["uart0"])


def test_a_console_is_suggested_where_there_is_one() -> None:
    assert "`caplab console`" in suggestion("mine.yaml", ["uart0"])
    assert "console" not in suggestion("mine.yaml", [])
