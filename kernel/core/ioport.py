"""I/O ports: a space of 65,536 bytes in which the machine's devices have their registers.

Where no device is, a read gives all ones and a write is lost, as on the bus of a PC. A capability
covers a row of ports that nobody else's does.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from struct import Struct
from typing import TYPE_CHECKING, Protocol

from caplab.kernel.abi import PORT_MAX, ObjectType, Rights, Status
from caplab.kernel.core import message
from caplab.kernel.core.cap import Cap, Cause, Slot
from caplab.kernel.core.irq_control import destination
from caplab.kernel.core.outcome import OK, Outcome, Result, error

if TYPE_CHECKING:
    from caplab.kernel.core.kernel import Kernel
    from caplab.kernel.core.tcb import TCB

WIDTHS = (1, 2, 4)
_WORD = Struct("<Q")


class Registers(Protocol):
    """A device in the port space: its registers are the ports from `first` to `last`."""

    first: int
    last: int

    def read(self, k: Kernel, offset: int) -> int:
        """The byte at that register."""

    def write(self, k: Kernel, offset: int, value: int) -> None:
        """Change the byte at that register."""

    def reset(self) -> None:
        """Nobody has a capability to its ports any more."""


class Ports:
    """The port space; all IOPORT_CONTROL capabilities name this one object."""

    __slots__ = ("devices", "issued", "refs")
    name = "ioports"

    def __init__(self) -> None:
        self.devices: list[Registers] = []
        self.issued: list[IOPort] = []
        """The rows of ports that somebody has, in order; there may be as many as ports."""
        self.refs = 0

    def device_at(self, port: int) -> Registers | None:
        return next((one for one in self.devices if one.first <= port <= one.last), None)

    def taken(self, first: int, last: int) -> bool:
        """Whether somebody has one of these ports."""
        at = bisect_right(self.issued, last, key=_first_of)
        return at > 0 and self.issued[at - 1].last >= first

    def free(self, row: IOPort) -> None:
        """Nobody has the row any more; its devices are reset."""
        del self.issued[bisect_right(self.issued, row.first, key=_first_of) - 1]
        for device in self.devices:
            if device.first <= row.last and row.first <= device.last:
                device.reset()


def _first_of(row: IOPort) -> int:
    return row.first


class IOPort:
    """A row of ports that belongs to who has the capability."""

    __slots__ = ("first", "last", "ports", "refs")

    def __init__(self, ports: Ports, first: int, last: int) -> None:
        self.ports = ports
        self.first, self.last = first, last
        self.refs = 0

    @property
    def number(self) -> int:
        """Each port is in one row at most, so the first tells rows apart."""
        return self.first

    @property
    def name(self) -> str:
        return f"{self.first:#x}-{self.last:#x}"


def attach(k: Kernel, slot: Slot, cap: Cap) -> None:
    cap.obj.refs += 1


def detach(k: Kernel, slot: Slot, cap: Cap, cause: Cause) -> None:
    """With the last capability to a row of ports the row is free, and its devices are reset."""
    found: IOPort | Ports = cap.obj
    found.refs -= 1
    if isinstance(found, IOPort) and found.refs == 0:
        found.ports.free(found)


def made(ports: Ports, first: int, last: int) -> Cap:
    """The capability to a row of ports that is free."""
    row = IOPort(ports, first, last)
    insort(ports.issued, row, key=_first_of)
    return Cap(ObjectType.IOPORT, row, Rights.ALL)


def issue(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Make the capability to a row of ports; each port is somebody's only once.

    seL4:      seL4_X86_IOPortControl_Issue
    Object:    IOPORT_CONTROL
    Arguments: first_port, last_port, index, depth; caps: root
    Errors:    TRUNCATED_MESSAGE, RANGE_ERROR (a port beyond 0xffff, depth), INVALID_ARGUMENT (the
        last port comes before the first), REVOKE_FIRST (somebody has one of them), FAILED_LOOKUP,
        DELETE_FIRST
    """
    words = message.words(caller, 4)
    if isinstance(words, Result):
        return words
    if not caller.request.caps:
        return error(Status.TRUNCATED_MESSAGE)
    first, last, index, depth = words
    if max(first, last) > PORT_MAX:
        return error(Status.RANGE_ERROR, 0, PORT_MAX)
    if first > last:
        return error(Status.INVALID_ARGUMENT, 0)
    ports: Ports = cap.obj
    if ports.taken(first, last):
        return error(Status.REVOKE_FIRST)
    slot = destination(caller, index, depth)
    if isinstance(slot, Result):
        return slot
    k.put(slot, made(ports, first, last), None, caller.pd.name)
    return OK


def port_in(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Read the registers at a port.

    seL4:      seL4_X86_IOPort_In8, seL4_X86_IOPort_In16, seL4_X86_IOPort_In32
    Object:    IOPORT
    Arguments: port, width (bytes: 1, 2 or 4)
    Answer:    the value
    Errors:    TRUNCATED_MESSAGE, INVALID_ARGUMENT (width), ILLEGAL_OPERATION (ports that are not
        the capability's)
    Differs:   the width is an argument, where seL4 has an operation for each
    """
    words = message.words(caller, 2)
    if isinstance(words, Result):
        return words
    port, width = words
    refused = _refused(cap.obj, port, width)
    if refused is not None:
        return refused
    row: IOPort = cap.obj
    value = 0
    for byte in range(width):
        device = row.ports.device_at(port + byte)
        read = 0xFF if device is None else device.read(k, port + byte - device.first)
        value |= read << 8 * byte
    return Result(body=_WORD.pack(value))


def port_out(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Write the registers at a port; of `data` only as many bytes count as `width` says.

    seL4:      seL4_X86_IOPort_Out8, seL4_X86_IOPort_Out16, seL4_X86_IOPort_Out32
    Object:    IOPORT
    Arguments: port, width (bytes: 1, 2 or 4), data
    Errors:    as IOPort_In
    Differs:   as IOPort_In
    """
    words = message.words(caller, 3)
    if isinstance(words, Result):
        return words
    port, width, data = words
    refused = _refused(cap.obj, port, width)
    if refused is not None:
        return refused
    row: IOPort = cap.obj
    for byte in range(width):
        device = row.ports.device_at(port + byte)
        if device is not None:
            device.write(k, port + byte - device.first, data >> 8 * byte & 0xFF)
    return OK


def _refused(row: IOPort, port: int, width: int) -> Result | None:
    if width not in WIDTHS:
        return error(Status.INVALID_ARGUMENT, 1)
    if not row.first <= port <= row.last - width + 1:
        return error(Status.ILLEGAL_OPERATION)
    return None
