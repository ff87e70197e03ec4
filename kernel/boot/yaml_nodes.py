"""From the events of PyYAML's parser to nodes that know their places, within bounds.

PyYAML's own loader is not used: it descends by recursion, knows the words of YAML 1.1, and writes
aliases out without a limit. The parser is libyaml's where PyYAML has it, twenty times faster.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import yaml

from caplab.kernel.boot.problems import Place, Problem
from caplab.kernel.boot.yaml_words import CORE

MAX_DEPTH = 64
MAX_WEIGHT = 8 << 20
"""Characters, and eight per value, with aliases written out: what a file may come to in memory."""

_CONTROL = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Unreadable(Exception):
    """The file cannot be read at all; `problem` says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


@dataclass(slots=True)
class Node:
    """One value of the file. `items` of a mapping: (key, value); of a list: (None, value)."""

    kind: str  # scalar | list | mapping
    place: Place
    text: str = ""
    plain: bool = False
    tag: str | None = None
    items: list[tuple["Node | None", "Node"]] = field(default_factory=list)
    weight: int = 8
    _by_text: dict[str, tuple["Node | None", "Node"]] | None = None

    def member(self, text: str) -> tuple["Node | None", "Node"] | None:
        """The first entry of a mapping with this key, or of a list with this text."""
        if self._by_text is None:
            self._by_text = {}
            for item in self.items:
                named = item[1] if item[0] is None else item[0]
                if named.kind == "scalar":
                    self._by_text.setdefault(named.text, item)
        return self._by_text.get(text)


class Lines:
    """The text of a file, and places in it."""

    def __init__(self, file: str, content: bytes) -> None:
        self.file = file
        self.text = _decode(file, content)
        self.lines = self.text.splitlines()

    def at(self, line: int, column: int, width: int = 1) -> Place:
        text = self.lines[line - 1] if line <= len(self.lines) else ""
        return Place(self.file, line, column, width, text)

    def stretch(self, event: yaml.Event) -> Place:
        start, end = event.start_mark, event.end_mark
        if start is None or end is None:  # neither parser leaves them out
            return self.at(1, 1)
        place = self.at(start.line + 1, start.column + 1)
        until = end.column if end.line == start.line else len(place.text.rstrip())
        return self.at(start.line + 1, start.column + 1, max(1, until - start.column))


def parse(lines: Lines) -> Node:
    """The root of the one document of a file. Raises Unreadable."""
    builder = _Builder(lines)
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        for event in yaml.parse(lines.text, Loader=loader):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        raise Unreadable(_syntax(lines, error)) from None
    root = builder.result
    if root is None or (root.kind == "scalar" and root.plain and not root.text):
        fix = "write at least  pds: {hello: {run: clients.hello}}"
        raise Unreadable(Problem("CL004", "the file is empty", lines.at(1, 1), fix))
    return root


class _Builder:
    def __init__(self, lines: Lines) -> None:
        self.lines = lines
        self.anchors: dict[str, Node | None] = {}
        self.stack: list[tuple[Node, str | None, list[Node]]] = []
        self.result: Node | None = None

    def take(self, event: yaml.Event) -> None:
        place = self.lines.stretch(event)
        if isinstance(event, yaml.DocumentStartEvent):
            if self.result is not None:
                message = "a second YAML document begins here; a manifest is one"
                raise Unreadable(Problem("CL008", message, place, "put it into a file of its own"))
        elif isinstance(event, yaml.ScalarEvent):
            text, plain = event.value, event.style in (None, "")
            node = Node("scalar", place, text, plain, event.tag, weight=8 + len(text))
            self._add(node, event.anchor)
        elif isinstance(event, yaml.SequenceStartEvent):
            self._open(Node("list", place, tag=event.tag), event.anchor)
        elif isinstance(event, yaml.MappingStartEvent):
            self._open(Node("mapping", place, tag=event.tag), event.anchor)
        elif isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent):
            self._close()
        elif isinstance(event, yaml.AliasEvent) and event.anchor is not None:
            self._alias(event.anchor, place)

    def _open(self, node: Node, anchor: str | None) -> None:
        if node.tag not in (None, "!", f"{CORE}seq", f"{CORE}map"):
            message = f"the tag {node.tag.replace(CORE, '!!')} is not for a manifest"
            raise Unreadable(Problem("CL008", message, node.place, "drop the tag"))
        if len(self.stack) >= MAX_DEPTH:
            raise Unreadable(too_deep(node.place))
        if anchor is not None:
            self.anchors[anchor] = None  # not whole yet: an alias in it would hold itself
        self.stack.append((node, anchor, []))

    def _close(self) -> None:
        node, anchor, children = self.stack.pop()
        if node.kind == "list":
            node.items = [(None, child) for child in children]
        else:
            node.items = list(zip(children[::2], children[1::2], strict=True))
        node.weight += sum(child.weight for child in children)
        if node.weight > MAX_WEIGHT:
            message = "with its aliases written out, this is too large for a manifest"
            raise Unreadable(Problem("CL009", message, node.place, "use fewer aliases"))
        self._add(node, anchor)

    def _add(self, node: Node, anchor: str | None) -> None:
        if anchor is not None:
            self.anchors[anchor] = node
        if self.stack:
            self.stack[-1][2].append(node)
        else:
            self.result = node

    def _alias(self, anchor: str, place: Place) -> None:
        if anchor not in self.anchors:
            message = f"the alias *{anchor} stands for nothing: there is no &{anchor} above"
            raise Unreadable(Problem("CL006", message, place, "quote it, if no alias was meant"))
        node = self.anchors[anchor]
        if node is None:
            message = f"the alias *{anchor} stands inside what it stands for"
            raise Unreadable(Problem("CL008", message, place, "write the value out"))
        same = (node.text, node.plain, node.tag, node.items, node.weight)
        self._add(Node(node.kind, place, *same), None)


