"""The files that are made of `.idl` files: which, of what text, and writing them.

The first line of each says of which texts it was made, so that `caplab check` can tell without a
compiler whether it is stale.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from caplab.kernel.boot.generated import idl_mark
from caplab.scripts.gen.idl.compiler import OWN, compiled
from caplab.scripts.gen.idl.emit_client import client_module
from caplab.scripts.gen.idl.emit_interface import interface_module, types_module
from caplab.scripts.gen.idl.emit_server import server_module
from caplab.scripts.gen.idl.model import File
from caplab.scripts.gen.idl.names import Names, side_leaf, types_leaf

SIDES = {"interface": interface_module, "client": client_module, "server": server_module}


def generate(
    paths: Iterable[Path], output: Path | None = None, package: str | None = None
) -> dict[Path, str]:
    """What is made of `.idl` files and those they import, by file; nothing is written.

    It goes beside each file, or all of it into `output`; `package` is the one that modules there
    import each other by, when it cannot be told from the folder. Raises BadIdl.
    """
    names = Names(None if output is None else output.resolve(), package)
    files = compiled(paths)
    imported = {path for file in files for path in file.imports} - {file.path for file in files}
    ours = OWN.resolve()
    files += compiled(sorted(path for path in imported if not path.is_relative_to(ours)))
    made: dict[Path, str] = {}
    for file in files:
        made.update(_of(file, names))
    return made


def _of(file: File, names: Names) -> dict[Path, str]:
    folder = names.folder(file.path)
    own = [path for path in file.imports if not path.is_relative_to(OWN.resolve())]
    mark = idl_mark([file.path, *own], folder)
    made = {}
    if file.types or file.constants or not file.interfaces:
        made[folder / f"{types_leaf(file.path)}.py"] = types_module(file, names, mark)
    for iface in file.interfaces:
        for side, module in SIDES.items():
            leaf = side_leaf(iface.name, side)
            made[folder / f"{leaf}.py"] = module(iface, names, mark)
    return made


def write(made: dict[Path, str]) -> list[Path]:
    """Write what has changed; the files that were written."""
    written = []
    for target, text in made.items():
        if not target.is_file() or target.read_text() != text:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
            written.append(target)
    return written
