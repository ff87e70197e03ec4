"""docs/console.md does what it says: what its scripts type is typed, at the system it boots."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from caplab import System
from caplab.scripts.cli.escape import MENU
from caplab.scripts.cli.keys import NAMED
from sources import ROOT

PAGE = (ROOT / "docs" / "console.md").read_text()
BLOCKS = re.findall(r"^```console\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def typed(command: str) -> str:
    """What a command of the page prints."""
    words = shlex.split(command)
    assert words[0] == "caplab"
    ran = subprocess.run(
        [sys.executable, "-m", *words], capture_output=True, text=True, timeout=60, check=True
    )
    return ran.stdout


def test_the_scripts_of_the_page_print_what_it_shows(baseline: None, runtime_dir: Path) -> None:
    up, scripts, *_ = BLOCKS
    _, manifest, _ = up.splitlines()[0].removeprefix("$ caplab ").split()
    with System(manifest) as system:
        system.console.expect("Hello world")  # what else is printed before the script is typed
        system.console.expect("caplab> ")
        for part in re.split(r"^\$ ", scripts, flags=re.MULTILINE)[1:]:
            command, *shown = part.splitlines()
            assert typed(command).splitlines() == shown


@pytest.mark.parametrize("wish", MENU)
def test_the_page_names_each_key_of_the_menu(wish: object) -> None:
    assert f"\n| `{wish.value}` | " in PAGE


def test_the_page_names_each_key_that_can_be_written() -> None:
    listed = re.search(r"types; `(.*?)`", PAGE)
    assert listed is not None
    assert {word[1:] for word in listed[1].split()} - {"xNN", "uNNNN"} == set(NAMED)
