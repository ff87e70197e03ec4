"""Whether generated code was made of the text it stands beside; nothing is generated here.

`caplab gen` writes the mark of a `.proto` into the first line of what it makes of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path


def mark_of(proto: Path) -> str:
    """The line that code made of this `.proto` begins with."""
    digest = hashlib.sha256(proto.read_bytes()).hexdigest()
    return f"# Made by `caplab gen` of {proto.name}, sha256 {digest}."


def outputs(proto: Path) -> tuple[Path, Path]:
    """The files that are made of a `.proto`: the code, and its annotations."""
    code = proto.with_name(f"{proto.stem}_pb2.py")
    return code, code.with_suffix(".pyi")


def stale(folder: Path) -> Iterator[Path]:
    """The `.proto` files of a folder whose code is missing or was made of another text."""
    for proto in sorted(folder.glob("*.proto")):
        code, _ = outputs(proto)
        try:
            with code.open() as lines:
                fresh = lines.readline().rstrip("\n") == mark_of(proto)
        except (OSError, UnicodeDecodeError):
            fresh = False
        if not fresh:
            yield proto
