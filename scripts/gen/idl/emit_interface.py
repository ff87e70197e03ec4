"""`X_interface.py`: what client and server of an interface share; `X_types.py`: a file's types."""

from __future__ import annotations

import re
from collections import Counter

from caplab.scripts.gen.idl import shapes
from caplab.scripts.gen.idl.model import Enum, File, Interface, Operation, Struct
from caplab.scripts.gen.idl.names import Names
from caplab.scripts.gen.idl.operations import Method
from caplab.scripts.gen.idl.source import WIDTH, Source, call, wrapped_docstring
from caplab.scripts.gen.idl.words import python, python_field, python_method

IDL = shapes.IDL
_BODY = re.compile(r"(struct|enum) | \{[^{}]*\}")


def interface_module(iface: Interface, names: Names, mark: str) -> str:
    """The text of `X_interface.py`."""
    said = f"The interface {iface.name} of {iface.file.name}: what client and server share."
    source = Source(mark, said, names.side(iface.name, iface.file, "interface"))
    if iface.composes:
        _compound(source, names, iface)
    else:
        _simple(source, names, iface)
    source.use(IDL, "Interface")
    return source.text()


def exported(iface: Interface) -> list[str]:
    """The names of an interface module that clients and servers use."""
    found = [iface.name, f"ref_{iface.name}", f"iface_{iface.name}", f"object_{iface.name}"]
    for leaf in iface.parts:
        if leaf is iface:
            found += [f"{iface.name}Error", *(name for name, _ in leaf.errors)]
            found += [
                Method(Source("", ""), Names(), leaf, op).result
                for op in leaf.operations
                if len(op.answered) > 1
            ]
    return found


def _simple(source: Source, names: Names, iface: Interface) -> None:
    name = iface.name
    methods = [Method(source, names, iface, op) for op in iface.operations]
    source.add("", f"PROTOCOL = 0x{iface.protocol:X}", f"VERSION = 0x{iface.version:016X}")
    source.use(IDL, "IdlError")
    source.add("", "", f"class {name}Error(IdlError):", f'    """What {name} refuses."""')
    for error, number in iface.errors:
        source.add("", "", f"class {error}({name}Error, code={number}):")
        source.add(f'    """Error {number} of {name}."""')
    for method in methods:
        if len(method.op.answered) > 1:
            _result(method)
    source.use(IDL, "Component")
    source.add("", "", f"class {name}(Component):")
    source.add(f'    """Answers {name}: an object of this PD, or a client of one elsewhere."""')
    source.use("abc", "abstractmethod")
    for method in methods:
        source.add("", "    @abstractmethod", *_signature(method))
        source.add(*wrapped_docstring(declaration(method.op), 8))
    source.use(IDL, "Ref")
    source.add("", "", f"class ref_{name}(Ref):")
    source.add(f'    """The state of a {name}: `ptr`, or `cap`, an endpoint that leads to it."""')
    source.add("", "    __slots__ = ()")
    source.use("typing", "NamedTuple")
    source.add("", "", f"class iface_{name}(NamedTuple):")
    source.add(f'    """Functions that do the operations of {name}, the ref their first."""', "")
    source.use_type("collections.abc", "Callable")
    for method in methods:
        taken = [f"ref_{name}", *(argument.split(": ", 1)[1] for argument in method.arguments())]
        source.add(*_callable(method.name, taken, method.returns(made=False)))
    _triple(source, name)
    module = names.side(name, iface.file, "server")
    source.add("", "")
    source.add(*_description(name, f"{name}Error", f'"{module}"', ""))


def _callable(name: str, taken: list[str], returns: str) -> list[str]:
    """A field for a function, broken as formatters break it."""
    line = f"    {name}: Callable[[{', '.join(taken)}], {returns}]"
    if len(line) <= WIDTH:
        return [line]
    head, last = f"    {name}: Callable[", "    ]"
    inside = f"        [{', '.join(taken)}], {returns}"
    if len(inside) <= WIDTH:
        return [head, inside, last]
    arguments = [f"        [{', '.join(taken)}],"]
    if len(arguments[0]) > WIDTH:
        arguments = ["        [", *(f"            {each}," for each in taken), "        ],"]
    return [head, *arguments, f"        {returns},", last]


def declaration(op: Operation) -> str:
    """An operation as its file declares it, types spelt out."""
    inside = ", ".join(f"{p.direction} {_short(p.type.spelling)} {p.name}" for p in op.parameters)
    return f"{'oneway ' if op.oneway else ''}void {op.name}({inside})"


def _short(spelling: str) -> str:
    """A type without what its structs and enums are made of."""
    while (shorter := _BODY.sub("", spelling)) != spelling:
        spelling = shorter
    return spelling


def _signature(method: Method) -> list[str]:
    return call(
        f"def {method.name}", ["self", *method.arguments()], f" -> {method.returns(made=False)}:", 4
    )


