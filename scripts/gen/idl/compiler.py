"""From `.idl` files to what they mean, with everything that is wrong with them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from caplab.kernel.boot.problems import Note, Place, Problem
from caplab.scripts.gen.idl import interfaces, tree, types
from caplab.scripts.gen.idl.model import Enum, File, Interface, Struct
from caplab.scripts.gen.idl.scope import Scope
from caplab.scripts.gen.idl.syntax import Unreadable, parse

OWN = Path(__file__).with_name("type_files")
"""The type files that come with caplab: what `#include <systypes/base.h>` finds."""
LARGEST = 1 << 20


class BadIdl(Exception):
    """Files that are wrong; `problems` are all of their mistakes."""

    def __init__(self, problems: list[Problem]) -> None:
        from caplab.kernel.boot.problems import render

        super().__init__(render(problems))
        self.problems = tuple(problems)


def compiled(paths: Iterable[Path]) -> list[File]:
    """What the files mean, without those they import. Raises BadIdl."""
    compiler = Compiler()
    found = [compiler.file(path) for path in paths]
    if compiler.problems:
        raise BadIdl(compiler.problems)
    return [each for each in found if each is not None]


def shown(path: Path) -> str:
    """A path as a reader wants it."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative


class Compiler:
    """Compiles files and what they import, each of them once."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self._done: dict[Path, tuple[File, Scope] | None] = {}
        self._open: list[Path] = []

    def file(self, path: Path) -> File | None:
        """One file; None when it, or what it imports, has mistakes."""
        done = self._compile(path.resolve(), Place(shown(path)))
        return done[0] if done else None

    def _compile(self, path: Path, at: Place) -> tuple[File, Scope] | None:
        if path in self._done:
            return self._done[path]
        before = len(self.problems)
        self._open.append(path)
        made = self._read(path, at)
        self._open.pop()
        self._done[path] = made if len(self.problems) == before else None
        return self._done[path]

    def _read(self, path: Path, at: Place) -> tuple[File, Scope] | None:
        name = shown(path)
        try:
            data = path.read_bytes()
            if len(data) > LARGEST:
                raise OSError(None, f"it is larger than {LARGEST} bytes")
            parsed = parse(data.decode("utf-8-sig").expandtabs(1), name)
        except OSError as why:
            message = f"{name} cannot be read: {why.strerror}"
            self.problems.append(Problem("CL110", message, at, "correct the name of the file"))
            return None
        except UnicodeDecodeError as why:
            message = f"{name} is not UTF-8: byte {why.start} is not"
            self.problems.append(Problem("CL110", message, at, "save it as UTF-8"))
            return None
        except Unreadable as wrong:
            self.problems.append(wrong.problem)
            return None
        return self._meaning(path, parsed)

    def _meaning(self, path: Path, parsed: tree.Tree) -> tuple[File, Scope]:
        scope = Scope(path, self.problems)
        words = [_declared(item) for item in parsed.items]
        scope.later = {word.text: word for word in reversed(words) if word is not None}
        scope.interfaces = frozenset(
            item.name.text for item in parsed.items if isinstance(item, tree.Interface)
        )
        rests: dict[Path, None] = {}
        for item in parsed.items:
            if isinstance(item, tree.Import):
                self._import(scope, item, rests)
            else:
                _declare(scope, item)
        values = [(entry.word.text, entry.kind, entry.value) for entry in scope.own.values()]
        made = File(
            path,
            tuple(rests),
            tuple((name, v) for name, kind, v in values if kind == "const" and isinstance(v, int)),
            tuple(v for _, _, v in values if isinstance(v, Enum | Struct) and v.file == path),
            tuple(v for _, _, v in values if isinstance(v, Interface)),
        )
        return made, scope

    def _import(self, scope: Scope, item: tree.Import, rests: dict[Path, None]) -> None:
        path = self._found(scope, item)
        if path is None:
            return
        if path in self._open:
            scope.refuse(
                "CL110",
                f"{shown(path)} imports itself"
                + ("" if path == scope.path else f", by way of {shown(scope.path)}"),
                item.path.place,
                "move what both need into a third file",
            )
            return
        done = self._compile(path, item.path.place)
        if done is None:
            return
        made, other = done
        rests.update(dict.fromkeys((path, *made.imports)))
        for name, entry in {**other.imported, **other.own}.items():
            there = scope.find(name)
            if there is not None and there.word is not entry.word:
                scope.refuse(
                    "CL112",
                    f"`{name}` of {shown(entry.file)} is declared twice",
                    item.path.place,
                    "rename one of the two",
                    [Note("one", entry.word.place), Note("the other", there.word.place)],
                )
            scope.imported.setdefault(name, entry)

    def _found(self, scope: Scope, item: tree.Import) -> Path | None:
        name = item.path.text[1:-1]
        wanted = Path(name).with_suffix(".idl") if item.type_file else Path(name)
        places = [scope.path.parent / wanted]
        if item.type_file:
            places.append(OWN / wanted)
        for place in places:
            try:
                if place.is_file():
                    return place.resolve()
            except OSError:  # such a name cannot be that of a file
                break
        fix = "correct the name: it is looked for beside this file"
        if item.type_file:
            fix = f"write its types into {wanted}, as in  typedef uint64_t offset_t;"
        scope.refuse("CL110", f"there is no {wanted}", item.path.place, fix)
        return None


def _declared(item: tree.Item) -> tree.Word | None:
    if isinstance(item, tree.Import):
        return None
    if isinstance(item, tree.Typedef):
        last = item.typed.pieces[-1]
        return last if isinstance(last, tree.Word) else None
    return item.name


def _declare(scope: Scope, item: tree.Item) -> None:
    before = len(scope.problems)
    match item:
        case tree.Const(name, value):
            low, high = types.WORD_LOW, types.WORD_HIGH
            number = scope.number(value, low, high, f"the constant `{name}`")
            if number is not None:
                scope.declare("const", name, number)
        case tree.Typedef(typed):
            made = types.named(scope, typed)
            if made is not None:
                scope.declare("type", *made)
        case tree.Enum():
            if (enum := types.enum(scope, item)) is not None:
                scope.declare("type", item.name, enum)
        case tree.Struct():
            if (struct := types.struct(scope, item)) is not None:
                scope.declare("type", item.name, struct)
        case tree.Interface():
            whole = interfaces.compound if item.composes else interfaces.simple
            scope.declare("interface", item.name, whole(scope, item))
    word = _declared(item)
    if len(scope.problems) > before and word is not None and scope.find(word.text) is None:
        scope.broken.add(word.text)
