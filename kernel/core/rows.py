"""What a row of the table (`syscalls.py`) is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from caplab.kernel.abi import Inv, ObjectType, Sys
from caplab.kernel.core.cap import Cap
from caplab.kernel.core.outcome import Outcome

if TYPE_CHECKING:
    from caplab.kernel.core.kernel import Kernel
    from caplab.kernel.core.tcb import TCB

Handler = Callable[["Kernel", "TCB", Cap], Outcome]


class Syscall(NamedTuple):
    """One system call."""

    number: Sys
    handler: Handler
    takes_cap: bool = True
    """Its cptr names a capability, looked up before the handler runs."""
    silence: str = ""
    """What seL4 does when there is no such capability: `error` to the caller, nothing at all
    (empty), or a capability `fault`."""


class Invocation(NamedTuple):
    """One operation of an object: label and arguments as the stub sends them."""

    label: Inv
    name: str
    object: ObjectType
    handler: Handler
    words: tuple[str, ...] = ()
    caps: tuple[str, ...] = ()
    body: str = "words"
    """`words`, or `msgpack` for a map of named arguments, or `none`."""
    rest: str = ""
    """What the words that follow those of `words` are, if any number of them may."""
