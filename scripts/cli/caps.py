"""`caplab caps`: what a PD may do, and from where it has that."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from caplab.kernel.boot.running import Running
from caplab.scripts.cli import show
from caplab.scripts.cli.options import SystemName

WIDE = 1 << 32
"""Badges from here on are made of fields, and read in hexadecimal."""


class Form(StrEnum):
    TABLE = "table"
    JSON = "json"


def caps(
    pd: Annotated[str, typer.Argument(metavar="PD", help="The PD, by name, or `root`.")],
    tree: Annotated[
        bool, typer.Option("--tree", help="With what each was derived from, and what from it.")
    ] = False,
    system: SystemName = None,
    output: Annotated[
        Form, typer.Option("--format", help="For people, or for programs.")
    ] = Form.TABLE,
) -> int:
    """Show the capabilities of a PD."""
    found = Running.attach(system).caps(pd, tree=tree)
    if output is Form.JSON:
        show.as_json(found)
        return 0
    heads = ("SLOT", "NAME", "OBJECT", "RIGHTS", "BADGE", "FROM", "EMPTIED")
    if not found["slots"]:
        show.say(f"{pd} holds no capability")
    elif tree:
        for row in found["slots"]:
            as_tree(row)
    else:
        show.table(heads, [_line(row) for row in found["slots"]])
    if found["more_slots"]:
        show.say(f"{show.count(found['more_slots'], 'slot')} more, which are not shown")
    return 0


def as_tree(row: dict[str, Any]) -> None:
    """One slot, its ancestors from the nearest on, and its descendants."""
    names = "".join(f" {name}" for name in row["names"])
    if row["type"] is None:
        print(show.harmless(f"{place(row)}  {tombstone(row['gone'])}"))
        return
    origin = f", from {row['from']}" if row["from"] else ""
    print(show.harmless(f"{place(row)}{names}  {thing(row)} {_rights(row)}{origin}"))
    for kin in row["parents"]:
        print(show.harmless(f"  from {_kin(kin)}"))
    for kin in row["derived"]:
        print(show.harmless(f"{'  ' * kin['depth']}to   {_kin(kin)}"))
    if row["more_derived"]:
        print(f"  and {row['more_derived']} more")


def thing(row: dict[str, Any]) -> str:
    """`endpoint serial/gen0`."""
    return f"{row['type']} {row['object']}"


def place(row: dict[str, Any]) -> str:
    """The slot of a first CSpace; of another CNode, with its number before."""
    return str(row["slot"]) if row["cnode"] is None else f"{row['cnode']}:{row['slot']}"


def badge(number: int | None) -> str:
    """Zero is none."""
    return "" if not number else hex(number) if number >= WIDE else str(number)


def tombstone(gone: dict[str, Any] | None) -> str:
    """Why a slot is empty: the status its callers get, who did it, at which event."""
    if gone is None:
        return ""
    who = f" by {gone['pd']}/gen{gone['generation']}" if gone["pd"] else ""
    return f"{gone['status']}{who}, event {gone['event']}"


def _rights(row: dict[str, Any]) -> str:
    return f"{row['rights']} badge {badge(row['badge'])}" if row["badge"] else str(row["rights"])


def _kin(kin: dict[str, Any]) -> str:
    where = f"slot {place(kin)}" if kin["tcb"] is None else f"root of thread {kin['tcb']}"
    return f"{kin['pd']}/gen{kin['generation']} {where}  {_rights(kin)}"


def _line(row: dict[str, Any]) -> tuple[object, ...]:
    return (
        place(row),
        " ".join(row["names"]),
        "" if row["type"] is None else thing(row),
        row["rights"],
        badge(row["badge"]),
        row["from"],
        tombstone(row["gone"]),
    )
