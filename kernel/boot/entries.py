"""The PDs of a manifest with their programs: each value, and where it stands.

A key that a manifest leaves out may stand in the `pd.yaml` beside the program.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from caplab.kernel.boot.checked import CheckedPd
from caplab.kernel.boot.model import Keys, PdKeys
from caplab.kernel.boot.problems import ENOUGH, Note, Place, Problem
from caplab.kernel.boot.programs import Found, Programs
from caplab.kernel.boot.shape import Shape
from caplab.kernel.boot.yaml_marks import Step


@dataclass(frozen=True)
class Entry:
    """One PD of a manifest."""

    name: str
    keys: PdKeys
    roots: tuple[str, ...]
    found: Found | None
    """Its program; None when its `run` was refused."""
    shape: Shape

    def value(self, key: str) -> Any:
        """A key's value, its program's default where the manifest says nothing."""
        if key in self.keys.model_fields_set or self.found is None:
            return getattr(self.keys, key)
        return getattr(self.found.defaults, key)

    @property
    def serves(self) -> str | dict[str, str] | None:
        served: str | dict[str, str] | None = self.value("serves")
        return served

    @property
    def type_name(self) -> str | None:
        """The type of resource whose space it manages."""
        return self.serves["space"] if isinstance(self.serves, dict) else None

    def known(self, key: str) -> bool:
        """Whether the value can be relied on: neither it nor the program was refused."""
        refused = ("pds", self.name, key) in self.shape.dropped
        return not refused and self.found is not None and self.found.program is not None

    def at(self, *path: Step, key: bool = False) -> Place:
        """Where a part of this PD stands in the manifest."""
        return self.shape.document.place(("pds", self.name, *path), key=key)

    @property
    def declared(self) -> Place:
        return self.at(key=True)

    def given(self, key: str, *path: Step) -> tuple[Place, tuple[Note, ...]]:
        """Where a value stands; for one of `pd.yaml`, the `run` that brings it and a note."""
        document = self.found.defaults_file if self.found is not None else None
        if key in self.keys.model_fields_set or document is None:
            return self.at(key, *path), ()
        default = document.place((key, *path))
        return self.at("run"), (Note("its program's default", default),)

    def checked(self) -> CheckedPd | None:
        if self.found is None or self.found.program is None:
            return None
        return CheckedPd(
            name=self.name,
            program=self.found.program,
            args=self.keys.args,
            uses=self.keys.uses,
            serves=self.serves,
            rdes=tuple(self.value("rdes")),
            manages=tuple(self.keys.manages),
            faults=self.keys.faults,
            devices=tuple(self.value("devices")),
            threads=self.value("threads"),
            untyped=self.value("untyped"),
            priority=self.keys.priority,
            restart=said(self.keys.restart),
            cleanup=said(self.keys.cleanup),
            console=said(self.keys.console),
            role="server" if self.serves else self.value("role") or "client",
            path=self.roots,
            confinement=self.keys.confinement,
            debug=self.keys.debug,
        )


def said(part: BaseModel | None) -> dict[str, Any] | None:
    """A key with keys of its own as plain data, without what stays open."""
    return None if part is None else part.model_dump(exclude_none=True)


def entries(shape: Shape, keys: Keys, folder: Path) -> dict[str, Entry]:
    """Every PD with its program; problems of code roots and programs go to the shape's."""
    programs = Programs()
    common = _roots(shape, ("path",), keys.path, folder)
    found = {}
    for name, pd in keys.pds.items():
        own = _roots(shape, ("pds", name, "path"), pd.path, folder)
        roots = tuple(dict.fromkeys([str(folder), *common, *own]))
        program = None
        if pd.run and len(shape.problems) <= ENOUGH:
            program = programs.look(pd.run, roots, shape.document.place(("pds", name, "run")))
            shape.problems += program.problems
        found[name] = Entry(name, pd, roots, program, shape)
    return found


def _roots(shape: Shape, path: tuple[Step, ...], given: Sequence[str], folder: Path) -> list[str]:
    roots = []
    for index, entry in enumerate(given):
        root = os.path.normpath(folder / entry)
        if os.path.isdir(root):
            roots.append(root)
            continue
        message = f"the code root `{entry}` is not a folder ({root})"
        fix = "create it, or correct it; it is relative to the manifest"
        at = shape.document.place((*path, index))
        shape.problems.append(Problem("CL039", message, at, fix))
    return roots
