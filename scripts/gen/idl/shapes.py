"""Types in Python: what they are annotated with, and how their values become words."""

from __future__ import annotations

from collections.abc import Sequence

from caplab.scripts.gen.idl.model import (
    WORD,
    Array,
    Bool,
    Cap,
    Enum,
    Int,
    Octets,
    Parameter,
    Range,
    Scalar,
    Struct,
    Text,
    Type,
)
from caplab.scripts.gen.idl.names import Names
from caplab.scripts.gen.idl.source import Source
from caplab.scripts.gen.idl.words import python

IDL, VALUES, ERRORS = "caplab.pd.idl", "caplab.pd.idl.values", "caplab.pd.idl.errors"


def annotation(
    source: Source, names: Names, one: Type, *, made: bool = False, remote: bool = False
) -> str:
    """The annotation of a type. `made`: of a value that is made here, not of one that is taken;
    `remote`: an object of an interface is a client of one.
    """
    match one:
        case Int():
            return "int"
        case Bool():
            return "bool"
        case Text():
            return "str"
        case Octets():
            return "bytes"
        case Enum(name=name, file=file) | Struct(name=name, file=file):
            return source.use_type(names.types(file), name)
        case Array(element=element):
            inner = annotation(source, names, element, made=made)
            if made:
                return f"tuple[{inner}, ...]"
            return f"{source.use_type('collections.abc', 'Sequence')}[{inner}]"
        case Range():
            return source.use_type(IDL, "MemoryRange")
        case Cap(interface=None):
            return source.use_type("caplab.pd.objects", "Capability")
        case Cap(interface=str(name), file=file):
            assert file is not None
            if remote:
                return source.use_type(names.side(name, file, "client"), f"client_{name}")
            return source.use_type(names.side(name, file, "interface"), name)
    raise AssertionError(one)


def codec(source: Source, names: Names, one: Type) -> str:
    """An expression for what packs and unpacks values of a type."""
    match one:
        case Int():
            low, high = hexadecimal(one.low), hexadecimal(one.high)
            return f'{source.use(VALUES, "Number")}("{one.spelling}", {low}, {high})'
        case Bool():
            return f"{source.use(VALUES, 'Truth')}()"
        case Enum(name=name, file=file):
            return f"{source.use(VALUES, 'Member')}({source.use(names.types(file), name)})"
        case Text(most):
            return f"{source.use(VALUES, 'Text')}({most})"
        case Octets(most):
            return f"{source.use(VALUES, 'Octets')}({most})"
        case Array(element, most, exact):
            more = ", exact=True" if exact else ""
            inner = codec(source, names, element)
            return f"{source.use(VALUES, 'Many')}({inner}, {most}{more})"
        case Struct(name=name, file=file):
            return source.use(names.types(file), f"codec_{name}")
    raise AssertionError(one)


def hexadecimal(number: int) -> str:
    if abs(number) < 256:
        return str(number)
    return f"-0x{-number:X}" if number < 0 else f"0x{number:X}"


def letters(some: Sequence[Parameter]) -> str:
    """How struct packs what travels as words of its own, before everything else."""
    found = ""
    for each in some:
        if isinstance(each.type, Int):
            found += "q" if each.type.signed else "Q"
        elif isinstance(each.type, Bool):
            found += "Q"
        elif isinstance(each.type, Enum):
            found += "q"
        elif isinstance(each.type, Range):
            found += "QQ"
    return found


def composite(some: Sequence[Parameter]) -> list[Parameter]:
    """What travels behind those words: texts, bytes, arrays, structs."""
    return [each for each in some if isinstance(each.type, Text | Octets | Array | Struct)]


def brought(some: Sequence[Parameter]) -> Parameter | None:
    """What travels with a capability."""
    return next((each for each in some if isinstance(each.type, Cap | Range)), None)


def checks(source: Source, some: Sequence[Parameter], indent: int, *, decoded: bool) -> list[str]:
    """Lines that refuse integers which do not fit. Those of 64 bits that came as words do."""
    pad = " " * indent
    lines = []
    for each in some:
        one = each.type
        if not isinstance(one, Int) or (decoded and one.bits == 64):
            continue
        name = python(each.name)
        low, high = hexadecimal(one.low), hexadecimal(one.high)
        condition = f"not {low} <= {name} <= {high}"
        if decoded and not one.signed:
            condition = f"{name} > {high}"
        refused = source.use(ERRORS, "out_of_range")
        lines.append(f"{pad}if {condition}:")
        lines.append(f'{pad}    raise {refused}("{each.name}", {name}, "{one.spelling}")')
    return lines


def packed(source: Source, names: Names, some: Sequence[Parameter], first: str = "") -> list[str]:
    """Arguments for `Struct.pack`: the words that stand before everything else."""
    found = [first] if first else []
    for each in some:
        name = python(each.name)
        match each.type:
            case Int():
                found.append(name)
            case Bool():
                found.append(f"1 if {name} else 0")
            case Enum(name=kind, file=file):
                kind = source.use(names.types(file), kind)
                found.append(f'{source.use(VALUES, "member")}({kind}, {name}, "{each.name}")')
            case Range():
                found += [f"{name}.offset", f"{name}.length"]
    return found


def unpacked(some: Sequence[Parameter]) -> list[str]:
    """Targets for `Struct.unpack`."""
    found = []
    for each in some:
        name = python(each.name)
        if isinstance(each.type, Scalar):
            found.append(name if isinstance(each.type, Int) else f"_{name}_word")
        elif isinstance(each.type, Range):
            found += [f"_{name}_offset", f"_{name}_length"]
    return found


def value(source: Source, names: Names, each: Parameter) -> str:
    """The value of a parameter, once its words are unpacked."""
    name = python(each.name)
    match each.type:
        case Bool():
            return f'{source.use(VALUES, "truth")}(_{name}_word, "{each.name}")'
        case Enum(name=kind, file=file):
            kind = source.use(names.types(file), kind)
            return f'{source.use(VALUES, "member")}({kind}, _{name}_word, "{each.name}")'
        case Range(most):
            return f'_caps.memory("{each.name}", _{name}_offset, _{name}_length, {most})'
        case Cap(interface=None):
            return f'_caps.any("{each.name}")'
        case Cap(interface=str(kind), file=file):
            return f'_caps.typed("{each.name}", {kind}.iface, client_{kind})'
    return name


def fixed_size(some: Sequence[Parameter]) -> int:
    """Bytes of the words that are always there, without an opcode."""
    return WORD * len(letters(some))
