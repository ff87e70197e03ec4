"""The programs of a manifest: found, compiled and read, never imported.

Each program is looked at once, however many PDs run it.
"""

import ast
import os
import subprocess
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from caplab.kernel.boot.generated import missing, stale
from caplab.kernel.boot.model import Defaults
from caplab.kernel.boot.problems import Note, Place, Problem, meant
from caplab.kernel.boot.shape import Shape
from caplab.kernel.boot.signature import NoEntry, Signature, read
from caplab.kernel.boot.yaml_marks import MAX_BYTES, Document
from caplab.kernel.boot.yaml_nodes import Unreadable
from caplab.pd import modules
from caplab.pd.modules import BadProgram, Program


@dataclass(frozen=True)
class Found:
    """A program and what could be learnt of it; without a program, `problem` says why."""

    program: Program | None
    source: Path | None = None
    signature: Signature | None = None
    defaults: Defaults = field(default_factory=Defaults)
    defaults_file: Document | None = None
    problems: tuple[Problem, ...] = ()


class Programs:
    """Looks programs up for one manifest, remembering what it found."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, tuple[str, ...]], Found] = {}
        self._python = python_path()

    def look(self, run: str, roots: Sequence[str], at: Place) -> Found:
        """What `run` names. The problems of a program are reported with its first PD only, but
        for a name that leads nowhere, which is each PD's own mistake."""
        key = (run, tuple(roots))
        if (known := self._found.get(key)) is not None:
            if known.source is None:
                return self._look(run, roots, at)
            return Found(
                known.program, known.source, known.signature, known.defaults, known.defaults_file
            )
        self._found[key] = found = self._look(run, roots, at)
        return found

    def _look(self, run: str, roots: Sequence[str], at: Place) -> Found:
        try:
            program = modules.resolve(run, roots, self._python)
            source = modules.source(program, roots, self._python)
        except BadProgram as bad:
            near = meant(run, bad.near)
            fix = f"write {near}" if near else bad.fix
            return Found(None, problems=(Problem(bad.code, bad.message, at, fix),))
        problems = [_stale(text, at) for text in stale(source.parent)]
        signature = None
        for package in _packages(program, modules.search_path(roots, self._python)):
            _compiled(package, run, at, problems)
        if (tree := _compiled(source, run, at, problems)) is not None:
            try:
                signature = read(tree, program.function)
            except NoEntry as none:
                problems.append(_no_entry(none, source, run, at))
        document, defaults = None, Defaults()
        if program.file is None and ":" not in run:
            document, defaults = _defaults(source.with_name("pd.yaml"), at, problems)
        return Found(program, source, signature, defaults, document, tuple(problems))


@cache
def python_path() -> tuple[str, ...]:
    """The `sys.path` of the processes PDs are forked from, which are started with -P.

    Of this process it may hold more: the folder of a script that uses caplab, or of its tests.
    """
    if sys.flags.safe_path:
        return tuple(sys.path)
    command = [sys.executable, "-P", "-c", "import sys; print('\\0'.join(sys.path), end='')"]
    try:
        asked = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):  # no second interpreter is to be had
        return tuple(sys.path)
    return tuple(asked.stdout.split("\0"))


def shown(path: Path) -> str:
    """A path as a reader wants it: from the current directory when it lies below."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative


def _packages(program: Program, path: Sequence[str]) -> list[Path]:
    """The `__init__.py` of each package that is imported on the way to a user's module."""
    parts = program.module.split(".")
    if program.file is not None or parts[0] == modules.CAPLAB.name:
        return []
    specs = [modules.find(".".join(parts[:end]), path) for end in range(1, len(parts))]
    origins = [spec.origin for spec in specs if spec is not None and spec.origin is not None]
    return [Path(origin) for origin in origins if origin.endswith(".py")]


def _compiled(source: Path, run: str, at: Place, problems: list[Problem]) -> ast.Module | None:
    name = shown(source)
    note = Note(f"`{run}` is run here", at)
    try:
        text = source.read_bytes()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a doubtful escape is for the PD's own log
            tree = ast.parse(text, name)
            compile(tree, name, "exec", dont_inherit=True)
    except SyntaxError as error:
        place = _syntax_place(name, error)
        message = f"{source.name} does not compile: {error.msg}"
        fix = f"correct {source.name}"
        problems.append(Problem("CL032", message, place, fix, (note,), anchor=at))
    except (ValueError, RecursionError, MemoryError) as error:
        message = f"{source.name} does not compile: {str(error) or 'nested too deeply'}"
        fix = f"correct {source.name}"
        problems.append(Problem("CL032", message, Place(name), fix, (note,), anchor=at))
    except OSError as error:
        message = f"{name} cannot be read: {error.strerror}"
        problems.append(Problem("CL031", message, at, "make it readable"))
    else:
        return tree
    return None


def _syntax_place(name: str, error: SyntaxError) -> Place:
    line, column = error.lineno or 1, max(1, error.offset or 1)
    same = error.end_lineno == line and error.end_offset is not None
    width = max(1, (error.end_offset or 0) - column) if same else 1
    return Place(name, line, column, width, (error.text or "").rstrip("\n"))


def _no_entry(none: NoEntry, source: Path, run: str, at: Place) -> Problem:
    name = shown(source)
    if not none.line:
        return Problem(none.code, f"{name}: {none.message}", at, none.fix)
    text = source.read_text("utf-8", "replace").splitlines()[none.line - 1]
    start = len(text) - len(text.lstrip()) + 1
    place = Place(name, none.line, start, max(1, len(text.strip())), text)
    note = Note(f"`{run}` is run here", at)
    return Problem(none.code, none.message, place, none.fix, (note,), anchor=at)


def _stale(text: Path, at: Place) -> Problem:
    message = f"what {shown(text)} says is not what its Python says: it was changed since"
    if missing(text):
        message = f"there is no Python of {shown(text)} yet"
    return Problem("CL040", message, at, f"caplab gen {shown(text)}")


def _defaults(file: Path, at: Place, problems: list[Problem]) -> tuple[Document | None, Defaults]:
    """The `pd.yaml` beside a program, if it has one."""
    try:
        content = file.read_bytes()[: MAX_BYTES + 1]
    except OSError:
        return None, Defaults()
    try:
        document = Document(shown(file), content)
    except Unreadable as bad:
        problems.append(_anchored(bad.problem, at))
        return None, Defaults()
    shape = Shape(document)
    defaults = shape.defaults()
    problems.extend(_anchored(problem, at) for problem in shape.problems)
    return document, defaults


def _anchored(problem: Problem, at: Place) -> Problem:
    """A problem of a program's own file, ordered by the PD that runs it."""
    note = Note("it is read for this PD", at)
    notes = (*problem.notes, note)
    return Problem(problem.code, problem.message, problem.place, problem.fix, notes, anchor=at)
