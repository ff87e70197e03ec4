"""Whether generated code was made of the text it stands beside; nothing is generated here.

`caplab gen` writes the mark of a `.proto` or an `.idl` into the first line of what it makes of it.
Of an `.idl` the mark names all files that it rests on, each with what its text was.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

_IDL_MARK = "# Made by `caplab gen` of "
_WITH = "# with "
_PART = re.compile(r"(.+\.idl) ([0-9a-f]{16})")


def mark_of(proto: Path) -> str:
    """The line that code made of this `.proto` begins with."""
    digest = hashlib.sha256(proto.read_bytes()).hexdigest()
    return f"# Made by `caplab gen` of {proto.name}, sha256 {digest}."


def outputs(proto: Path) -> tuple[Path, Path]:
    """The files that are made of a `.proto`: the code, and its annotations."""
    code = proto.with_name(f"{proto.stem}_pb2.py")
    return code, code.with_suffix(".pyi")


def idl_mark(files: Sequence[Path], folder: Path) -> str:
    """How code made of an `.idl` begins: a line for the file, and for each it rests on."""
    parts = [f"{os.path.relpath(file, folder)} {_digest(file)}" for file in files]
    return "\n".join([_IDL_MARK + parts[0], *(_WITH + part for part in parts[1:])])


def _digest(file: Path) -> str:
    """The beginning of the hash of a file; of one that cannot be read nothing is made."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()[:16]
    except OSError:
        return ""


def idls(code: Path) -> dict[Path, str]:
    """The `.idl` files that a module was made of, its own first, with the hash each had."""
    try:
        with code.open() as text:
            first = text.readline()
            if not first.startswith(_IDL_MARK):
                return {}
            lines = [first.removeprefix(_IDL_MARK)]
            while (line := text.readline()).startswith(_WITH):
                lines.append(line.removeprefix(_WITH))
    except (OSError, UnicodeDecodeError):
        return {}
    parts = [found.groups() for line in lines if (found := _PART.fullmatch(line.rstrip("\n")))]
    return {Path(os.path.normpath(code.parent / name)): digest for name, digest in parts}


def _stale_idls(folder: Path) -> Iterator[Path]:
    """The `.idl` files of which a module of the folder was made when they said something else, and
    those that lie there and no module was made of.
    """
    known: set[Path] = set()
    stale: set[Path] = set()
    for code in sorted(folder.glob("*.py")):
        made = idls(code)
        known |= made.keys()
        if any(_digest(file) != digest for file, digest in made.items()):
            stale.add(next(iter(made)))
    there = {Path(os.path.normpath(file)) for file in folder.glob("*.idl")}
    yield from sorted(stale | (there - known))


def missing(source: Path) -> bool:
    """Whether no code at all was made of a `.proto` or an `.idl`."""
    if source.suffix == ".idl":
        return not any(
            Path(os.path.normpath(source)) in idls(code) for code in source.parent.glob("*.py")
        )
    return not outputs(source)[0].is_file()


def stale(folder: Path) -> Iterator[Path]:
    """The `.proto` and `.idl` files of a folder whose code is missing or of another text."""
    yield from _stale_idls(folder)
    for proto in sorted(folder.glob("*.proto")):
        code, _ = outputs(proto)
        try:
            with code.open() as lines:
                fresh = lines.readline().rstrip("\n") == mark_of(proto)
        except (OSError, UnicodeDecodeError):
            fresh = False
        if not fresh:
            yield proto
