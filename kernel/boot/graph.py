"""The model state of a running system (OSmosis), as `System.graph()` gives it: who holds what,
what is built on what, and whom each PD may ask.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from caplab.kernel.host.errors import RequestRefused
from caplab.kernel.root import model

SHAPES = {"PD": "box", "RESOURCE_SPACE": "folder", "RESOURCE": "ellipse"}
STYLES = {"HOLD": "solid", "MAP": "bold", "SUBSET": "dotted", "REQUEST": "dashed"}


class Node(NamedTuple):
    """A PD (its name in `data`), a RESOURCE or a RESOURCE_SPACE (its type in `data`)."""

    kind: str
    id: str
    data: str
    extra: str


class Edge(NamedTuple):
    """A HOLD, MAP, SUBSET or REQUEST (the type asked for in `data`, the space in `extra`)."""

    kind: str
    source: str
    to: str
    data: str
    extra: str


@dataclass(frozen=True)
class Graph:
    """A model state. `rows` are the seven columns of the CSV, nodes before edges."""

    rows: tuple[tuple[str, ...], ...]
    marked: dict[str, str] = field(default_factory=dict)
    """Servers that did not say what they know, and why: dead, slow or lying."""

    def nodes(self, kind: str | None = None) -> Iterator[Node]:
        for row in self.rows:
            if row[0] and kind in (None, row[0]):
                yield Node(row[0], row[1], row[2], row[6])

    def edges(self, kind: str | None = None) -> Iterator[Edge]:
        for row in self.rows:
            if not row[0] and kind in (None, row[3]):
                yield Edge(row[3], row[4], row[5], row[2], row[6])

    def pd(self, name: str) -> str:
        """The node of a PD. Raises RequestRefused when none of this name lives."""
        names = {node.data: node.id for node in self.nodes("PD")}
        if name not in names:
            there = f"The PDs that live are {', '.join(names)}."
            raise RequestRefused("no-such-pd", f"No PD {name!r} is in the model.", there)
        return names[name]

    def holders(self, resource: str) -> list[str]:
        """Names of the PDs that hold a resource or a space, its manager among them."""
        names = {node.id: node.data for node in self.nodes("PD")}
        return [names[edge.source] for edge in self.edges("HOLD") if edge.to == resource]

    def reachable(self, pd: str) -> "Graph":
        """The part of the model that can be reached from a PD along its edges."""
        found = model.reachable(self.rows, self.pd(pd))
        return Graph(tuple(tuple(row) for row in found), self.marked)

    def csv(self) -> str:
        """As OSmosis reads it."""
        return model.to_csv(self.rows)

    def json(self) -> dict[str, Any]:
        """`{"schema", "nodes", "edges", "marked"}`."""
        marked = [{"pd": pd, "why": why} for pd, why in self.marked.items()]
        return model.to_json(self.rows, marked)

    def dot(self) -> str:
        """For Graphviz."""
        lines = ["digraph model {", "  rankdir=LR;"]
        for node in self.nodes():
            about = [node.id, node.data if node.data not in node.id.split("_") else "", node.extra]
            label = "\n".join(filter(None, about))
            style = f"shape={SHAPES[node.kind]}, label={_quoted(label)}"
            lines.append(f"  {_quoted(node.id)} [{style}];")
        for edge in self.edges():
            label = edge.data if edge.kind == "REQUEST" else edge.kind.lower()
            style = f"style={STYLES[edge.kind]}, label={_quoted(label)}"
            lines.append(f"  {_quoted(edge.source)} -> {_quoted(edge.to)} [{style}];")
        return "\n".join([*lines, "}"]) + "\n"


def assemble(pages: Sequence[dict[str, Any]]) -> Graph:
    """The graph of one model's pages."""
    rows = tuple(tuple(map(str, row)) for page in pages for row in page["rows"])
    return Graph(rows, {one["pd"]: one["why"] for one in pages[0].get("marked", ())})


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
