"""An object seen as an interface: which function does which operation.

The seed casts an object to the interface's type before it hands over its address, because an
object that inherits from two types has another address as each of them. Here nothing has an
address; but a name looked up in the whole object would find the first `add` of two. So an
operation is looked up as the interface sees the object: in those of its classes that are of the
interface.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from caplab.pd.idl.interface import Component, Interface, Op


class Entry(NamedTuple):
    """One operation of one object."""

    op: Op
    do: Callable[..., Any]
    iface: Interface
    decode: Callable[[bytes, Any], tuple[Any, ...]]
    encode: Callable[[Any, Any], bytes]
    plain: bool
    """No capability comes or goes with it."""

    @classmethod
    def of(cls, op: Op, do: Callable[..., Any], iface: Interface) -> Entry:
        return cls(op, do, iface, op.decode, op.encode, not (op.takes or op.gives))


Table = Mapping[int, Mapping[bytes, Entry]]
"""By the label of a message, then by its first word."""


def table(iface: Interface, obj: Any) -> dict[int, dict[bytes, Entry]]:
    """Every operation of the interface, done by the object. Raises TypeError: it does not do one.

    `obj` is of the interface's class, or a ref with a table of functions.
    """
    found: dict[int, dict[bytes, Entry]] = {}
    if isinstance(obj, iface.triple):
        _add_triple(found, iface, obj.ref, obj.iface)
        return found
    if not isinstance(obj, iface.kind):
        raise TypeError(
            f"{_described(obj)} is no {iface.name}: make it one of {iface.kind.__name__}, or give"
            f" {iface.triple.__name__}(ref, iface)"
        )
    for leaf in iface.leaves:
        by_opcode = found.setdefault(leaf.protocol, {})
        for op in leaf.operations:
            by_opcode[op.key] = Entry.of(op, method(obj, leaf.kind, op.name), leaf)
    return found


def method(obj: Component, kind: type[Component], name: str) -> Callable[..., Any]:
    """The method of an object that does an operation of `kind`."""
    for each in type(obj).__mro__:
        there = vars(each).get(name)
        if there is None or not issubclass(each, kind):
            continue
        if getattr(there, "__isabstractmethod__", False):
            break
        bound: Callable[..., Any] = there.__get__(obj, type(obj))
        return bound
    found = getattr(obj, name)  # of a class that is no component, mixed in
    if getattr(found, "__isabstractmethod__", False):
        raise TypeError(f"{_described(obj)} does not do `{name}` of {kind.__name__}")
    whole: Callable[..., Any] = found
    return whole


def _add_triple(
    found: dict[int, dict[bytes, Entry]], iface: Interface, ref: Any, functions: Any
) -> None:
    for part in iface.parts:
        theirs = getattr(ref, f"as_{part.name}")
        _add_triple(found, part, theirs, getattr(functions, f"to_{part.name}"))
    if iface.parts:
        return
    by_opcode = found.setdefault(iface.protocol, {})
    for op in iface.operations:
        function = getattr(functions, op.name)
        if not callable(function):
            raise TypeError(f"`{op.name}` of the table of {iface.name} is {function!r}")
        by_opcode[op.key] = Entry.of(op, partial(function, ref), iface)


def _described(obj: Any) -> str:
    return f"{obj.__name__} (a class, not an object)" if isinstance(obj, type) else repr(obj)
