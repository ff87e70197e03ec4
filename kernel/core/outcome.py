"""What a handler returns: errors are values, and one wrapper turns them into answers.

`None` means the handler saw to it itself: the caller is blocked, or was resumed with a message.

Differs: an error stands in a field of its own, `status`, which only the kernel writes. In lab mode
    the label is the sender's alone; otherwise a kernel error shows there too, as in seL4. Where
    seL4 says nothing to a Send, NBSend or Signal lab mode gives the error. Without a fault handler
    lab mode returns a capability fault to the caller as an error. When an object is destroyed
    lab mode tells those who wait on it who is to blame; seL4 executes their calls again
"""

from __future__ import annotations

from typing import NamedTuple

from caplab.kernel.abi import DEATH, WORD, Status
from caplab.kernel.core.cap import Cause


class Result(NamedTuple):
    """The immediate answer to a call."""

    status: int = 0
    body: bytes = b""
    label: int = 0
    badge: int = 0
    flags: int = 0
    landed: tuple[int, ...] = ()
    """Slots into which capabilities were put for the caller."""


Outcome = Result | None
OK = Result()


class KernelBug(Exception):
    """The kernel's own mistake. It stops the kernel; a user's mistake never raises."""


def error(status: Status, *words: int) -> Result:
    """A refusal with seL4's error words (argument number, minimum and maximum, …)."""
    return Result(status, b"".join(WORD.pack(word) for word in words))


def gone(cause: Cause) -> Result:
    """A refusal that names who is to blame (statuses from NEVER_EXISTED up)."""
    return Result(cause.status, death_body(cause))


def death_body(cause: Cause) -> bytes:
    return DEATH.pack(cause.pd, cause.generation, cause.event) + cause.name.encode()
