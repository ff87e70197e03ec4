"""`caplab graph`: who holds what, what is built on what, and whom each PD may ask."""

from collections import Counter
from enum import StrEnum
from typing import Annotated

import typer

from caplab.kernel.boot.graph import Graph
from caplab.kernel.boot.running import Running
from caplab.scripts.cli import show
from caplab.scripts.cli.numbers import seconds
from caplab.scripts.cli.options import SystemName

MARKS = {
    "dead": "died while it was asked",
    "slow": "did not answer in time",
    "lying": "said what cannot be so",
}


class Form(StrEnum):
    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    DOT = "dot"


def graph(
    output: Annotated[
        Form, typer.Option("--format", help="For people, for OSmosis, programs or Graphviz.")
    ] = Form.TABLE,
    start: Annotated[
        str | None,
        typer.Option("--from", metavar="PD", help="Only what this PD reaches.", show_default=False),
    ] = None,
    timeout: Annotated[
        float,
        typer.Option(
            "--timeout",
            metavar="S",
            parser=seconds("--timeout"),
            help="Seconds for servers to answer.",
        ),
    ] = 2.0,
    system: SystemName = None,
) -> int:
    """Show the model state of a running system, gathered from the root task and its servers."""
    found = Running.attach(system).graph(timeout=timeout)
    if start is not None:
        found = found.reachable(start)
    if output is Form.JSON:
        show.as_json({key: part for key, part in found.json().items() if key != "schema"})
    elif output is Form.TABLE:
        tables(found)
    else:
        print(found.csv() if output is Form.CSV else found.dot(), end="")
    for pd, why in found.marked.items():
        show.say(f"{pd} {MARKS.get(why, why)}: what only it knows of its resources is not shown")
    return 0


def tables(found: Graph) -> None:
    """The PDs, then the spaces."""
    nodes = {node.id: node for node in found.nodes()}
    heads = ("PD", "NODE", "MANAGES", "HOLDS", "MAY ASK")
    show.table(heads, [_pd_line(found, node.data, node.id) for node in found.nodes("PD")])
    inside = Counter(edge.to for edge in found.edges("SUBSET"))
    below: dict[str, list[str]] = {}
    for edge in found.edges("MAP"):
        if edge.source in nodes and nodes[edge.source].kind == "RESOURCE_SPACE":
            below.setdefault(edge.source, []).append(edge.to)
    rows = [
        (
            space.id,
            ", ".join(found.holders(space.id)),
            inside[space.id],
            ", ".join(below.get(space.id, ())),
        )
        for space in found.nodes("RESOURCE_SPACE")
    ]
    if rows:
        print()
        show.table(("SPACE", "OF", "RESOURCES", "BUILT ON"), rows)


def _pd_line(found: Graph, name: str, node: str) -> tuple[str, str, str, str, str]:
    kinds = {each.id: (each.kind, each.data) for each in found.nodes()}
    held = [kinds.get(edge.to, ("", "")) for edge in found.edges("HOLD") if edge.source == node]
    spaces = [
        edge.to
        for edge in found.edges("HOLD")
        if edge.source == node and kinds.get(edge.to, ("",))[0] == "RESOURCE_SPACE"
    ]
    counted = Counter(data for kind, data in held if kind == "RESOURCE")
    holds = ", ".join(f"{data} {count}" for data, count in counted.items())
    asks = [edge.data for edge in found.edges("REQUEST") if edge.source == node]
    manages = ", ".join(spaces) if node != ROOT else show.count(len(spaces), "space")
    return name, node, manages, holds, ", ".join(asks)


ROOT = "PD_0"
"""The root task, which manages a space for each kind of its own."""
