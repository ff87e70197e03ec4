"""Python source as it is put together: imports that are used, lines no longer than they may be."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable

WIDTH = 100


class Source:
    """One module that is being written."""

    def __init__(self, mark: str, docstring: str, own: str = "") -> None:
        self._own = own
        """Its own name: what is declared here is not imported."""
        self._head = [*mark.split("\n"), *wrapped_docstring(docstring)]
        self._imports: dict[str, set[str]] = {}
        self._typing: dict[str, set[str]] = {}
        self._body: list[str] = []

    def use(self, module: str, *names: str) -> str:
        """Import names; the first of them, for the expression it stands in."""
        if module != self._own:
            self._imports.setdefault(module, set()).update(names)
        return names[0]

    def use_type(self, module: str, name: str) -> str:
        """Import a name that only annotations need."""
        if module != self._own:
            self._typing.setdefault(module, set()).add(name)
        return name

    def add(self, *lines: str) -> None:
        self._body += lines

    def text(self) -> str:
        """The whole module."""
        lines = [*self._head, "", "from __future__ import annotations"]
        typing = {
            module: names - self._imports.get(module, set())
            for module, names in self._typing.items()
        }
        typing = {module: names for module, names in typing.items() if names}
        if typing:
            self.use("typing", "TYPE_CHECKING")
        for block in _blocks(self._imports):
            lines += ["", *block]
        if typing:
            lines += ["", "if TYPE_CHECKING:"]
            for number, block in enumerate(_blocks(typing, WIDTH - 4)):
                lines += [""] * (number > 0) + [f"    {line}" for line in block]
        return "\n".join([*lines, *self._body]) + "\n"


def _blocks(imports: dict[str, set[str]], width: int = WIDTH) -> list[list[str]]:
    """Import lines in the order that linters want: Python's own, caplab's, the user's."""
    blocks: list[list[str]] = [[], [], []]
    for module in sorted(imports, key=lambda name: name.lower()):
        top = module.split(".")[0]
        rank = 0 if top in sys.stdlib_module_names else 1 if top == "caplab" else 2
        blocks[rank] += import_lines(module, imports[module], width)
    return [block for block in blocks if block]


def _rank(name: str) -> tuple[int, str]:
    """Constants, then classes, then the rest, as isort orders them."""
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2
    return kind, name.lower()


def import_lines(module: str, some: Iterable[str], width: int = WIDTH) -> list[str]:
    """An import statement, in the order and of the form that linters want."""
    names = sorted(some, key=_rank)
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= width:
        return [line]
    return [f"from {module} import (", *(f"    {name}," for name in names), ")"]


def call(before: str, arguments: Iterable[str], after: str, indent: int = 0) -> list[str]:
    """`before(arguments)after`, over as many lines as it needs, broken as formatters break it."""
    given = list(arguments)
    pad = " " * indent
    line = f"{pad}{before}({', '.join(given)}){after}"
    if len(line) <= WIDTH:
        return [line]
    inside = f"{pad}    {', '.join(given)}"
    if len(inside) <= WIDTH:
        return [f"{pad}{before}(", inside, f"{pad}){after}"]
    lines = [f"{pad}{before}("]
    for each in given:
        lines += _argument(each, indent + 4)
    return [*lines, f"{pad}){after}"]


def _argument(text: str, indent: int) -> list[str]:
    """One argument on lines of its own, with the comma behind it."""
    return broken(text, ",", indent)


def broken(text: str, after: str, indent: int) -> list[str]:
    """An expression, broken where it is a sum or a call and too long for a line."""
    pad = " " * indent
    if len(pad + text + after) <= WIDTH:
        return [f"{pad}{text}{after}"]
    terms = split(text, " + ")
    if len(terms) > 1:
        lines = []
        for number, term in enumerate(terms):
            plus = "+ " if number else ""
            lines += broken(plus + term, after if number == len(terms) - 1 else "", indent)
        return lines
    opening = text.find("(")
    if opening < 0 or not text.endswith(")"):
        return [f"{pad}{text}{after}"]
    return call(text[:opening], split(text[opening + 1 : -1], ", "), f"{after}", indent)


def split(text: str, at: str) -> list[str]:
    """The parts of a text between separators that stand in no brackets and no quotes."""
    parts, depth, quoted, begin = [], 0, False, 0
    for place, char in enumerate(text):
        if char == '"':
            quoted = not quoted
        elif not quoted:
            depth += (char in "([{") - (char in ")]}")
            if not depth and text.startswith(at, place):
                parts.append(text[begin:place])
                begin = place + len(at)
    return [*parts, text[begin:]]


def wrapped_docstring(text: str, indent: int = 0) -> list[str]:
    """A docstring; one that is too long goes on in the next line."""
    pad = " " * indent
    line = f'{pad}"""{text}"""'
    if len(line) <= WIDTH:
        return [line]
    lines: list[str] = []
    rest = f'"""{text}'
    while len(pad + rest) > (WIDTH if lines else WIDTH - 3):
        cut = rest.rfind(" ", 0, WIDTH - indent)
        if cut <= 0:
            break
        lines.append(pad + rest[:cut])
        rest = rest[cut + 1 :]
    return [*lines, pad + rest, f'{pad}"""']


def camel(name: str) -> str:
    """`get_size` and `getSize` are `GetSize`."""
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"_+", name))
