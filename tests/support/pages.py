"""Pages that are run: the blocks of a Markdown page as files to write and commands to type.

A block whose fence names a file (```` ```python client.py ````) is a piece of that file; pieces of
one file follow each other. In a ```` ```console ```` block, `$ …` is typed and every other line
must be among what is then printed.
"""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

FENCE = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


class Command(NamedTuple):
    """What is typed, and the lines that come of it."""

    words: tuple[str, ...]
    lines: tuple[str, ...]


class Page(NamedTuple):
    """The blocks of a page."""

    files: dict[str, str]
    commands: tuple[Command, ...]
    others: tuple[str, ...]
    """Languages of blocks that are neither a file nor a console."""

    def write(self, folder: Path) -> None:
        """Put the files into a folder."""
        for name, text in self.files.items():
            (folder / name).write_text(text)


def read(page: Path) -> Page:
    """The blocks of a page."""
    files: dict[str, str] = {}
    commands: list[Command] = []
    others = []
    for language, name, text in FENCE.findall(page.read_text()):
        if name:
            files[name] = f"{files[name]}\n{text}" if name in files else text
        elif language == "console":
            commands += read_text(text)
        else:
            others.append(language)
    return Page(files, tuple(commands), tuple(others))


def read_text(text: str) -> list[Command]:
    """The commands of a console block."""
    found: list[tuple[tuple[str, ...], list[str]]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append((tuple(line[2:].split()), []))
        elif line:
            found[-1][1].append(line)
    return [Command(words, tuple(lines)) for words, lines in found]


def run(command: Command, folder: Path) -> None:
    """Type a `caplab` command in the folder; it must succeed and print each line as often."""
    assert command.words[0] == "caplab", command
    done = subprocess.run(
        [sys.executable, "-m", "caplab", *command.words[1:]],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )
    printed = ESCAPE.sub("", done.stdout + "\n" + done.stderr).replace("\r", "")
    assert done.returncode == 0, printed
    missing = Counter(command.lines) - Counter(line.rstrip() for line in printed.splitlines())
    assert not missing, f"{sorted(missing)} are missing of:\n{printed}"
