"""`X_server.py`: an interface from the side of who answers."""

from __future__ import annotations

from dataclasses import replace

from caplab.scripts.gen.idl import shapes
from caplab.scripts.gen.idl.emit_client import public
from caplab.scripts.gen.idl.emit_interface import exported
from caplab.scripts.gen.idl.model import Cap, Interface, Range
from caplab.scripts.gen.idl.names import Names
from caplab.scripts.gen.idl.operations import Method
from caplab.scripts.gen.idl.source import WIDTH, Source, broken, call, import_lines, split
from caplab.scripts.gen.idl.words import python, snake

IDL = shapes.IDL


def server_module(iface: Interface, names: Names, mark: str) -> str:
    """The text of `X_server.py`."""
    source = Source(mark, f"The server's side of {iface.name}, an interface of {iface.file.name}.")
    source.use(names.side(iface.name, iface.file, "interface"), *exported(iface))
    source.use("caplab.pd.ipc_server", "ipc_server_loop_for")
    source.add("", *public([*exported(iface), "ipc_server_loop_for"]))
    if iface.composes:
        return source.text()
    methods = [Method(source, names, iface, op) for op in iface.operations]
    source.add("")
    for method in methods:
        source.add(*method.structs())
    source.use_type(IDL, "Caps")
    for method in methods:
        source.add("", "", *_decode(method), "", "", *_encode(method))
    source.use(IDL, "Op")
    source.add("", "")
    alone = f"OPERATIONS = (Op({', '.join(_described(methods[0]))}),)"
    if len(methods) == 1 and len(alone) <= WIDTH:
        source.add(alone)
        return source.text()
    source.add("OPERATIONS = (")
    for method in methods:
        source.add(*call("Op", _described(method), ",", 4))
    source.add(")")
    return source.text()


def _described(method: Method) -> list[str]:
    op, leaf = method.op, snake(method.op.name)
    found = [f'"{method.name}"', str(op.opcode), f"_take_{leaf}", f"_give_{leaf}"]
    if op.oneway:
        found.append("oneway=True")
    if shapes.brought(op.asked) is not None:
        found.append("takes=True")
    if shapes.brought(op.answered) is not None:
        found.append("gives=True")
    return found


def _decode(method: Method) -> list[str]:
    """From a request to the arguments."""
    op = method.op
    leaf = snake(op.name)
    lines = call(f"def _take_{leaf}", ["_data: bytes", "_caps: Caps"], f" -> {_tuple(method)}:")
    lines += method.late_imports(op.asked, 4)
    lines += method.unpack(op.asked, method.constant, f"`{op.name}`", opcode=True, indent=4)
    values = [method.value(each) for each in op.asked]
    if not values:
        return [*lines, "    return ()"]
    comma = "," if len(values) == 1 else ""
    made = f"    return {', '.join(values)}{comma}"
    if comma:
        made = f"    return ({values[0]},)"
    return [*lines, made] if len(made) <= WIDTH else lines + call("return ", values, "", 4)


def _tuple(method: Method) -> str:
    """The annotation of the arguments; one that fits no line is not worth three."""
    scratch = replace(method, source=Source("", "")).taken()
    if len(", ".join(scratch)) > WIDTH // 2:
        return f"tuple[{method.source.use('typing', 'Any')}, ...]"
    return f"tuple[{', '.join(method.taken()) or '()'}]"


def _encode(method: Method) -> list[str]:
    """From what the operation returns to the answer."""
    op, source = method.op, method.source
    leaf = snake(op.name)
    some = op.answered
    kinds = method.returns(made=False)
    target = python(some[0].name) if len(some) == 1 else "_result"
    lines = call(f"def _give_{leaf}", [f"{target}: {kinds}", "_caps: Caps"], " -> bytes:")
    brought = shapes.brought(some)
    if brought is not None and isinstance(brought.type, Cap) and brought.type.interface:
        kind, file = brought.type.interface, brought.type.file
        assert file is not None
        module = method.names.side(kind, file, "interface")
        lines += [*(f"    {line}" for line in import_lines(module, [kind], WIDTH - 4)), ""]
    if len(some) > 1:
        lines.append(f"    {', '.join(python(each.name) for each in some)} = _result")
    lines += shapes.checks(source, some, 4, decoded=False)
    if brought is not None:
        name = python(brought.name)
        match brought.type:
            case Range(most):
                lines.append(f'    _caps.send({name}.checked("{brought.name}", {most}).memory)')
            case Cap(interface=str(kind)):
                lines.append(f"    _caps.send_object({kind}.iface, {name})")
            case _:
                lines.append(f"    _caps.send({name})")
    return lines + _returned(method.pack(some, f"{method.constant}_ANSWER"))


def _returned(expression: str) -> list[str]:
    """A return statement; the parts of a sum that is too long are joined."""
    line = f"    return {expression}"
    if len(line) <= WIDTH:
        return [line]
    terms = split(expression, " + ")
    if len(terms) == 1:
        return broken(f"return {expression}", "", 4)
    inside = [line for term in terms for line in broken(term, ",", 12)]
    return ['    return b"".join(', "        [", *inside, "        ]", "    )"]
