"""A YAML file as plain data, with the place of every part of it.

Values are None, bool, int, float, str, list and dict, by the words of YAML 1.2; a key is always
the text that stands there. Bounds: 1 MiB, 64 deep, and 8 MiB with aliases written out.
"""

from collections.abc import Sequence
from typing import Any

from caplab.kernel.boot.problems import Note, Place, Problem
from caplab.kernel.boot.yaml_nodes import MAX_DEPTH, Lines, Node, Unreadable, parse, too_deep
from caplab.kernel.boot.yaml_words import BadWord, meaning

MAX_BYTES = 1 << 20

Step = str | int


class Document:
    """A YAML file: `data`, and `problems` with parts of it that were left out of the data.

    Raises Unreadable when nothing of it can be read.
    """

    def __init__(self, file: str, content: bytes) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self.lines = Lines(file, content)
        self.root = parse(self.lines)
        self.data: Any = self._value(self.root, 0)

    def place(self, path: Sequence[Step], key: bool = False) -> Place:
        """Where the value at a path stands, or its key; of a path that leads nowhere, the last
        part that is there. A list's member is found by its index or by its text."""
        node, place = self.root, self.lines.at(1, 1)
        for depth, step in enumerate(path):
            found = _member(node, step)
            if found is None:
                break
            name, node = found
            last = depth == len(path) - 1
            by_key = name is not None and (not last or key or not _on_one_line(node))
            place = name.place if name is not None and by_key else node.place
        return place

    def has(self, path: Sequence[Step]) -> bool:
        node = self.root
        for step in path:
            found = _member(node, step)
            if found is None:
                return False
            node = found[1]
        return True

    def _value(self, node: Node, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise Unreadable(too_deep(node.place))
        if node.kind == "list":
            return [self._value(value, depth + 1) for _, value in node.items]
        if node.kind == "mapping":
            return self._mapping(node, depth)
        try:
            return meaning(node.text, node.tag, node.plain)
        except BadWord as bad:
            self.problems.append(Problem(bad.code, bad.message, node.place, bad.fix))
            return node.text

    def _mapping(self, node: Node, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        first: dict[str, Place] = {}
        for key, value in node.items:
            if key is None or not self._is_key(key):
                continue
            if key.text in found:
                message, fix = f"`{key.text}` is declared twice", "rename one, or remove it"
                note = Note("the first one", first[key.text])
                self.problems.append(Problem("CL007", message, key.place, fix, (note,)))
                continue
            first[key.text] = key.place
            found[key.text] = self._value(value, depth + 1)
        return found

    def _is_key(self, key: Node) -> bool:
        message = ""
        if key.kind != "scalar":
            message, fix = "a key is a word here, not a list or a mapping", "write a name"
        elif key.text == "<<" and key.plain:
            message = "`<<` merges mappings in YAML 1.1; in YAML 1.2 it is a key like any other"
            fix = "give the whole value by an alias (args: *common), or write the keys out"
        if message:
            self.problems.append(Problem("CL008", message, key.place, fix))
        return not message


def _member(node: Node, step: Step) -> tuple[Node | None, Node] | None:
    """The entry of a mapping or a list to which a step leads."""
    if isinstance(step, str):
        return node.member(step)
    return node.items[step] if node.kind == "list" and step < len(node.items) else None


def _on_one_line(node: Node) -> bool:
    """Whether a value can be shown by itself: not one that is empty or begins a block."""
    if node.kind == "scalar":
        return bool(node.text) or not node.plain
    return node.place.text[node.place.column - 1 : node.place.column] in ("[", "{")
