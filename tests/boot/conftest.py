"""A folder with the manifests and programs of these tests, as a user would have it."""

import shutil
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory: every manifest beside every program."""
    for name in ("bad", "good"):
        shutil.copytree(HERE / name, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path
