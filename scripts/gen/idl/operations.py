"""An operation in Python: its signature, its messages, and what its answer is."""

from __future__ import annotations

from dataclasses import dataclass

from caplab.scripts.gen.idl import shapes
from caplab.scripts.gen.idl.model import WORD, Cap, Interface, Operation, Parameter
from caplab.scripts.gen.idl.names import Names
from caplab.scripts.gen.idl.source import WIDTH, Source, camel, import_lines
from caplab.scripts.gen.idl.words import python, python_method, snake


@dataclass(frozen=True)
class Method:
    """An operation, for one module."""

    source: Source
    names: Names
    iface: Interface
    op: Operation

    @property
    def name(self) -> str:
        return python_method(self.op.name)

    @property
    def constant(self) -> str:
        """How the module's constants for it begin."""
        return f"_{snake(self.op.name).upper()}"

    @property
    def result(self) -> str:
        """The name of its NamedTuple, where several values are answered."""
        return f"{self.iface.name}{camel(snake(self.op.name))}Result"

    def arguments(self) -> list[str]:
        """Parameters with annotations."""
        return [
            f"{python(each.name)}: {shapes.annotation(self.source, self.names, each.type)}"
            for each in self.op.asked
        ]

    def taken(self) -> list[str]:
        """The annotations of the parameters alone."""
        return [
            shapes.annotation(self.source, self.names, each.type, made=True)
            for each in self.op.asked
        ]

    def returns(self, *, made: bool) -> str:
        """The annotation of what it returns."""
        some = self.op.answered
        if not some:
            return "None"
        if len(some) == 1:
            remote = made
            made = made and not some[0].goes  # of an inout the argument's variable is used again
            one = some[0].type
            return shapes.annotation(self.source, self.names, one, made=made, remote=remote)
        return self.source.use_type(
            self.names.side(self.iface.name, self.iface.file, "interface"), self.result
        )

    def structs(self) -> list[str]:
        """The constants that its messages are packed with."""
        lines = [f'{self.constant} = Struct("<Q{shapes.letters(self.op.asked)}")']
        if shapes.letters(self.op.answered):
            lines.append(f'{self.constant}_ANSWER = Struct("<{shapes.letters(self.op.answered)}")')
        self.source.use("struct", "Struct")
        for each in self.op.parameters:
            if shapes.composite([each]):
                made = shapes.codec(self.source, self.names, each.type)
                lines.append(f"{self.codec(each)} = {made}")
        return lines

    def codec(self, each: Parameter) -> str:
        return f"{self.constant}_{each.name.upper()}_VALUE"

    def pack(self, some: tuple[Parameter, ...], constant: str, first: str = "") -> str:
        """An expression for a message."""
        words = shapes.packed(self.source, self.names, some, first)
        parts = [f"{constant}.pack({', '.join(words)})"] if words else []
        parts += [
            f'{self.codec(each)}.pack({python(each.name)}, "{each.name}")'
            for each in shapes.composite(some)
        ]
        return " + ".join(parts) or 'b""'

    def unpack(
        self, some: tuple[Parameter, ...], constant: str, what: str, *, opcode: bool, indent: int
    ) -> list[str]:
        """Lines that take a message, `_data`, apart."""
        pad = " " * indent
        source, values = self.source, shapes.VALUES
        size = WORD * opcode + shapes.fixed_size(some)
        targets = ["_"] * opcode + shapes.unpacked(some)
        rest = shapes.composite(some)
        lines: list[str] = []
        if rest:
            lines.append(f'{pad}{source.use(values, "at_least")}(_data, {size}, "{what}")')
        else:
            wrong = source.use(shapes.ERRORS, "wrong_length")
            lines += [
                f"{pad}if len(_data) != {size}:",
                f'{pad}    raise {wrong}("{what}", len(_data), {size})',
            ]
        if len(targets) > opcode:
            left = ", ".join(targets) if len(targets) > 1 else f"({targets[0]},)"
            how = "unpack_from" if rest else "unpack"
            lines.append(f"{pad}{left} = {constant}.{how}(_data)")
        lines += shapes.checks(source, some, indent, decoded=True)
        for number, each in enumerate(rest):
            at = str(size) if number == 0 else "_at"
            lines.append(
                f"{pad}{python(each.name)}, _at = {self.codec(each)}.unpack(_data, {at},"
                f' "{each.name}")'
            )
        if rest:
            lines.append(f'{pad}{source.use(values, "ended")}(_data, _at, "{what}")')
        return lines

    def value(self, each: Parameter) -> str:
        """The value of a parameter that was taken apart."""
        return shapes.value(self.source, self.names, each)

    def late_imports(self, some: tuple[Parameter, ...], indent: int) -> list[str]:
        """Imports inside the function, for interfaces that may name each other in a circle."""
        found = []
        for each in some:
            if isinstance(each.type, Cap) and each.type.interface and each.type.file:
                name = each.type.interface
                module = self.names.side(name, each.type.file, "client")
                lines = import_lines(module, [name, f"client_{name}"], WIDTH - indent)
                found += [*(" " * indent + line for line in lines), ""]
        return found
