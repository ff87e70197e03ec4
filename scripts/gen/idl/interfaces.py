"""Interfaces: operations and their numbers, errors, and what a compound is made of.

An interface that names no protocol gets one of its own, made of its name, and its operations are
numbered from 0. So two interfaces never clash in a compound because somebody numbered them alike,
a client of one of them need not know in which compounds it is, and a new operation of one renumbers
none of another. Flat numbers, as Departure has them, are there for who gives interfaces the same
protocol; then a clash is refused.
"""

from __future__ import annotations

from collections.abc import Sequence

from caplab.kernel.boot.problems import Note, meant
from caplab.scripts.gen.idl import tree, types
from caplab.scripts.gen.idl.model import (
    MESSAGE,
    WORD,
    Direction,
    Interface,
    Operation,
    Parameter,
    carries,
    protocol_of,
    size,
)
from caplab.scripts.gen.idl.scope import Scope, unique
from caplab.scripts.gen.idl.words import DIRECTIONS, snake

OPCODE_MOST = (1 << 64) - 2
"""The last one asks an interface for its version."""
RESERVED_ERRORS = {
    5: "Below",
    22: "BadValue",
    34: "OutOfRange",
    38: "UnknownOpcode",
    39: "UnknownProtocol",
}
FIRST_LIBRARY, LAST_LIBRARY = 1000, 1999
"""Numbers of errors that are L4's own, or the library's."""


def simple(scope: Scope, one: tree.Interface) -> Interface:
    """An interface with operations."""
    protocol = _protocol(scope, one)
    if not one.operations:
        message = f"`{one.name}` has no operation: there is nothing to ask of it"
        scope.refuse("CL121", message, one.name.place, "give it one, or let it compose others")
    unique(scope, [_name(each) for each in one.operations], "operations", snake)
    taken = _given_opcodes(scope, one)
    operations = []
    free = 0
    for each in one.operations:
        opcode = taken.get(id(each))
        if opcode is None:
            while free in taken.values():
                free += 1
            opcode = taken[id(each)] = free
        operations.append(_operation(scope, each, opcode))
    return Interface(
        one.name.text,
        scope.path,
        one.name.place,
        protocol,
        tuple(each for each in operations if each is not None),
        _errors(scope, one),
    )


def _name(one: tree.Operation) -> tree.Word:
    return one.words[-1]


def _attributes(
    scope: Scope, attributes: Sequence[tree.Attribute], known: str, what: str
) -> tree.Word | None:
    """The value of the one attribute there may be."""
    found: tree.Attribute | None = None
    for each in attributes:
        if each.name.text != known:
            near = meant(each.name.text, [known])
            fix = f"write {near}(N)" if near else f"write {known}(N), or leave it out"
            message = f"`{each.name}` is no attribute of {what}"
            scope.refuse("CL116", message, each.name.place, fix)
        elif found is not None:
            note = Note("the first is here", found.name.place)
            scope.refuse("CL116", f"`{known}` stands twice", each.name.place, "leave one", [note])
        elif each.value is None:
            scope.refuse("CL116", f"`{known}` needs a number", each.name.place, f"write {known}(1)")
        else:
            found = each
    return found.value if found is not None else None


def _protocol(scope: Scope, one: tree.Interface) -> int:
    value = _attributes(scope, one.attributes, "protocol", "an interface")
    if value is None:
        return protocol_of(one.name.text)
    low, high = types.WORD_LOW, types.WORD_HIGH
    number = scope.number(value, low, high, "a protocol")
    return (number or 0) % (1 << 64)


def _given_opcodes(scope: Scope, one: tree.Interface) -> dict[int, int]:
    """The opcodes that are written down, by operation."""
    given: dict[int, int] = {}
    first: dict[int, tree.Operation] = {}
    for each in one.operations:
        value = _attributes(scope, each.attributes, "opcode", "an operation")
        opcode = None if value is None else scope.number(value, 0, OPCODE_MOST, "an opcode")
        if value is None or opcode is None:
            continue
        if (other := first.setdefault(opcode, each)) is not each:
            scope.refuse(
                "CL115",
                f"`{_name(each)}` and `{_name(other)}` both have opcode {opcode}",
                value.place,
                "give one of them another, or none",
                [Note("the first is here", _name(other).place)],
            )
        given[id(each)] = opcode
    return given


def _operation(scope: Scope, one: tree.Operation, opcode: int) -> Operation | None:
    *before, name = one.words
    said = [word.text for word in before]
    oneway = said[:1] == ["oneway"]
    good = scope.fit(name)
    if said[oneway:] != ["void"]:
        wrong = next((w for w in before[oneway:] if w.text != "void"), name)
        scope.refuse(
            "CL119",
            f"`{name}` is to return {wrong if wrong is not name else 'nothing at all'}"
            if wrong is not name
            else f"`{name}` does not say that it returns nothing",
            wrong.place,
            f"write void {name}(…): a result is a parameter, as in  out int result",
        )
        good = False
    parameters = [_parameter(scope, each) for each in one.parameters]
    unique(
        scope,
        [each.pieces[-1] for each in one.parameters if isinstance(each.pieces[-1], tree.Word)],
        "parameters",
    )
    sound = [each for each in parameters if each is not None]
    if oneway and (back := next((p for p in sound if p.comes), None)) is not None:
        scope.refuse(
            "CL119",
            f"`{name}` is oneway and answers nothing, but `{back.name}` is {back.direction}",
            name.place,
            "make it an in parameter, or take `oneway` away",
        )
    if not good or len(sound) < len(parameters):
        return None
    made = Operation(name.text, opcode, tuple(sound), oneway, name.place)
    _fits(scope, made)
    return made


