"""`caplab gen`: Python of `.idl` and `.proto` files."""

from pathlib import Path
from typing import Annotated

import typer

from caplab.kernel.host.errors import HostError
from caplab.scripts.cli import show


def gen(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[PATH]…",
            help="Files, or folders that hold some; this folder if left out.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="DIR",
            help="Where what is made of .idl files goes; beside each if left out.",
        ),
    ] = None,
    package: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The package that these modules are in, where the folder does not say it.",
        ),
    ] = None,
) -> int:
    """Make Python of interfaces and messages. Files that need no change are left as they are.

    Of X.idl become, for each interface in it, a module that client and server share, the client's
    and the server's, and X_types.py; of X.proto X_pb2.py and X_pb2.pyi. All are compiled before any
    is written: with a mistake in one, nothing changes.
    """
    from caplab.scripts.gen import protos

    named = paths or [Path()]
    found = {suffix: list(protos.found(named, suffix)) for suffix in (".idl", ".proto")}
    _refuse_empty(named, [path for some in found.values() for path in some])
    made: dict[Path, str] = {}
    if found[".idl"]:
        from caplab.scripts.gen.idl.files import generate

        made = generate(found[".idl"], output, package)
    try:
        for proto in found[".proto"]:
            protos.generate(proto)
    except protos.BadProto as bad:
        raise HostError("bad-proto", str(bad), "Correct the file; nothing was written.") from None
    _write(found, made)
    return 0


def _refuse_empty(named: list[Path], found: list[Path]) -> None:
    for path in named:
        if not any(each == path or each.is_relative_to(path) for each in found):
            message = f"There is no .idl or .proto file at {path}."
            raise HostError("no-source", message, "Name one, or a folder that holds some.", 2)


def _write(found: dict[str, list[Path]], made: dict[Path, str]) -> None:
    from caplab.scripts.gen import protos

    if made:
        from caplab.scripts.gen.idl.files import write

        _say(show.listed([str(path) for path in found[".idl"]]), write(made))
    for proto in found[".proto"]:
        _say(str(proto), protos.write(proto))


def _say(source: str, written: list[Path]) -> None:
    names = [target.name for target in written]
    show.say(f"{source}: {show.listed(names)}" if written else f"{source}: up to date")
