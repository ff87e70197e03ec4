"""What the modules that are made of an `.idl` file are called, and by which names they import."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from caplab.scripts.gen.idl.words import snake

CAPLAB = Path(__file__).resolve().parents[3]
FOLDERS = ("kernel", "pd", "servers", "clients", "scripts")
PROGRAMS = ("__init__.py", "server.py", "main.py")
"""A folder with one of these is imported by its name."""


def package_of(folder: Path) -> str:
    """The package that modules of a folder are in; empty where the folder is a code root."""
    folder = folder.resolve()
    if folder.is_relative_to(CAPLAB) and folder.relative_to(CAPLAB).parts[:1] in [
        (name,) for name in FOLDERS
    ]:
        return ".".join(("caplab", *folder.relative_to(CAPLAB).parts))
    parts: list[str] = []
    while folder.name.isidentifier() and any((folder / name).is_file() for name in PROGRAMS):
        if parts and not (folder / "__init__.py").is_file():
            break
        parts.insert(0, folder.name)
        folder = folder.parent
    return ".".join(parts)


@dataclass(frozen=True)
class Names:
    """Where everything goes: beside its file, or all of it into one folder."""

    output: Path | None = None
    package: str | None = None

    def folder(self, file: Path) -> Path:
        return self.output or file.parent

    def dotted(self, file: Path, leaf: str) -> str:
        package = self.package if self.package is not None else package_of(self.folder(file))
        return f"{package}.{leaf}" if package else leaf

    def types(self, file: Path) -> str:
        """The module with a file's constants, enums and structs."""
        return self.dotted(file, types_leaf(file))

    def side(self, interface: str, file: Path, side: str) -> str:
        """The module of an interface that is its `interface`, its `client` or its `server`."""
        return self.dotted(file, side_leaf(interface, side))


def types_leaf(file: Path) -> str:
    return re.sub(r"\W", "_", f"{file.stem}_types")


def side_leaf(interface: str, side: str) -> str:
    return f"{snake(interface)}_{side}"
