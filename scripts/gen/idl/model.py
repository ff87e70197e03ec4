"""What an `.idl` file means: interfaces, their operations, and the types of what they carry.

All of it is resolved: no name is left to be looked up, every bound and every opcode is a number.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from caplab.kernel.boot.problems import Place

WORD = 8
MESSAGE = 960
"""Bytes of a message, the opcode's word included (MSG_BYTES)."""
Direction = Literal["in", "out", "inout"]


@dataclass(frozen=True)
class Int:
    """An integer of so many bits. It travels as a word, extended by its sign."""

    bits: int
    signed: bool

    @property
    def low(self) -> int:
        return -(1 << self.bits - 1) if self.signed else 0

    @property
    def high(self) -> int:
        return (1 << self.bits - self.signed) - 1

    @property
    def spelling(self) -> str:
        return f"{'int' if self.signed else 'uint'}{self.bits}"


@dataclass(frozen=True)
class Bool:
    spelling: str = "bool"


@dataclass(frozen=True)
class Enum:
    name: str
    members: tuple[tuple[str, int], ...]
    file: Path

    @property
    def spelling(self) -> str:
        return f"enum {self.name} {{{', '.join(f'{n}={v}' for n, v in self.members)}}}"


@dataclass(frozen=True)
class Text:
    """UTF-8 of at most so many bytes."""

    most: int

    @property
    def spelling(self) -> str:
        return f"string<{self.most}>"


@dataclass(frozen=True)
class Octets:
    """At most so many bytes."""

    most: int

    @property
    def spelling(self) -> str:
        return f"bytes<{self.most}>"


@dataclass(frozen=True)
class Array:
    """At most so many elements; if `exact`, neither more nor fewer."""

    element: Type
    most: int
    exact: bool

    @property
    def spelling(self) -> str:
        if self.exact:
            return f"{self.element.spelling}[{self.most}]"
        return f"array<{self.element.spelling}, {self.most}>"


@dataclass(frozen=True)
class Struct:
    name: str
    fields: tuple[tuple[str, Type], ...]
    file: Path

    @property
    def spelling(self) -> str:
        inside = " ".join(f"{each.spelling} {name};" for name, each in self.fields)
        return f"struct {self.name} {{{inside}}}"


@dataclass(frozen=True)
class Cap:
    """A capability: any, or one that answers an interface, which a file declares."""

    interface: str | None = None
    file: Path | None = None

    @property
    def spelling(self) -> str:
        return f"cap<{self.interface}>" if self.interface else "cap"


@dataclass(frozen=True)
class Range:
    """Bytes of shared memory: a capability to it, an offset and a length, at most `most`."""

    most: int | None = None

    @property
    def spelling(self) -> str:
        return "range" if self.most is None else f"range<{self.most}>"


Type = Int | Bool | Enum | Text | Octets | Array | Struct | Cap | Range
Scalar = (Int, Bool, Enum)
"""What travels as one word."""


@dataclass(frozen=True)
class Parameter:
    name: str
    direction: Direction
    type: Type

    @property
    def goes(self) -> bool:
        return self.direction != "out"

    @property
    def comes(self) -> bool:
        return self.direction != "in"


@dataclass(frozen=True)
class Operation:
    name: str
    opcode: int
    parameters: tuple[Parameter, ...]
    oneway: bool
    place: Place

    @property
    def asked(self) -> tuple[Parameter, ...]:
        """What the request carries."""
        return tuple(each for each in self.parameters if each.goes)

    @property
    def answered(self) -> tuple[Parameter, ...]:
        """What the reply carries."""
        return tuple(each for each in self.parameters if each.comes)

    @property
    def spelling(self) -> str:
        inside = ", ".join(f"{p.direction} {p.type.spelling} {p.name}" for p in self.parameters)
        return f"{'oneway ' if self.oneway else ''}void {self.name}({inside})"


@dataclass(frozen=True, eq=False)
class Interface:
    """An interface; one that `composes` others has no operations of its own."""

    name: str
    file: Path
    place: Place
    protocol: int = 0
    operations: tuple[Operation, ...] = ()
    errors: tuple[tuple[str, int], ...] = ()
    composes: tuple[Interface, ...] = ()

    @property
    def parts(self) -> Iterator[Interface]:
        """The interfaces with operations that it is made of, itself if it is one."""
        if not self.composes:
            yield self
        for each in self.composes:
            yield from each.parts

    @property
    def version(self) -> int:
        """A number that another interface of this name does not have: both ends compare it."""
        said = [f"interface {self.name} protocol {self.protocol}"]
        said += [f"{each.opcode}: {each.spelling}" for each in self.operations]
        said += [f"error {name} = {number}" for name, number in self.errors]
        said += [f"composes {each.name} {each.version}" for each in self.composes]
        return int.from_bytes(hashlib.sha256("\n".join(said).encode()).digest()[:8], "little")


@dataclass(frozen=True)
class File:
    """One `.idl` file, and what it declares itself."""

    path: Path
    imports: tuple[Path, ...]
    """All files it rests on, those of its imports included."""
    constants: tuple[tuple[str, int], ...]
    types: tuple[Enum | Struct, ...]
    interfaces: tuple[Interface, ...]


def size(one: Type) -> int:
    """Bytes that a value takes in a message, at most."""
    match one:
        case Text(most) | Octets(most):
            return WORD + -(-most // WORD) * WORD
        case Array(element, most, exact):
            return (0 if exact else WORD) + most * size(element)
        case Struct(fields=fields):
            return sum(size(each) for _, each in fields)
        case Cap():
            return 0
        case Range():
            return 2 * WORD
    return WORD


def carries(one: Type) -> bool:
    """Whether a capability travels with it."""
    return isinstance(one, Cap | Range)


def protocol_of(name: str) -> int:
    """The label of an interface that names none: `L4`, then six bytes of its name's hash."""
    return 0x4C34 << 48 | int.from_bytes(hashlib.sha256(name.encode()).digest()[:6], "big")
