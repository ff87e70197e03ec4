"""Which code a PD runs: from the word a user writes in `run` to a module, a function and a file.

Nothing here imports the code it names, and importing a package to look into it would be just that:
modules are found by their specs, one level at a time. The manifest checker uses it before anything
starts, a PD's runtime for a PD that was created while the system runs; so both refuse alike.

A *code root* is a folder whose modules a PD may import: the manifest's folder first, then each
entry of `path`. Code roots come after caplab and the standard library (:func:`search_path`), so
that a file of the user's called `queue.py` breaks no import but its own.
"""

import os
import re
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import NamedTuple

CAPLAB = Path(__file__).parent.parent
"""The folder of the package caplab, in a checkout (a folder of links) as in a wheel."""
SHIPPED = {"servers": "server", "clients": "main"}
"""What `run: servers.X` and `run: clients.X` name: the file of the program in its folder."""
FORMS = "servers.NAME, clients.NAME, ./file.py, ./folder or package.module:function"

_IDENTIFIER = r"[A-Za-z_]\w*"
_DOTTED = rf"{_IDENTIFIER}(?:\.{_IDENTIFIER})*"
_SHIPPED = re.compile(rf"(servers|clients)\.({_IDENTIFIER})")
_FUNCTION = re.compile(rf"({_DOTTED}):({_IDENTIFIER})")


class Program(NamedTuple):
    """What a PD runs, as the boot specification and the spawn message carry it."""

    module: str
    """Importable name; the stem of the file when there is one."""
    function: str
    file: str | None
    """Absolute path of a module that is loaded from its file, not imported by its name."""


