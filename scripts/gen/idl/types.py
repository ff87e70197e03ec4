"""Types: from their spelling to what they are."""

from __future__ import annotations

from caplab.kernel.boot.problems import Place
from caplab.scripts.gen.idl import tree, words
from caplab.scripts.gen.idl.model import (
    MESSAGE,
    Array,
    Cap,
    Enum,
    Octets,
    Range,
    Struct,
    Text,
    Type,
    carries,
)
from caplab.scripts.gen.idl.scope import Scope, unique

WORD_LOW, WORD_HIGH = -(1 << 63), (1 << 64) - 1
SHARED_MOST = 512 * 4096
"""Bytes of the largest memory object."""


def place_of(piece: tree.Piece) -> Place:
    return piece.place if isinstance(piece, tree.Word) else piece.name.place


def named(scope: Scope, typed: tree.Typed) -> tuple[tree.Word, Type] | None:
    """The name and the type of a field or a typedef; None after saying what is wrong."""
    name = typed.pieces[-1]
    if not isinstance(name, tree.Word) or len(typed.pieces) < 2:
        scope.refuse(
            "CL113",
            "here stands a type and no name"
            if len(typed.pieces) > 1
            else "a type or a name is missing",
            place_of(name),
            "write a type and a name, as in  int count",
        )
        return None
    made = of(scope, typed.pieces[:-1], typed.count)
    return (name, made) if scope.fit(name) and made is not None else None


def of(scope: Scope, pieces: tuple[tree.Piece, ...], count: tree.Word | None = None) -> Type | None:
    """The type that is spelt so; None after saying what is wrong."""
    made = _plain(scope, pieces)
    if made is None or count is None:
        return made
    exactly = scope.number(count, 1, MESSAGE, "the length of an array")
    if exactly is None or not _element(scope, made, place_of(pieces[0])):
        return None
    return Array(made, exactly, exact=True)


def _plain(scope: Scope, pieces: tuple[tree.Piece, ...]) -> Type | None:
    first = pieces[0]
    if isinstance(first, tree.Generic):
        if len(pieces) > 1:
            _unexpected(scope, pieces[1])
            return None
        return _generic(scope, first)
    for piece in pieces[1:]:
        if isinstance(piece, tree.Generic):
            _unexpected(scope, piece)
            return None
    spelt = tuple(str(piece) for piece in pieces)
    if (integer := words.integer(spelt)) is not None:
        return integer
    if len(spelt) > 1:
        _unexpected(scope, pieces[1])
        return None
    return _simple(scope, first)


def _unexpected(scope: Scope, piece: tree.Piece) -> None:
    word = piece if isinstance(piece, tree.Word) else piece.name
    scope.refuse(
        "CL113",
        f"`{word}` is one word too many for a type",
        word.place,
        "write one type and one name, and `,` or `;` after it",
    )


def _simple(scope: Scope, word: tree.Word) -> Type | None:
    match word.text:
        case "cap":
            return Cap()
        case "range":
            return Range()
        case "string" | "bytes":
            example = f"{word}<64>"
            scope.refuse(
                "CL118",
                f"a {word} says how many bytes it has at most, so that both ends can hold to it",
                word.place,
                f"write for instance {example}",
            )
            return None
        case "array":
            scope.refuse(
                "CL118",
                "an array says of what it is, and how much there is at most",
                word.place,
                "write for instance array<int, 8>",
            )
            return None
    entry = scope.find(word.text)
    if entry is None or entry.kind != "type":
        scope.unknown(word, "type", words.KNOWN)
        return None
    assert not isinstance(entry.value, int)
    return entry.value  # type: ignore[return-value]  # an interface is of another kind