def _parameter(scope: Scope, one: tree.Typed) -> Parameter | None:
    first, *rest = one.pieces
    if not isinstance(first, tree.Word) or first.text not in DIRECTIONS:
        place = types.place_of(first)
        misspelt = isinstance(first, tree.Word) and first.text not in scope.types()
        near = meant(str(first), DIRECTIONS) if misspelt else None
        if near:
            message, fix = f"`{first}` is no direction", f"write {near}"
        else:
            message = "the parameter does not say in which direction it goes"
            fix = f"write in, out or inout before `{place.text[place.column - 1 :][: place.width]}`"
        scope.refuse("CL119", message, place, fix)
        return None
    if not rest:
        scope.refuse("CL119", "a type and a name are missing", first.place, "write in int count")
        return None
    made = types.named(scope, tree.Typed(tuple(rest), one.count))
    if made is None:
        return None
    direction: Direction = first.text  # type: ignore[assignment]  # it is one of DIRECTIONS
    if carries(made[1]) and direction == "inout":
        scope.refuse(
            "CL121",
            "a capability goes one way: what is given is not given back by the same parameter",
            first.place,
            "write in, or out, or two parameters",
        )
        return None
    return Parameter(made[0].text, direction, made[1])


def _fits(scope: Scope, one: Operation) -> None:
    """Whether both messages of an operation fit what the kernel carries."""
    for way, some, head in (("request", one.asked, WORD), ("answer", one.answered, 0)):
        bytes_ = head + sum(size(each.type) for each in some)
        if bytes_ > MESSAGE:
            largest = max(some, key=lambda each: size(each.type))
            scope.refuse(
                "CL120",
                f"the {way} of `{one.name}` has up to {bytes_} bytes, and a message {MESSAGE}",
                one.place,
                f"lower the bound of `{largest.name}`, or share memory: in range {largest.name}",
            )
        brought = [each for each in some if carries(each.type)]
        if len(brought) > 1:
            scope.refuse(
                "CL120",
                f"the {way} of `{one.name}` carries {len(brought)} capabilities, and who receives"
                " has one slot",
                one.place,
                f"send `{brought[1].name}` with an operation of its own",
            )


def _errors(scope: Scope, one: tree.Interface) -> tuple[tuple[str, int], ...]:
    found: list[tuple[str, int]] = []
    numbers: dict[int, tree.Word] = {}
    unique(scope, [each.name for each in one.errors], "errors")
    for each in one.errors:
        number = scope.number(each.value, 1, (1 << 31) - 1, "the number of an error")
        if number is None or not scope.fit(each.name, declared=True):
            continue
        if number in RESERVED_ERRORS or FIRST_LIBRARY <= number <= LAST_LIBRARY:
            whose = RESERVED_ERRORS.get(number, "the library's")
            scope.refuse(
                "CL122",
                f"error {number} is {whose} already",
                each.value.place,
                f"take another: not {', '.join(map(str, RESERVED_ERRORS))},"
                f" nor {FIRST_LIBRARY} to {LAST_LIBRARY}",
            )
        elif (first := numbers.setdefault(number, each.name)) is not each.name:
            note = Note("the first is here", first.place)
            scope.refuse(
                "CL122",
                f"`{each.name}` and `{first}` are both error {number}",
                each.value.place,
                "give each a number of its own",
                [note],
            )
        elif each.name.text == f"{one.name}Error":
            scope.refuse(
                "CL122",
                f"`{each.name}` is what all errors of `{one.name}` are",
                each.name.place,
                "choose another name",
            )
        else:
            found.append((each.name.text, number))
    return tuple(found)


def compound(scope: Scope, one: tree.Interface) -> Interface | None:
    """An interface made of others, which answer under their own protocols."""
    if one.attributes:
        scope.refuse(
            "CL116",
            f"`{one.name}` is made of others, and each of them has its own protocol",
            one.attributes[0].name.place,
            "give the attribute to the interfaces it composes",
        )
    parts: list[Interface] = []
    for word in one.composes:
        entry = scope.find(word.text)
        if entry is not None and entry.kind == "interface":
            if isinstance(entry.value, Interface):
                parts.append(entry.value)
        else:
            scope.unknown(word, "interface")
    made = Interface(one.name.text, scope.path, one.name.place, composes=tuple(parts))
    return made if len(parts) == len(one.composes) and _distinct(scope, one, made) else None


def _distinct(scope: Scope, one: tree.Interface, made: Interface) -> bool:
    """Whether every message to the compound means one operation."""
    seen: dict[str, tree.Word] = {}
    operations: dict[tuple[int, int], tuple[Interface, Operation]] = {}
    good = True
    for word, part in zip(one.composes, made.composes, strict=True):
        for leaf in part.parts:
            if leaf.name in seen:
                note = Note("the first time is here", seen[leaf.name].place)
                message = f"`{leaf.name}` is part of `{one.name}` twice"
                scope.refuse("CL115", message, word.place, "leave one of them out", [note])
                good = False
                continue
            seen[leaf.name] = word
            for each in leaf.operations:
                key = (leaf.protocol, each.opcode)
                other, first = operations.setdefault(key, (leaf, each))
                if first is not each:
                    scope.refuse(
                        "CL115",
                        f"`{leaf.name}.{each.name}` and `{other.name}.{first.name}` both have"
                        f" opcode {each.opcode} of protocol {leaf.protocol}",
                        word.place,
                        "give one of them another [opcode(N)], or the interfaces protocols of"
                        " their own",
                        [Note("one", each.place), Note("the other", first.place)],
                    )
                    good = False
    return good