class BadProgram(LookupError):
    """A `run` that names no program.

    `code` is the number `caplab explain` knows, `fix` what to write instead, `near` the names
    among which the user may have meant one.
    """

    def __init__(self, code: str, message: str, fix: str, near: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.code, self.message, self.fix, self.near = code, message, fix, tuple(near)


def search_path(roots: Sequence[str], python: Sequence[str] | None = None) -> list[str]:
    """The `sys.path` of a PD with these code roots: what Python has, then the roots.

    The directory from which caplab happened to be called is no code root. `python` is what Python
    has; the own `sys.path` if it is left out.
    """
    ambient = {"", ".", os.getcwd(), *roots} - {str(CAPLAB.parent)}
    own = sys.path if python is None else python
    return [entry for entry in own if entry not in ambient] + list(roots)


def resolve(run: str, roots: Sequence[str], python: Sequence[str] | None = None) -> Program:
    """The program a `run` names; `./` is looked up in each code root in turn.

    Raises BadProgram when the word has no known form or nothing is there. A program given as
    `package.module:function` is not looked for here but in :func:`source`. `python` as in
    :func:`search_path`.
    """
    if shipped := _SHIPPED.fullmatch(run):
        return _shipped(*shipped.groups())
    if named := _FUNCTION.fullmatch(run):
        return Program(named[1], named[2], None)
    if run.startswith("./"):
        return _relative(run, roots, python)
    raise BadProgram("CL030", f"`{run}` is not a form of `run`", _form_fix(run))


def source(program: Program, roots: Sequence[str], python: Sequence[str] | None = None) -> Path:
    """The source file of a program's module, found without importing anything.

    Raises BadProgram when there is none, or when it is not Python source.
    """
    if program.file is not None:
        return Path(program.file)
    spec = find(program.module, search_path(roots, python))
    if spec is None:
        places = "".join(f" and in {root}" for root in roots)
        raise BadProgram(
            "CL031",
            f"there is no module {program.module}: looked on Python's own path{places}",
            "correct the name, or add the folder that holds it to `path`",
        )
    origin = spec.origin or ""
    if not origin.endswith(".py"):
        what = origin if spec.has_location else "a package without __init__.py, or built in"
        raise BadProgram(
            "CL031",
            f"{program.module} is not a Python source file ({what})",
            "name a module, not a package: package.module:function",
        )
    return Path(origin)


def find(module: str, path: Sequence[str]) -> ModuleSpec | None:
    """The spec of a dotted module, looked up on a path, importing none of its packages.

    The finder is asked for the last part alone: asked for `a.b` it would look for `a` among the
    imported modules when `a` is a folder without `__init__.py`.
    """
    folders: Sequence[str] = path
    spec: ModuleSpec | None = None
    for depth, leaf in enumerate(module.split(".")):
        if depth == 0:
            spec = _find_top(leaf, path)
        else:
            spec = PathFinder.find_spec(leaf, folders)
        if spec is None:
            return None
        folders = list(spec.submodule_search_locations or ())
    return spec


def _find_top(name: str, path: Sequence[str]) -> ModuleSpec | None:
    if name == CAPLAB.name:
        return PathFinder.find_spec(name, [str(CAPLAB.parent)])
    if (spec := PathFinder.find_spec(name, path)) is not None:
        return spec
    for finder in sys.meta_path:  # frozen and built-in modules, editable installs
        if finder is not PathFinder and (spec := finder.find_spec(name, None, None)) is not None:
            return spec
    return None


def _shipped(kind: str, name: str) -> Program:
    stem = SHIPPED[kind]
    if not (CAPLAB / kind / name / f"{stem}.py").is_file():
        there = shipped(kind)
        listed = ", ".join(there) or "none"
        raise BadProgram(
            "CL031",
            f"caplab has no {kind[:-1]} {name}; its {kind} are: {listed}",
            f"name one of caplab's own, or ./{name} for one beside the manifest",
            [f"{kind}.{one}" for one in there],
        )
    return Program(f"caplab.{kind}.{name}.{stem}", "main", None)


def shipped(kind: str) -> list[str]:
    """The names of caplab's own `servers` or `clients` that can be run."""
    return sorted(file.parent.name for file in (CAPLAB / kind).glob(f"*/{SHIPPED[kind]}.py"))


def _relative(run: str, roots: Sequence[str], python: Sequence[str] | None) -> Program:
    relative = run[2:].rstrip("/")
    if not relative or ".." in relative.split("/"):
        raise BadProgram(
            "CL030",
            f"`{run}` leaves the code roots",
            "add the folder that holds the program to `path`, and name the program with ./",
        )
    for root in roots:
        place = Path(root, relative)
        if place.suffix == ".py" and place.is_file():
            return _file(run, place)
        if place.is_dir():
            return _folder(run, relative, root, search_path(roots, python))
    near = [f"./{each.name}" for root in roots for each in _programs(Path(root))]
    raise BadProgram(
        "CL031",
        f"there is no {run} in {', '.join(roots) or 'any code root: this PD has none'}",
        "correct the name; a file is named with its .py, and is relative to the manifest",
        near,
    )


def _file(run: str, place: Path) -> Program:
    if place.stem in sys.stdlib_module_names:
        raise BadProgram(
            "CL038",
            f"{run} has the name of a module of Python's own, {place.stem}",
            f"rename the file, for instance to my_{place.stem}.py",
        )
    return Program(place.stem, "main", str(place.absolute()))


def _folder(run: str, relative: str, root: str, path: Sequence[str]) -> Program:
    parts = relative.split("/")
    for part in parts:
        if not re.fullmatch(_IDENTIFIER, part):
            raise BadProgram(
                "CL030",
                f"the folder {part} of `{run}` cannot be imported: it is not a Python name",
                f"rename it to {re.sub(r'[^0-9A-Za-z_]', '_', part)}",
            )
    for stem in SHIPPED.values():
        file = Path(root, relative, f"{stem}.py")
        if file.is_file():
            module = ".".join([*parts, stem])
            _refuse_hidden(run, module, file, path)
            return Program(module, "main", None)
    raise BadProgram(
        "CL031",
        f"{run} has neither a server.py nor a main.py",
        "put the function main(env, …) into one of them, or name the file itself",
    )


def _refuse_hidden(run: str, module: str, file: Path, path: Sequence[str]) -> None:
    spec = find(module, path)
    if spec is not None and spec.origin is not None and os.path.samefile(spec.origin, file):
        return
    top = module.split(".")[0]
    other = find(top, path)
    raise BadProgram(
        "CL038",
        f"{run} is hidden by another module of the name {top}"
        + (f" ({other.origin})" if other is not None and other.origin else ""),
        "rename the folder",
    )


def _programs(root: Path) -> list[Path]:
    """What could be run in a code root, for `did you mean`."""
    try:
        entries = sorted(root.iterdir())
    except OSError:
        return []
    return [
        each
        for each in entries
        if each.suffix == ".py" or any((each / f"{stem}.py").is_file() for stem in SHIPPED.values())
    ]


def _form_fix(run: str) -> str:
    if run.endswith(".py"):
        return f"write ./{run.lstrip('/')}, relative to the manifest"
    if re.fullmatch(_DOTTED, run) and "." in run:
        return f"name the function too: {run}:main"
    return f"write one of {FORMS}"
