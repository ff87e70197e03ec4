"""The model state (OSmosis): what people and programs are told of it. Pure functions over rows.

A row has the seven columns of HEADER. A node's row fills the first three and EXTRA, an edge's row
DATA and the three after it; a REQUEST edge has the type asked for in DATA and the space in EXTRA.
Numbers in names are hexadecimal: `PD_2`, `BLOCK_SPACE_10`, `BLOCK_10_3`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

HEADER = ("NODE_TYPE", "NODE_ID", "DATA", "EDGE_TYPE", "EDGE_FROM", "EDGE_TO", "EXTRA")
Row = tuple[str, str, str, str, str, str, str]


def pd_id(number: int) -> str:
    return f"PD_{number:x}"


def space_id(type_name: str, space: int) -> str:
    return f"{type_name}_SPACE_{space:x}"


def resource_id(type_name: str, space: int, number: int) -> str:
    return f"{type_name}_{space:x}_{number:x}"


def node(kind: str, name: str, data: str, extra: str = "") -> Row:
    """A PD, RESOURCE or RESOURCE_SPACE."""
    return (kind, name, data, "", "", "", extra)


def edge(kind: str, source: str, to: str, data: str = "NONE", extra: str = "") -> Row:
    """A HOLD, MAP, SUBSET or REQUEST."""
    return ("", "", data, kind, source, to, extra)


def to_csv(rows: Iterable[Sequence[str]]) -> str:
    """The rows under their header, as OSmosis reads them."""
    lines = [HEADER, *rows]
    return "".join(",".join(map(_quoted, line)) + "\n" for line in lines)


def _quoted(text: str) -> str:
    if any(char in text for char in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text


def to_json(rows: Iterable[Sequence[str]], marked: Sequence[dict[str, str]]) -> dict[str, Any]:
    """Nodes and edges as maps, and which servers did not answer as they should."""
    nodes, edges = [], []
    for kind, name, data, what, source, to, extra in rows:
        if kind:
            nodes.append({"type": kind, "id": name, "data": data, "extra": extra})
        else:
            edges.append({"type": what, "from": source, "to": to, "data": data, "extra": extra})
    return {"schema": 1, "nodes": nodes, "edges": edges, "marked": list(marked)}


def reachable(rows: Sequence[Sequence[str]], start: str) -> list[Sequence[str]]:
    """The part of a model that can be reached from a node along its edges."""
    after: dict[str, list[str]] = {}
    for kind, _, _, _, source, to, _ in rows:
        if not kind:
            after.setdefault(source, []).append(to)
    seen = {start: None}
    found = [start]
    while found:
        for to in after.get(found.pop(), ()):
            if to not in seen:
                seen[to] = None
                found.append(to)
    return [row for row in rows if (row[1] if row[0] else row[4]) in seen]
