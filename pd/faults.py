"""What is said of a PD that dies of an exception: the traceback, without the runtime's frames."""

from __future__ import annotations

import os
from traceback import TracebackException
from types import TracebackType

from caplab.pd.errors import CapError, MissingCap
from caplab.pd.loader import CannotStart
from caplab.pd.modules import BadProgram

HOME = os.path.dirname(os.path.abspath(__file__)) + os.sep
IMPORTER = "<frozen importlib"
SENTENCES = (CannotStart, BadProgram)
"""Exceptions whose message says everything: no traceback."""


def describe(exc: BaseException, name: str) -> str:
    """The traceback as the author of the PD's program wants it."""
    if isinstance(exc, SENTENCES):
        return f"{name} cannot start: {exc}\n"
    told = TracebackException(type(exc), exc, _own(exc.__traceback__))
    outward = isinstance(exc, CapError | MissingCap)
    while outward and told.stack and told.stack[-1].filename.startswith(HOME):
        told.stack.pop()
    return "".join(told.format())


def _own(traceback: TracebackType | None) -> TracebackType | None:
    """The part from the first frame that is neither the runtime's nor the importer's."""
    at = traceback
    while at is not None:
        file = at.tb_frame.f_code.co_filename
        if not file.startswith((HOME, IMPORTER)):
            return at
        at = at.tb_next
    return traceback
