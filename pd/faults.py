"""What is said of a PD that dies of an exception: the traceback, without the runtime's frames."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from errno import EACCES, ENOENT, EPERM, EROFS
from traceback import TracebackException
from types import TracebackType

from caplab.pd.errors import CapError, MissingCap, ServiceError
from caplab.pd.loader import CannotStart
from caplab.pd.modules import BadProgram
from caplab.pd.spawn import SpawnInfo

HOME = os.path.dirname(os.path.abspath(__file__)) + os.sep
IMPORTER = "<frozen importlib"
SENTENCES = (CannotStart, BadProgram)
"""Exceptions whose message says everything: no traceback."""
REFUSALS = (ServiceError, MissingCap)
"""Exceptions whose message says everything to a user whose program is not his own."""
DENIED: Mapping[str, tuple[int, ...]] = {
    "strict": (ENOENT, EACCES, EPERM, EROFS),
    "basic": (EACCES, EPERM),
}
"""How a level of confinement says no to a path; at `basic` what is not there is not there."""
SEGMENTS = "multiprocessing.shared_memory"
"""The module whose paths are names of segments, and no files of the host's."""


def describe(exc: BaseException, info: SpawnInfo) -> str:
    """The traceback as the author of the PD's program wants it."""
    if isinstance(exc, SENTENCES):
        return f"{info.name} cannot start: {exc}\n"
    if isinstance(exc, REFUSALS) and _of_caplab(exc.__traceback__):
        return f"{type(exc).__name__}: {exc}\n"
    told = TracebackException(type(exc), exc, _own(exc.__traceback__))
    outward = isinstance(exc, CapError | MissingCap)
    while outward and told.stack and told.stack[-1].filename.startswith(HOME):
        told.stack.pop()
    text = "".join(told.format())
    return f"{text.rstrip()} ({why})\n" if (why := confined(exc, info)) else text


def _own(traceback: TracebackType | None) -> TracebackType | None:
    """The part from the first frame that is neither the runtime's nor the importer's."""
    at = traceback
    while at is not None:
        file = at.tb_frame.f_code.co_filename
        if not file.startswith((HOME, IMPORTER)):
            return at
        at = at.tb_next
    return traceback


def confined(exc: BaseException, info: SpawnInfo) -> str:
    """What the PD's confinement has to do with it, if that is the likely reason; else nothing.

    It is where a path was refused that no PD at its level can reach.
    """
    if not isinstance(exc, OSError) or exc.errno not in DENIED.get(info.confinement, ()):
        return ""
    path = exc.filename
    if not isinstance(path, str | bytes) or _names(exc.__traceback__)[-1:] == [SEGMENTS]:
        return ""
    if exc.errno == ENOENT and _visible(os.fsdecode(path), info):
        return ""
    return (
        f"confinement {info.confinement}: of the host's files a PD can open its code alone,"
        " read-only; `confinement: none` lets it"
    )


def _visible(path: str, info: SpawnInfo) -> bool:
    """Whether a PD that is confined sees what is there, if there is anything."""
    try:
        whole = os.path.abspath(path)
    except OSError:  # the current directory is gone, which says nothing of confinement
        return True
    roots = (*info.path, *filter(None, sys.path), sys.prefix)
    return any(whole.startswith(os.path.join(os.path.abspath(root), "")) for root in roots)


def _of_caplab(traceback: TracebackType | None) -> bool:
    """Whether no line of the user's had a part in it."""
    return all(name.startswith("caplab.") for name in _names(traceback))


def _names(traceback: TracebackType | None) -> list[str]:
    """The modules that an exception came through, the outermost first."""
    names = []
    while traceback is not None:
        names.append(str(traceback.tb_frame.f_globals.get("__name__")))
        traceback = traceback.tb_next
    return names
