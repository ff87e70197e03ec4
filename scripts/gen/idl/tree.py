"""An `.idl` file as it is written: every word with its place, nothing judged yet."""

from __future__ import annotations

from dataclasses import dataclass, field

from caplab.kernel.boot.problems import Place


@dataclass(frozen=True, slots=True)
class Word:
    """A word of the file, and where it stands."""

    text: str
    place: Place

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Generic:
    """`NAME<argument, …>`; an argument is the words of a type, or of a number."""

    name: Word
    arguments: tuple[tuple[Piece, ...], ...]


Piece = Word | Generic
"""What types are spelt of: `unsigned`, `long`, `array<int, 4>`."""


@dataclass(frozen=True, slots=True)
class Typed:
    """`pieces … NAME [count]`: a field, a parameter or a typedef. The last piece is its name."""

    pieces: tuple[Piece, ...]
    count: Word | None = None


@dataclass(frozen=True, slots=True)
class Attribute:
    name: Word
    value: Word | None


@dataclass(frozen=True, slots=True)
class Import:
    path: Word
    type_file: bool
    """`#include <…>`: a file of types, which may come with caplab."""


@dataclass(frozen=True, slots=True)
class Const:
    name: Word
    value: Word


@dataclass(frozen=True, slots=True)
class Typedef:
    typed: Typed


@dataclass(frozen=True, slots=True)
class Enum:
    name: Word
    members: tuple[tuple[Word, Word | None], ...]


@dataclass(frozen=True, slots=True)
class Struct:
    name: Word
    fields: tuple[Typed, ...]


@dataclass(frozen=True, slots=True)
class ErrorNumber:
    name: Word
    value: Word


@dataclass(frozen=True, slots=True)
class Operation:
    """`[attributes] words … (parameters)`: the last of the words is its name."""

    attributes: tuple[Attribute, ...]
    words: tuple[Word, ...]
    parameters: tuple[Typed, ...]


@dataclass(frozen=True, slots=True)
class Interface:
    name: Word
    attributes: tuple[Attribute, ...]
    operations: tuple[Operation, ...] = ()
    errors: tuple[ErrorNumber, ...] = ()
    composes: tuple[Word, ...] = ()


Item = Import | Const | Typedef | Enum | Struct | Interface


@dataclass(frozen=True, slots=True)
class Tree:
    """A whole file."""

    items: tuple[Item, ...] = field(default=())
