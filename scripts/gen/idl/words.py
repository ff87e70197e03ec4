"""Names: those of the language's types, and what a name becomes in Python."""

from __future__ import annotations

import keyword
import re

from caplab.scripts.gen.idl.model import Bool, Int, Type

DIRECTIONS = ("in", "out", "inout")
RESERVED = {
    *("void", "oneway", "cap", "string", "bytes", "array", "range", "bool"),
    *DIRECTIONS,
}
"""Words that cannot be names, though they look like some."""
_BITS = {"char": 8, "short": 16, "int": 32, "long": 64}
_FIXED: dict[str, Type] = {
    "bool": Bool(),
    "size_t": Int(64, signed=False),
    **{f"int{bits}_t": Int(bits, signed=True) for bits in (8, 16, 32, 64)},
    **{f"uint{bits}_t": Int(bits, signed=False) for bits in (8, 16, 32, 64)},
}
KNOWN = [*_FIXED, *_BITS, "unsigned", "signed", "cap", "string", "bytes", "array", "range"]
"""Names of types there are from the start, to guess what a misspelt one may mean."""
_LOCAL = {
    *("self", "timeout", "len", "member", "truth", "out_of_range", "refused", "wrong_length"),
    *("cap_of", "ended", "at_least", "PROTOCOL"),
}
"""What the body of a generated function needs: parameters have other names."""
_FIELD = {"count", "index"}
"""What every NamedTuple has."""
_METHOD = {
    *("self", "iface", "serve", "endpoint", "part", "receiving", "released"),
    *("str", "tuple", "property", "Any", "Callable", "Capability", "MemoryRange", "Sequence"),
}
"""What generated classes have already, or name in their bodies."""


GENERATED = {
    *("Any", "Callable", "Capability", "Caps", "Client", "Component", "Endpoint", "IdlError"),
    *("IntEnum", "Interface", "Many", "Member", "MemoryRange", "NamedTuple", "Number", "Octets"),
    *("Op", "Record", "Ref", "Sequence", "Struct", "Text", "Truth", "Way", "OPERATIONS"),
    *("PROTOCOL", "VERSION", "TYPE_CHECKING"),
}
"""What generated modules import or declare: no interface, type, constant or error has that name."""


def integer(words: tuple[str, ...]) -> Type | None:
    """The type of one or several words of C's, as on a 64-bit L4Re; None when it is none.

    `char` is signed, `long` has 64 bits on every host: what travels must not depend on one.
    """
    if len(words) == 1 and words[0] in _FIXED:
        return _FIXED[words[0]]
    rest = list(words)
    signs = [word for word in rest if word in ("signed", "unsigned")]
    for word in signs:
        rest.remove(word)
    if len(signs) > 1 or not words:
        return None
    signed = signs != ["unsigned"]
    if rest in (["long", "long"], ["long", "long", "int"], ["long", "int"]):
        return Int(64, signed)
    if rest == ["short", "int"]:
        return Int(16, signed)
    if not rest and signs:
        return Int(32, signed)
    if len(rest) == 1 and rest[0] in _BITS:
        return Int(_BITS[rest[0]], signed)
    return None


def python(name: str) -> str:
    """A parameter's name in Python: a word of Python's own, or one that is needed, gets a `_`."""
    return _free(name, _LOCAL)


def python_field(name: str) -> str:
    """The name of a struct's field, or of one of several results."""
    return _free(name, _FIELD)


def python_method(name: str) -> str:
    """The name of an operation."""
    return _free(name, _METHOD | _FIELD)


def _free(name: str, taken: set[str]) -> str:
    return f"{name}_" if keyword.iskeyword(name) or name in taken else name


def snake(name: str) -> str:
    """`MappedFileObject` is `mapped_file_object`."""
    parts = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", parts).lower()
