"""From the word a user types to a checked system: `check` never raises for a mistake of theirs."""

import importlib
import os
import stat
from pathlib import Path

from caplab.kernel.boot.checked import Checked, CheckedSystem
from caplab.kernel.boot.entries import entries, said
from caplab.kernel.boot.model import SYSTEM_RULE, Keys, valid_system_name
from caplab.kernel.boot.problems import Note, Place, Problem, listing, meant
from caplab.kernel.boot.routes import Routes
from caplab.kernel.boot.shape import Shape
from caplab.kernel.boot.yaml_marks import MAX_BYTES, Document
from caplab.kernel.boot.yaml_nodes import Unreadable
from caplab.pd.modules import CAPLAB

SYSTEMS = CAPLAB / "systems"
SUFFIXES = (".yaml", ".yml")
USUAL = "caplab.yaml"
DEFAULTS = "pd.yaml"
"""What a program says of itself, beside it: no manifest."""


def shipped() -> dict[str, Path]:
    """The manifests that come with caplab, by the name `up` takes."""
    return {file.stem: file for file in sorted(SYSTEMS.glob("*.yaml"))}


def locate(word: str) -> Path:
    """The manifest a word names: a path, or the name of one that comes with caplab.

    A bare word is looked for among those that come with caplab first, so that a folder of the
    same name is not in the way; `./hello.yaml` is always a file. A folder stands for its
    caplab.yaml, or for the one manifest in it.
    """
    return shipped().get(word) or _in_folder(Path(word))


def _in_folder(path: Path) -> Path:
    there = manifests_in(path)
    usual = path / USUAL
    return usual if usual in there else there[0] if len(there) == 1 else path


def manifests_in(folder: Path) -> list[Path]:
    """The YAML files of a folder that are manifests by their names; of anything else, none."""
    if not os.path.isdir(folder):  # of a path that can be none, it says no
        return []
    found = (each for suffix in SUFFIXES for each in folder.glob(f"*{suffix}"))
    return sorted(each for each in found if each.name != DEFAULTS and each.is_file())


def check(manifest: str | Path) -> Checked:
    """Reads a manifest and everything it names, and finds all that is wrong, ordered by place.

    `manifest` is a path or, as a str, the name of a manifest that comes with caplab; a folder is
    taken as in :func:`locate`. No code is imported: modules are found by their specs, compiled,
    and their `main` is read.
    """
    path = locate(manifest) if isinstance(manifest, str) else _in_folder(manifest)
    file = str(path)
    try:
        document = Document(file, _content(path, file))
        shape = Shape(document)
        system = _judge(shape, path)
    except Unreadable as bad:
        return Checked(file, None, (bad.problem,))
    problems = sorted(dict.fromkeys(shape.problems), key=lambda problem: problem.order)
    return Checked(file, None if problems else system, tuple(problems))


def _judge(shape: Shape, path: Path) -> CheckedSystem | None:
    keys = shape.manifest()
    if keys is None:
        return None
    importlib.invalidate_caches()  # a module written a moment ago is there
    name = _name(shape, keys, path)
    folder = path.absolute().parent
    pds = entries(shape, keys, folder)
    Routes(shape, keys, pds).judge()
    checked = [pd.checked() for pd in pds.values()]
    return CheckedSystem(
        name=name,
        file=path.absolute(),
        semantics=keys.semantics,
        scheduler=keys.scheduler,
        uarts=tuple(keys.uarts),
        timers=tuple(keys.timers),
        irqs=tuple(keys.irqs),
        ranges=tuple((one.address, one.size) for one in keys.ranges),
        cpus=tuple(keys.cpus) if keys.cpus is not None else None,
        exit_code_from=keys.exit_code_from,
        confinement=keys.confinement,
        cleanup=said(keys.cleanup),
        pds=tuple(pd for pd in checked if pd is not None),
    )


def _name(shape: Shape, keys: Keys, path: Path) -> str:
    name = keys.name or path.stem
    if not valid_system_name(name) and ("name",) not in shape.dropped:
        message = f"the file's name, `{name}`, cannot be the system's"
        place = shape.document.lines.at(1, 1)
        fix = f"add  name:  with {SYSTEM_RULE}"
        shape.problems.append(Problem("CL014", message, place, fix))
    return name


def _content(path: Path, file: str) -> bytes:
    """The bytes of a manifest, at most as many as are allowed and one more."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise _unreadable("CL002", file, *_inside(path, file))
        if not stat.S_ISREG(mode):
            raise _unreadable("CL002", file, f"{file} is not a file", "name a YAML file")
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise _absent(path, file) from None
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else "the name holds a null byte"
        raise _unreadable("CL002", file, f"{file}: {said}", "make it readable") from None
    if len(content) > MAX_BYTES:
        message = f"the file is larger than {MAX_BYTES >> 20} MiB"
        raise _unreadable("CL003", file, message, "give large data to a PD as a file of its own")
    return content


def _inside(folder: Path, file: str) -> tuple[str, str]:
    """What is said of a folder that leads to no manifest, and what to do."""
    found = manifests_in(folder)
    if not found:
        return f"{file} is a folder without a manifest", "name a YAML file, or write caplab.yaml"
    names = listing(one.name for one in found)
    message = f"{file} is a folder with {len(found)} manifests: {names}"
    return message, f"name one of them, such as {found[0]}, or call one caplab.yaml"


def _absent(path: Path, file: str) -> Unreadable:
    names = shipped()
    beside = [str(each) for suffix in SUFFIXES for each in path.parent.glob(f"*{suffix}")]
    near = meant(file, [*names, *beside])
    fix = f"write {near}" if near else "correct the path"
    what = "no file" if "/" in file or file.endswith(SUFFIXES) else "neither a file nor a system"
    note = Note(f"caplab comes with {', '.join(names)}") if names and near is None else None
    problem = Problem("CL001", f"{what} {file}", Place(file), fix, (note,) if note else ())
    return Unreadable(problem)


def _unreadable(code: str, file: str, message: str, fix: str) -> Unreadable:
    return Unreadable(Problem(code, message, Place(file), fix))
