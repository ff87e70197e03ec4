"""docs/seeds/000.md does what it says: its blocks are written, changed and run in order."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import pages
from sources import ROOT

PAGE = ROOT / "docs" / "seeds" / "000.md"


def put(file: Path, text: str) -> None:
    """Write a file; of one that is there, what lies between two lines of it."""
    file.parent.mkdir(exist_ok=True)
    block = text.splitlines()
    lines = file.read_text().splitlines() if file.exists() else []
    if block[0] in lines and block[-1] in lines[lines.index(block[0]) :]:
        first = lines.index(block[0])
        last = lines.index(block[-1], first)
        block = [*lines[:first], *block, *lines[last + 1 :]]
    file.write_text("\n".join(block) + "\n")


def type_(command: pages.Command, folder: Path) -> None:
    """Type a command; it must succeed, and print what the page shows."""
    program, *words = command.words
    module = {"caplab": ["caplab"], "pytest": ["pytest", "-p", "no:cacheprovider"]}[program]
    done = subprocess.run(
        [sys.executable, "-P", "-m", *module, *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src"), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=200,
    )
    printed = pages.ESCAPE.sub("", done.stdout + done.stderr)
    assert done.returncode == 0, printed
    for line in command.lines:
        assert line in printed, printed


@pytest.mark.timeout(400)
def test_whoever_follows_the_page_has_two_servers_that_work(tmp_path: Path, baseline: None) -> None:
    for language, name, text in pages.FENCE.findall(PAGE.read_text()):
        if name:
            put(tmp_path / name, text)
        else:
            assert language == "console", text
            for command in pages.read_text(text):
                type_(command, tmp_path)


def test_a_block_that_shows_a_part_of_a_file_changes_that_part_alone(tmp_path: Path) -> None:
    file = tmp_path / "file"
    put(file, "a\nb\nc\nd\n")
    put(file, "b\nnew\nd\n")
    assert file.read_text() == "a\nb\nnew\nd\n"
    put(file, "another\nfile\n")
    assert file.read_text() == "another\nfile\n"


def test_every_step_of_the_seed_is_told() -> None:
    text = PAGE.read_text()
    for step in (
        *("Duplicate the folder", "Start the resource server", "Define the API in the .proto"),
        *("Build the project to generate", "Add the client API function"),
        *("Give the server the resources it needs", "Fill in init", "The request handler"),
        *("The work handler", "Test the server's response to root-task work"),
        *("Design a client API", "Copy the sample resource server"),
        *("Create the client RPC protocol", "Migrate the server logic", "Update clients and tests"),
    ):
        assert f"**{step}" in text, step


def test_every_error_the_page_names_is_one_of_the_library() -> None:
    from caplab.pd.resource import ProtocolError

    row = next(line for line in PAGE.read_text().splitlines() if "it is answered:" in line)
    named = set(re.findall(r"[A-Z][A-Za-z]+", row.split("it is answered:")[1]))
    assert named <= {error.__name__ for error in ProtocolError.__subclasses__()}
    assert len(named) == 7
