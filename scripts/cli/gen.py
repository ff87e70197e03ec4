"""`caplab gen`: Python of `.proto` files, beside them."""

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
) -> int:
    """Make X_pb2.py and X_pb2.pyi of each X.proto. Files that need no change are left as they are.

    All are compiled before any is written: with a mistake in one, nothing changes.
    """
    from caplab.scripts.gen.protos import BadProto, NoProto, generate, protos, write

    try:
        found = list(protos(paths or [Path()]))
    except NoProto as none:
        raise HostError("no-proto", f"{none}.", "Name a .proto file, or a folder.", 2) from None
    try:
        for proto in found:
            generate(proto)
    except BadProto as bad:
        raise HostError("bad-proto", str(bad), "Correct the file; nothing was written.") from None
    for proto in found:
        written = [target.name for target in write(proto)]
        show.say(f"{proto}: {' and '.join(written)}" if written else f"{proto}: up to date")
    return 0
