"""The names of one file while it is compiled: what it declares, and what its imports do."""

from __future__ import annotations

import keyword
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from caplab.kernel.boot.problems import Note, Place, Problem, meant
from caplab.scripts.gen.idl import tree, words
from caplab.scripts.gen.idl.model import Interface, Type

LONGEST = 40
"""Digits of a number that are looked at: 64 bits have no more than 20."""
WHAT = {"const": "a constant", "type": "a type", "interface": "an interface"}


@dataclass(frozen=True)
class Entry:
    """What a name stands for. An interface that is being read has no value yet."""

    kind: str
    word: tree.Word
    file: Path
    value: int | Type | Interface | None


@dataclass
class Scope:
    """One file. Problems of all files go to one list."""

    path: Path
    problems: list[Problem]
    own: dict[str, Entry] = field(default_factory=dict)
    imported: dict[str, Entry] = field(default_factory=dict)
    later: dict[str, tree.Word] = field(default_factory=dict)
    """Names that the file declares further down."""
    interfaces: frozenset[str] = frozenset()
    """Names of the interfaces that it declares, wherever."""
    broken: set[str] = field(default_factory=set)
    """Names whose declaration was refused: their use is no further mistake."""

    def refuse(
        self, code: str, message: str, place: Place, fix: str, notes: Iterable[Note] = ()
    ) -> None:
        self.problems.append(Problem(code, message, place, fix, tuple(notes)))

    def find(self, name: str) -> Entry | None:
        return self.own.get(name) or self.imported.get(name)

    def declare(self, kind: str, word: tree.Word, value: int | Type | Interface | None) -> None:
        """Enter a name, unless it is taken or cannot be one."""
        if not self.fit(word, declared=True):
            return
        self.later.pop(word.text, None)
        there = self.find(word.text)
        if there is not None and there.word is not word:
            self.refuse(
                "CL112",
                f"`{word}` is declared twice",
                word.place,
                "rename one of the two",
                [Note(f"it is {WHAT[there.kind]} here", there.word.place)],
            )
            return
        self.own[word.text] = Entry(kind, word, self.path, value)

    def fit(self, word: tree.Word, *, declared: bool = False) -> bool:
        """Whether a word can be a name, of what modules declare or of a part; says why not."""
        name = word.text
        if name in words.RESERVED or words.integer((name,)) is not None or name in words.KNOWN:
            self.refuse(
                "CL112", f"`{name}` is a word of the language", word.place, "choose another name"
            )
        elif declared and (name in words.GENERATED or keyword.iskeyword(name)):
            self.refuse(
                "CL112",
                f"`{name}` is a name that generated code, or Python, needs itself",
                word.place,
                "choose another name",
            )
        elif name.startswith("_"):
            self.refuse(
                "CL112",
                f"`{name}` begins with _, as the names of generated code do",
                word.place,
                f"call it {name.lstrip('_') or 'something else'}",
            )
        else:
            return True
        return False

    def number(self, word: tree.Word, low: int, high: int, what: str) -> int | None:
        """The value of a number, or of a constant's name; None after saying what is wrong."""
        value = self._value(word, what)
        if value is not None and not low <= value <= high:
            self.refuse(
                "CL117",
                f"{what} is a number from {low} to {high}, not {value}",
                word.place,
                f"write a number from {low} to {high}",
            )
            return None
        return value

    def _value(self, word: tree.Word, what: str) -> int | None:
        if word.text[0].isdigit() or word.text[0] == "-":
            digits = word.text.lstrip("-")
            if len(digits) > LONGEST:
                message = f"{what} is a number of {len(digits)} digits"
                self.refuse("CL117", message, word.place, "write one of at most 64 bits")
                return None
            if len(digits) > 1 and digits[0] == "0" and digits.isdigit():
                plain = digits.lstrip("0") or "0"
                self.refuse(
                    "CL117",
                    f"`{word}` begins with 0: C reads it as octal, others do not",
                    word.place,
                    f"write {plain}, or 0x… for hexadecimal",
                )
                return None
            return int(word.text, 0)
        entry = self.find(word.text)
        if entry is not None and entry.kind == "const":
            assert isinstance(entry.value, int)
            return entry.value
        near = meant(word.text, self.names("const"))
        fix = f"write {near}" if near else f"declare it, or import it: const {word} = …;"
        fix = "name a constant, or write the number" if entry else fix
        said = f"is {WHAT[entry.kind]}, not a number" if entry else "is no constant"
        notes = [Note("it is declared here", entry.word.place)] if entry else []
        self.refuse("CL117", f"{what}: `{word}` {said}", word.place, fix, notes)
        return None

    def names(self, kind: str) -> list[str]:
        """All names of a kind that can be seen."""
        return [n for n, e in {**self.imported, **self.own}.items() if e.kind == kind]

    def types(self) -> set[str]:
        """The names of all types that can be seen."""
        return {*self.names("type"), *words.KNOWN, *self.broken}

    def unknown(self, word: tree.Word, kind: str, more: Iterable[str] = ()) -> None:
        """Say that a name is not known, or not of the kind."""
        if word.text in self.broken:
            return
        code = {"type": "CL113", "interface": "CL114"}[kind]
        there = self.find(word.text)
        below = self.later.get(word.text)
        if there is not None:
            message, notes = f"`{word}` is {WHAT[there.kind]}, not {WHAT[kind]}", []
            notes = [Note("it is declared here", there.word.place)]
            fix = "cap<" + word.text + ">" if there.kind == "interface" else f"name {WHAT[kind]}"
            fix = f"write {fix}" if there.kind == "interface" else fix
        elif below is not None:
            message = f"`{word}` is used before it is declared"
            notes, fix = [Note("it is declared here", below.place)], "declare it first"
            if below.place.line <= word.place.line:
                message, fix = f"`{word}` contains itself", "take it out, or use a cap to another"
        else:
            near = meant(word.text, [*self.names(kind), *more])
            message, notes = f"there is no {kind} `{word}`", []
            fix = f"write {near}" if near else "declare it, or import the file that does"
        self.refuse(code, message, word.place, fix, notes)


def unique(
    scope: Scope, names: Iterable[tree.Word], what: str, made: Callable[[str], str] = words.python
) -> None:
    """Refuse a name that stands twice among parameters, fields, members or operations."""
    seen: dict[str, tree.Word] = {}
    for word in names:
        first = seen.setdefault(made(word.text), word)
        if first is not word:
            scope.refuse(
                "CL112",
                f"there are two {what} `{word}`",
                word.place,
                "rename one of the two",
                [Note("the first is here", first.place)],
            )
