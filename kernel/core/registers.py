"""The toy register file of a TCB: words that are written, read, and shown to fault handlers.

Which registers there are, and in which order, stands in `abi.REGISTERS`. A thread of the host has
registers of its own; these decide where a parked TCB starts, and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from caplab.kernel.abi import REGISTERS, WORD, Status
from caplab.kernel.core import blocking, message, requests
from caplab.kernel.core.cap import Cap
from caplab.kernel.core.outcome import OK, Outcome, Result, error
from caplab.kernel.core.states import DEAD

if TYPE_CHECKING:
    from caplab.kernel.core.kernel import Kernel
    from caplab.kernel.core.tcb import TCB

_COUNT = len(REGISTERS)
_FIXED = 3
"""Words before the first register."""


def read(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Read the first registers of a TCB.

    seL4:      seL4_TCB_ReadRegisters
    Object:    TCB
    Arguments: suspend_source (1: suspend it first), arch_flags, count
    Answer:    as many words, in the order of `abi.REGISTERS`
    Errors:    TRUNCATED_MESSAGE, RANGE_ERROR (count is not 1 to 20), ILLEGAL_OPERATION (self, or
        ended)
    Differs:   the registers are a toy file; those of the thread itself are the host's affair
    """
    words = message.words(caller, _FIXED)
    if isinstance(words, Result):
        return words
    suspend, _, count = words
    if not 1 <= count <= _COUNT:
        return error(Status.RANGE_ERROR, 1, _COUNT)
    target: TCB = cap.obj
    if target is caller or target.state == DEAD:
        return error(Status.ILLEGAL_OPERATION)
    if suspend & 1:
        blocking.suspend(k, target)
    return Result(body=requests.pack_words(tuple(target.registers[:count])))


def write(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Write the first registers of a TCB: for a parked one, where it starts and with which word.

    seL4:      seL4_TCB_WriteRegisters
    Object:    TCB
    Arguments: resume (1: start or restart it at once), arch_flags, count, registers (as many
        words, in the order of `abi.REGISTERS`; what goes beyond its end is ignored)
    Errors:    TRUNCATED_MESSAGE, ILLEGAL_OPERATION (self, or ended)
    Differs:   the registers are a toy file: `rip` and `rdi` are the entry of a parked TCB and its
        argument
    """
    words = message.words(caller, _FIXED)
    if isinstance(words, Result):
        return words
    start, _, count = words
    values = requests.unpack_words(_whole(caller.request.body))[_FIXED:]
    if count > len(values):
        return error(Status.TRUNCATED_MESSAGE)
    target: TCB = cap.obj
    if target is caller or target.state == DEAD:
        return error(Status.ILLEGAL_OPERATION)
    given = values[: min(count, _COUNT)]
    target.registers[: len(given)] = given
    target.fresh = True
    if start & 1:
        blocking.wake(k, target)
    return OK


def fill(target: TCB, places: tuple[int, ...], body: bytes) -> None:
    """Take registers from a message: word after word into the places that are named."""
    for place, word in zip(places, requests.unpack_words(_whole(body)), strict=False):
        target.registers[place] = word


def _whole(body: bytes) -> bytes:
    """A body without the bytes that are no word."""
    return body[: len(body) // WORD.size * WORD.size]