def _result(method: Method) -> None:
    source, op = method.source, method.op
    source.use("typing", "NamedTuple")
    source.add("", "", f"class {method.result}(NamedTuple):")
    source.add(f'    """What `{op.name}` answers."""', "")
    for each in op.answered:
        kind = shapes.annotation(source, method.names, each.type)
        source.add(f"    {python_field(each.name)}: {kind}")


def _triple(source: Source, name: str) -> None:
    source.use("typing", "NamedTuple")
    source.add("", "", f"class object_{name}(NamedTuple):")
    source.add(f'    """A {name} as state and functions, without a class of its own."""', "")
    source.add(f"    ref: ref_{name}", f"    iface: iface_{name}")


def _description(name: str, errors: str, module: str, parts: str) -> list[str]:
    given = [f'"{name}"', "PROTOCOL", "VERSION", name, f"object_{name}", errors, module]
    if parts:
        given.append(parts)
    return call(f"{name}.iface = Interface", given, "")


def _compound(source: Source, names: Names, iface: Interface) -> None:
    name = iface.name
    for part in iface.composes:
        module = names.side(part.name, part.file, "interface")
        source.use(module, part.name, f"ref_{part.name}", f"iface_{part.name}")
    bases = ", ".join(part.name for part in iface.composes)
    source.add("", "PROTOCOL = 0", f"VERSION = 0x{iface.version:016X}")
    source.add("", "", f"class {name}({bases}):")
    source.add(f'    """Answers {name}: each of the interfaces that it composes."""')
    source.add(*clashes(source, iface))
    source.use(IDL, "Ref")
    source.use("typing", "Any")
    source.use_type("caplab.pd.objects", "Endpoint")
    slots = ", ".join(f'"as_{part.name}"' for part in sorted(iface.composes, key=lambda p: p.name))
    comma = "," if len(iface.composes) == 1 else ""
    source.add("", "", f"class ref_{name}(Ref):")
    source.add(f'    """The state of a {name}; `as_…` that of one seen as a part of it."""')
    source.add("", f"    __slots__ = ({slots}{comma})", "", "    def __init__(")
    source.add("        self,", "        ptr: Any = None,", "        cap: Endpoint | None = None,")
    source.add("        *,")
    for part in iface.composes:
        source.add(f"        as_{part.name}: ref_{part.name} | None = None,")
    source.add("    ) -> None:", "        super().__init__(ptr, cap)")
    for part in iface.composes:
        as_ = f"as_{part.name}"
        source.add(f"        self.{as_} = {as_} or ref_{part.name}(ptr, cap)")
    source.use("typing", "NamedTuple")
    source.add("", "", f"class iface_{name}(NamedTuple):")
    source.add(f'    """The functions of each interface that {name} composes."""', "")
    source.add(*(f"    to_{part.name}: iface_{part.name}" for part in iface.composes))
    _triple(source, name)
    source.use(IDL, "IdlError")
    parts = ", ".join(f"{part.name}.iface" for part in iface.composes)
    source.add("", "")
    source.add(*_description(name, "IdlError", '""', f"({parts}{comma})"))


def clashes(source: Source, iface: Interface) -> list[str]:
    """Lines for the operations of a compound that have one name in several of its parts: which of
    them is meant is said by the interface through which it is asked for.
    """
    count = Counter(op.name for leaf in iface.parts for op in leaf.operations)
    twice = [name for name, number in count.items() if number > 1]
    if twice:
        source.use("typing", "Any")
    return ["", *(f"    {python_method(name)}: Any" for name in twice)] if twice else []


def types_module(file: File, names: Names, mark: str) -> str:
    """The text of `X_types.py`: constants, enums, structs."""
    said = f"The constants and types of {file.path.name}."
    source = Source(mark, said, names.types(file.path))
    if file.constants:
        source.add("")
    for name, value in file.constants:
        source.add(f"{python(name)} = {value}")
    for one in file.types:
        if isinstance(one, Enum):
            source.use("enum", "IntEnum")
            source.add("", "", f"class {one.name}(IntEnum):")
            source.add(f'    """An enum of {file.path.name}."""', "")
            source.add(*(f"    {python(name)} = {value}" for name, value in one.members))
        else:
            _struct(source, names, one)
    return source.text()


def _struct(source: Source, names: Names, one: Struct) -> None:
    source.use("typing", "NamedTuple")
    source.add("", "", f"class {one.name}(NamedTuple):")
    source.add(f'    """A struct of {one.file.name}."""', "")
    for name, each in one.fields:
        source.add(f"    {python_field(name)}: {shapes.annotation(source, names, each)}")
    source.use(shapes.VALUES, "Record")
    fields = [f'("{name}", {shapes.codec(source, names, each)})' for name, each in one.fields]
    source.add("", "")
    source.add(*call(f"codec_{one.name} = Record", [one.name, *fields], ""))
