"""The generated pages of docs/ are what their source says."""

from pathlib import Path

import pytest

from caplab.scripts.gen import docs


def test_the_committed_pages_are_up_to_date() -> None:
    written = {name: (docs.DOCS / name).read_text("utf-8") for name in docs.pages()}
    assert written == docs.pages(), "run python -m caplab.scripts.gen.docs"


def test_the_generator_writes_what_is_stale_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(docs, "DOCS", tmp_path)
    assert docs.main(["--check"]) == 1
    assert not list(tmp_path.iterdir())
    assert docs.main([]) == 0
    assert {file.name: file.read_text("utf-8") for file in tmp_path.iterdir()} == docs.pages()
    assert docs.main(["--check"]) == 0
    assert "docs/errors.md written" in capsys.readouterr().out


def test_every_link_within_the_glossary_leads_to_a_term() -> None:
    page = docs.pages()["glossary.md"]
    for name in docs.catalogue()["glossary"]:
        assert f'<a id="{docs.anchor(name)}"></a>{name}' in page
