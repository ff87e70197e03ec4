"""Values that take more than a word: how they travel, checked at both ends.

A text or bytes: a word with the length, then the bytes, filled up to a word. An array: a word with
the count, unless it is always the same, then the elements. A struct: its fields, one after the
other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import IntEnum
from struct import Struct
from typing import Any, Protocol, TypeVar

from caplab.pd.idl.errors import BadValue, MessageTooLong, MessageTooShort, OutOfRange, out_of_range

E = TypeVar("E", bound=IntEnum)
_WORD = Struct("<Q")
_SIGNED = Struct("<q")


class Codec(Protocol):
    """How values of one type travel. `name` is the parameter's, for what is refused."""

    def pack(self, value: Any, name: str) -> bytes:
        """A whole number of words. Errors: OutOfRange, BadValue"""
        ...

    def unpack(self, data: bytes, at: int, name: str) -> tuple[Any, int]:
        """The value at a place of a message, and the place behind it.

        Errors: MessageTooShort, OutOfRange, BadValue
        """
        ...


class Number:
    """An integer: a word, extended by its sign."""

    def __init__(self, what: str, low: int, high: int) -> None:
        self.what, self.low, self.high = what, low, high
        self.word = _SIGNED if low < 0 else _WORD

    def pack(self, value: int, name: str) -> bytes:
        if not self.low <= value <= self.high:
            raise out_of_range(name, value, self.what)
        return self.word.pack(value)

    def unpack(self, data: bytes, at: int, name: str) -> tuple[int, int]:
        _room(data, at, 8, name)
        (value,) = self.word.unpack_from(data, at)
        if not self.low <= value <= self.high:
            raise out_of_range(name, value, self.what)
        return value, at + 8


class Truth:
    """A bool: 0 or 1."""

    def pack(self, value: bool, name: str) -> bytes:
        return _WORD.pack(1 if value else 0)

    def unpack(self, data: bytes, at: int, name: str) -> tuple[bool, int]:
        _room(data, at, 8, name)
        (value,) = _WORD.unpack_from(data, at)
        return truth(value, name), at + 8


class Member:
    """A member of an enum."""

    def __init__(self, kind: type[IntEnum]) -> None:
        self.kind = kind

    def pack(self, value: int, name: str) -> bytes:
        return _SIGNED.pack(member(self.kind, value, name))

    def unpack(self, data: bytes, at: int, name: str) -> tuple[IntEnum, int]:
        _room(data, at, 8, name)
        (value,) = _SIGNED.unpack_from(data, at)
        return member(self.kind, value, name), at + 8


class Octets:
    """At most so many bytes."""

    def __init__(self, most: int) -> None:
        self.most = most

    def pack(self, value: bytes | bytearray | memoryview, name: str) -> bytes:
        data = bytes(value)
        if len(data) > self.most:
            raise OutOfRange(f"`{name}` has {len(data)} bytes, and {self.most} are the most")
        return _WORD.pack(len(data)) + data + b"\0" * (-len(data) % 8)

    def unpack(self, data: bytes, at: int, name: str) -> tuple[bytes, int]:
        _room(data, at, 8, name)
        (length,) = _WORD.unpack_from(data, at)
        if length > self.most:
            raise OutOfRange(f"`{name}` has {length} bytes, and {self.most} are the most")
        begin = at + 8
        end = begin + -(-length // 8) * 8
        _room(data, begin, end - begin, name)
        return data[begin : begin + length], end


class Text(Octets):
    """UTF-8 of at most so many bytes."""

    def pack(self, value: Any, name: str) -> bytes:
        try:
            return super().pack(value.encode(), name)
        except UnicodeEncodeError:
            raise BadValue(f"`{name}` cannot be written in UTF-8") from None

    def unpack(self, data: bytes, at: int, name: str) -> tuple[Any, int]:
        found, end = super().unpack(data, at, name)
        try:
            return found.decode(), end
        except UnicodeDecodeError:
            raise BadValue(f"`{name}` is not UTF-8") from None


class Many:
    """At most so many elements of a type, or exactly so many."""

    def __init__(self, element: Codec, most: int, *, exact: bool = False) -> None:
        self.element, self.most, self.exact = element, most, exact

    def pack(self, value: Sequence[Any], name: str) -> bytes:
        self._check(len(value), name)
        head = b"" if self.exact else _WORD.pack(len(value))
        pack = self.element.pack
        return head + b"".join([pack(each, name) for each in value])

    def unpack(self, data: bytes, at: int, name: str) -> tuple[tuple[Any, ...], int]:
        count = self.most
        if not self.exact:
            _room(data, at, 8, name)
            (count,) = _WORD.unpack_from(data, at)
            self._check(count, name)
            at += 8
        found = []
        unpack = self.element.unpack
        for _ in range(count):
            value, at = unpack(data, at, name)
            found.append(value)
        return tuple(found), at

    def _check(self, count: int, name: str) -> None:
        if count > self.most or (self.exact and count != self.most):
            how = "as many as there are" if self.exact else "the most"
            raise OutOfRange(f"`{name}` has {count} elements, and {self.most} are {how}")


class Record:
    """A struct."""

    def __init__(self, kind: Callable[..., Any], *fields: tuple[str, Codec]) -> None:
        self.kind, self.fields = kind, fields

    def pack(self, value: Any, name: str) -> bytes:
        if len(value) != len(self.fields):
            raise BadValue(f"`{name}` has {len(value)} fields instead of {len(self.fields)}")
        return b"".join(
            [
                codec.pack(each, f"{name}.{field}")
                for (field, codec), each in zip(self.fields, value, strict=True)
            ]
        )

    def unpack(self, data: bytes, at: int, name: str) -> tuple[Any, int]:
        found = []
        for field, codec in self.fields:
            value, at = codec.unpack(data, at, f"{name}.{field}")
            found.append(value)
        return self.kind(*found), at


def truth(value: int, name: str) -> bool:
    """A bool from its word. Errors: BadValue"""
    if value > 1:
        raise BadValue(f"`{name}` is {value}, and a bool is 0 or 1")
    return value == 1


def member(kind: type[E], value: int, name: str) -> E:
    """A member of an enum from its number. Errors: BadValue"""
    try:
        return kind(value)
    except ValueError:
        raise BadValue(f"`{name}` is {value}, which is no {kind.__name__}") from None


def ended(data: bytes, at: int, what: str) -> None:
    """Refuse what stands behind the last value. Errors: MessageTooLong"""
    if at != len(data):
        raise MessageTooLong(f"{what} has {len(data)} bytes instead of {at}")


def at_least(data: bytes, length: int, what: str) -> None:
    """Refuse a message that ends before its first words do. Errors: MessageTooShort"""
    if len(data) < length:
        raise MessageTooShort(f"{what} has {len(data)} bytes, {length} of them are always there")


def _room(data: bytes, at: int, length: int, name: str) -> None:
    if at + length > len(data):
        raise MessageTooShort(f"the message ends in the middle of `{name}`")
