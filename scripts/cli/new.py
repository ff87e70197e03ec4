"""`caplab new`: the beginning of a server, a client or a system of one's own."""

import importlib.util
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from caplab.kernel.host.errors import RequestRefused
from caplab.scripts.cli import show


class Kind(StrEnum):
    SERVER = "server"
    CLIENT = "client"
    SYSTEM = "system"


class Style(StrEnum):
    PROTO = "proto"
    IDL = "idl"


NEXT = {
    Style.IDL: "caplab up {path}/example.yaml\npytest {path}\n"
    "Then say in {path}/{name}.idl what it is to do, and: caplab gen {path}",
    Kind.SERVER: "caplab up {path}/example.yaml\npytest {path}\n"
    "Then say in {path}/{name}.proto what it is to do, and: caplab gen {path}",
    Kind.CLIENT: "{path}/README.md has the lines for your manifest.",
    Kind.SYSTEM: "cd {path} && caplab up",
}


def new(
    kind: Annotated[Kind, typer.Argument(help="What to begin.", show_default=False)],
    path: Annotated[
        Path,
        typer.Argument(help="A folder that is not there yet; its name is taken.", metavar="PATH"),
    ],
    style: Annotated[
        Style | None,
        typer.Option(
            help="Of a server: one that lends resources (proto), or a component by its interface.",
            show_default="proto",
        ),
    ] = None,
) -> int:
    """Make a folder with a server, a client or a system that runs as it is."""
    from caplab.scripts.gen.skeleton import BadName, make

    if style is not None and kind is not Kind.SERVER:
        raise RequestRefused("bad-request", "A style is for a server.", "Nothing was made.")
    component = style is Style.IDL
    try:
        made = make("component" if component else kind.value, path)
    except BadName as bad:
        raise RequestRefused("bad-name", f"{bad}.", "Nothing was made.") from None
    except OSError as why:
        raise RequestRefused("bad-request", f"{path} cannot be made: {why.strerror}.") from None
    show.say(f"{path}: {', '.join(file.name for file in made)}")
    told = NEXT[Style.IDL if component else kind].format(path=path, name=path.resolve().name)
    if importlib.util.find_spec("pytest") is None:
        told = told.replace(f"pytest {path}\n", f"pip install pytest && pytest {path}\n")
    show.say("next:\n" + told)
    return 0
