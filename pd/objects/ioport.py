"""I/O ports: registers of devices, read and written a byte, two or four at a time."""

from __future__ import annotations

from typing import ClassVar

from caplab.kernel.abi import WORD_BITS, ObjectType
from caplab.pd import invocations
from caplab.pd.ipc import words
from caplab.pd.objects.capability import Capability


class IoPort(Capability):
    """A capability to a row of ports. Errors: IllegalOperation (ports that are not among them)

    Where no device is, reading gives all ones and what is written is lost.
    """

    type: ClassVar[ObjectType] = ObjectType.IOPORT
    __slots__ = ()

    def in8(self, port: int) -> int:
        """seL4_X86_IOPort_In8"""
        return self._in(port, 1)

    def in16(self, port: int) -> int:
        """seL4_X86_IOPort_In16"""
        return self._in(port, 2)

    def in32(self, port: int) -> int:
        """seL4_X86_IOPort_In32"""
        return self._in(port, 4)

    def out8(self, port: int, value: int) -> None:
        """seL4_X86_IOPort_Out8"""
        self._out(port, 1, value)

    def out16(self, port: int, value: int) -> None:
        """seL4_X86_IOPort_Out16"""
        self._out(port, 2, value)

    def out32(self, port: int, value: int) -> None:
        """seL4_X86_IOPort_Out32"""
        self._out(port, 4, value)

    def _in(self, port: int, width: int) -> int:
        answer = invocations.ioport_in(self.transport, self.slot, port, width)
        return words(self.checked(answer, f"IOPort_In{8 * width}").data)[0]

    def _out(self, port: int, width: int, value: int) -> None:
        answer = invocations.ioport_out(self.transport, self.slot, port, width, value)
        self.checked(answer, f"IOPort_Out{8 * width}")


class IoPortControl(Capability):
    """The right to any ports that are free (`devices: [ioports]`; seL4_IOPortControl)."""

    type: ClassVar[ObjectType] = ObjectType.IOPORT_CONTROL
    __slots__ = ()

    def issue(self, first: int, last: int) -> IoPort:
        """The capability to the ports from `first` to `last`. seL4_X86_IOPortControl_Issue.

        Errors: RangeError, InvalidArgument (the last comes before the first), RevokeFirst
        (somebody has one of them)
        """

        def put(slot: int) -> None:
            answer = invocations.ioport_control_issue(
                self.transport, self.slot, first, last, slot, WORD_BITS, self.env.cnode.slot
            )
            self.checked(answer, "IOPortControl_Issue")

        return IoPort(self.env, self.env.slots.place(put))
