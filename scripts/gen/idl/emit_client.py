"""`X_client.py`: an interface from the side of who asks."""

from __future__ import annotations

from caplab.scripts.gen.idl import shapes
from caplab.scripts.gen.idl.emit_interface import clashes, declaration, exported
from caplab.scripts.gen.idl.model import Cap, Int, Interface, Parameter, Range
from caplab.scripts.gen.idl.names import Names
from caplab.scripts.gen.idl.operations import Method
from caplab.scripts.gen.idl.source import Source, call, wrapped_docstring
from caplab.scripts.gen.idl.words import python, snake

IDL = shapes.IDL


def client_module(iface: Interface, names: Names, mark: str) -> str:
    """The text of `X_client.py`."""
    source = Source(mark, f"The client's side of {iface.name}, an interface of {iface.file.name}.")
    own = names.side(iface.name, iface.file, "interface")
    offered = [*exported(iface), f"client_{iface.name}", f"client_iface_{iface.name}"]
    source.use(own, *exported(iface))
    source.add("", *public(offered))
    if iface.composes:
        _compound(source, names, iface)
    else:
        source.use(own, "PROTOCOL")
        _simple(source, names, iface)
    return source.text()


def public(names: list[str]) -> list[str]:
    """Lines that say which names a module offers."""
    return ["__all__ = [", *(f'    "{name}",' for name in sorted(names)), "]"]


def _simple(source: Source, names: Names, iface: Interface) -> None:
    name = iface.name
    methods = [Method(source, names, iface, op) for op in iface.operations]
    source.add("")
    for method in methods:
        source.add(*method.structs())
    source.use(IDL, "Client")
    source.use("caplab.pd.idl.client", "Way")
    source.add("", "", f"class client_{name}(Client, {name}):")
    source.add(f'    """A {name} elsewhere, reached through `endpoint`."""', "")
    source.add(f"    _{name}: Way")
    for method in methods:
        source.add("", *_method(method))
    source.add("", "")
    for method in methods:
        source.add(*_function(method), "", "")
    given = [f"{m.name}=_{snake(m.op.name)}" for m in methods]
    source.add(*call(f"client_iface_{name} = iface_{name}", given, ""))


def _method(method: Method) -> list[str]:
    op, source = method.op, method.source
    limit = "timeout: float | None = None"
    lines = call(
        f"def {method.name}",
        ["self", *method.arguments(), "*", limit],
        f" -> {method.returns(made=True)}:",
        4,
    )
    lines += wrapped_docstring(declaration(op), 8)
    lines += method.late_imports(tuple(p for p in op.answered), 8)
    lines += shapes.checks(source, op.asked, 8, decoded=False)
    for each in op.asked:
        if isinstance(each.type, Range):
            lines.append(f'        {python(each.name)}.checked("{each.name}", {each.type.most})')
    message = method.pack(op.asked, method.constant, str(op.opcode))
    given = ["PROTOCOL", message]
    if (cap := shapes.brought(op.asked)) is not None:
        given.append(f"caps=({_sent(source, cap)},)")
    way = f"self._{method.iface.name}"
    if op.oneway:
        return [*lines, *call(f"{way}.send", [*given, "timeout=timeout"], "", 8)]
    if shapes.brought(op.answered) is None:
        lines += call(f"_answer = {way}.call", [*given, "timeout=timeout"], "", 8)
        return lines + _answered(method, 8)
    lines.append("        with self.receiving() as _slot:")
    given += ["receive=_slot.slot", "timeout=timeout"]
    lines += call(f"_answer = {way}.call", given, "", 12)
    return lines + _answered(method, 12)


def _sent(source: Source, one: Parameter) -> str:
    name = python(one.name)
    match one.type:
        case Range():
            return f"{name}.memory"
        case Cap(interface=str()):
            return f'{source.use(IDL, "cap_of")}("{one.name}", {name})'
    return name


def _answered(method: Method, indent: int) -> list[str]:
    op, source, pad = method.op, method.source, " " * indent
    wrong = source.use(shapes.ERRORS, "refused")
    lines = [
        f"{pad}if _answer.label:",
        f"{pad}    raise {wrong}({method.iface.name}Error, _answer.label, _answer.data)",
    ]
    if not op.answered:
        return lines
    lines.append(f"{pad}_data = _answer.data")
    if shapes.brought(op.answered) is not None:
        lines.append(f"{pad}_caps = _slot.caps(_answer)")
    first = op.answered[0]
    declared = shapes.composite(op.answered) or isinstance(first.type, Int)
    if len(op.answered) == 1 and declared and not first.goes:
        lines.append(f"{pad}{python(first.name)}: {method.returns(made=True)}")
    what = f"the answer of `{op.name}`"
    constant = f"{method.constant}_ANSWER"
    lines += method.unpack(op.answered, constant, what, opcode=False, indent=indent)
    values = [method.value(each) for each in op.answered]
    if len(values) == 1:
        return [*lines, f"{pad}return {values[0]}"]
    return lines + call(f"return {method.result}", values, "", indent)


def _function(method: Method) -> list[str]:
    """The operation as a function of the client's table."""
    name = method.iface.name
    ref = f"ref: ref_{name}"
    given = [python(each.name) for each in method.op.asked]
    before = "" if method.returns(made=False) == "None" else "return "
    return [
        *call(
            f"def _{snake(method.op.name)}",
            [ref, *method.arguments()],
            f" -> {method.returns(made=False)}:",
        ),
        *call(f"{before}ref.remote(client_{name}).{method.name}", given, "", 4),
    ]


def _compound(source: Source, names: Names, iface: Interface) -> None:
    name = iface.name
    for part in iface.composes:
        module = names.side(part.name, part.file, "client")
        source.use(module, f"client_{part.name}", f"client_iface_{part.name}")
    bases = [*(f"client_{part.name}" for part in iface.composes), name]
    source.add("", "")
    source.add(*call(f"class client_{name}", bases, ":"))
    source.add(f'    """A {name} elsewhere; `as_…` is the same as one interface alone."""')
    source.add(*clashes(source, iface))
    for part in iface.composes:
        source.add("", "    @property", f"    def as_{part.name}(self) -> client_{part.name}:")
        source.add(f"        return self.part(client_{part.name})")
    given = [f"to_{part.name}=client_iface_{part.name}" for part in iface.composes]
    source.add("", "")
    source.add(*call(f"client_iface_{name} = iface_{name}", given, ""))