def _generic(scope: Scope, generic: tree.Generic) -> Type | None:
    name, arguments = generic.name, generic.arguments
    forms = {
        "string": ("string<64>", 1),
        "bytes": ("bytes<64>", 1),
        "range": ("range<4096>", 1),
        "cap": ("cap<Calc>", 1),
        "array": ("array<int, 8>", 2),
    }
    if name.text not in forms:
        scope.refuse(
            "CL113",
            f"`{name}` takes nothing in angles",
            name.place,
            f"only {', '.join(forms)} do",
        )
        return None
    example, count = forms[name.text]
    if name.text == "array" and len(arguments) < count:
        return _simple(scope, name)  # which says what is missing
    if len(arguments) != count:
        scope.refuse(
            "CL118",
            f"`{name}` takes {count} in angles, not {len(arguments)}",
            name.place,
            f"write for instance {example}",
        )
        return None
    if name.text == "cap":
        return _typed_cap(scope, arguments[0])
    bound = arguments[-1]
    word = bound[0]
    if len(bound) != 1 or not isinstance(word, tree.Word):
        scope.refuse("CL117", f"the bound of `{name}` is no number", place_of(word), example)
        return None
    most = scope.number(
        word, 1, SHARED_MOST if name.text == "range" else MESSAGE, f"the bound of `{name}`"
    )
    if most is None:
        return None
    if name.text == "array":
        element = of(scope, arguments[0])
        if element is None or not _element(scope, element, place_of(arguments[0][0])):
            return None
        return Array(element, most, exact=False)
    bounded: dict[str, type[Text | Octets | Range]] = {
        "string": Text,
        "bytes": Octets,
        "range": Range,
    }
    return bounded[name.text](most)


def _typed_cap(scope: Scope, argument: tuple[tree.Piece, ...]) -> Type | None:
    word = argument[0]
    if len(argument) != 1 or not isinstance(word, tree.Word):
        scope.refuse("CL114", "a cap is to one interface", place_of(word), "write cap<Calc>")
        return None
    entry = scope.find(word.text)
    if entry is not None and entry.kind == "interface":
        return Cap(word.text, entry.file)
    below = scope.later.get(word.text)
    if below is not None and word.text in scope.interfaces:
        return Cap(word.text, scope.path)
    scope.unknown(word, "interface")
    return None


def _element(scope: Scope, element: Type, place: Place) -> bool:
    """Whether arrays and structs may hold it: capabilities go beside the words of a message."""
    if not carries(element):
        return True
    scope.refuse(
        "CL121",
        "a capability is a parameter of its own: it does not travel among the words",
        place,
        "make it a parameter, or take it out",
    )
    return False


def struct(scope: Scope, one: tree.Struct) -> Struct | None:
    """A struct with its fields."""
    fields: list[tuple[str, Type]] = []
    good = bool(one.fields)
    if not one.fields:
        scope.refuse(
            "CL121", f"the struct `{one.name}` is empty", one.name.place, "give it a field"
        )
    for each in one.fields:
        made = named(scope, each)
        if made is None or not _element(scope, made[1], place_of(each.pieces[0])):
            good = False
        else:
            fields.append((made[0].text, made[1]))
    unique(
        scope, [w for w in (f.pieces[-1] for f in one.fields) if isinstance(w, tree.Word)], "fields"
    )
    return Struct(one.name.text, tuple(fields), scope.path) if good else None


def enum(scope: Scope, one: tree.Enum) -> Enum | None:
    """An enum; a member without a number has one more than that before it, as in C."""
    members: list[tuple[str, int]] = []
    following = 0
    seen: dict[int, tree.Word] = {}
    good = True
    for name, number in one.members:
        good &= scope.fit(name)
        value: int | None = following if following < 1 << 63 else None
        if value is None and number is None:
            message = f"`{name}` would be {following}, and 64 bits hold no more than that less 1"
            scope.refuse("CL117", message, name.place, "give it a number")
        if number is not None:
            value = scope.number(number, -(1 << 63), (1 << 63) - 1, "a member's number")
        if value is None:
            return None
        if (first := seen.setdefault(value, name)) is not name:
            scope.refuse(
                "CL112",
                f"`{name}` and `{first}` are both {value}",
                name.place,
                "give each a number of its own",
            )
            good = False
        members.append((name.text, value))
        following = value + 1
    if not members:
        scope.refuse("CL121", f"the enum `{one.name}` is empty", one.name.place, "give it a member")
    unique(scope, [name for name, _ in one.members], "members")
    return Enum(one.name.text, tuple(members), scope.path) if good and members else None