def too_deep(place: Place) -> Problem:
    message = f"nested more than {MAX_DEPTH} deep"
    return Problem("CL009", message, place, "flatten it: five levels are enough for a manifest")


def _decode(file: str, content: bytes) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        bad = f"the byte 0x{content[error.start]:02x} is not UTF-8"
        before = content[: error.start].decode("utf-8-sig", "replace")
        after = content[error.start :].decode("utf-8", "replace")
        place = _between(file, before, after)
        raise Unreadable(Problem("CL005", bad, place, "save the file as UTF-8")) from None
    if (control := _CONTROL.search(text)) is not None:
        bad = f"the control character U+{ord(control[0]):04X} may not stand in YAML"
        fix = 'remove it, or write it as an escape in double quotes, as in "\\x1b"'
        place = _between(file, text[: control.start()], text[control.start() :])
        raise Unreadable(Problem("CL005", bad, place, fix))
    return text


def _between(file: str, before: str, after: str) -> Place:
    """The place of the first character of `after`."""
    lines = (before + "|").splitlines()
    end = after[:1] + "".join(after[1:].splitlines()[:1])
    return Place(file, len(lines), len(lines[-1]), 1, lines[-1][:-1] + end)


_SENTENCES: Sequence[tuple[str, str, str]] = (
    (
        "mapping values are not allowed",
        "a second `: ` on this line, or an indentation that does not fit",
        "quote a value that holds `: `, or align the line with its neighbours",
    ),
    (
        r"expected ',' or '\]'",
        "the list opened with [ here is not closed",
        "write , between its members and ] after the last",
    ),
    (
        "expected ',' or '}'",
        "the mapping opened with { here is not closed",
        "write , between its members and } after the last",
    ),
    (
        "unexpected end of stream",
        "the quotation opened here is not closed",
        "close the quote",
    ),
    (
        "did not find expected key|<block end>|expected '-' indicator",
        "this line does not belong to the list or mapping above it",
        "align it with its neighbours; the members of a list all begin with `- `",
    ),
    (
        "could not find expected ':'",
        "a line without `:`, where a key is expected",
        "write  key: value",
    ),
)
"""What libyaml says, or PyYAML's own parser: in our words, and what to do."""


def _syntax(lines: Lines, error: yaml.MarkedYAMLError) -> Problem:
    said = error.problem or "it cannot be read"
    message, fix = next(
        ((sentence, fix) for pattern, sentence, fix in _SENTENCES if re.search(pattern, said)),
        (f"not YAML: {said}", "correct the line"),
    )
    mark = error.problem_mark or error.context_mark
    if "opened" in message and error.context_mark is not None:
        mark = error.context_mark
    place = lines.at(mark.line + 1, mark.column + 1) if mark is not None else lines.at(1, 1)
    if "cannot start any token" in said:
        char = place.text[place.column - 1 : place.column]
        message, fix = f"a value cannot begin with `{char}`", "quote it"
        if char == "\t":
            message, fix = "a tab cannot indent YAML", "indent with spaces"
    return Problem("CL006", message, place, fix)
