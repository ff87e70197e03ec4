"""Devices: the data register of a UART, and the interrupt that says when to read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from caplab.kernel.abi import ObjectType
from caplab.pd import invocations
from caplab.pd.objects.capability import Capability
from caplab.pd.objects.irq import Irq
from caplab.pd.register import Break, Input, WindowSize

if TYPE_CHECKING:
    from caplab.pd.env import Env

READ_SIZE = 4096


class Device(Capability):
    """A device that the manifest gave this PD: its capability and its register.

    The register is a stream socket to the line, a process that always reads; so `write` waits at
    most for the line's turn.
    """

    type: ClassVar[ObjectType] = ObjectType.DEVICE
    __slots__ = ("_register",)

    def __init__(self, env: Env, slot: int, *, name: str = "", renewal: int | None = None) -> None:
        super().__init__(env, slot, name=name, renewal=renewal)
        self._register = env.register(name)

    def claim(self) -> Irq:
        """Become the driver: a capability to the interrupt, until it is deleted.

        Errors: RevokeFirst (`.holder` drives the device already)
        """

        def put(slot: int) -> None:
            answer = invocations.device_claim(self.transport, self.slot, slot=slot)
            self.checked(answer, "Device_Claim")

        return Irq(self.env, self.env.slots.place(put), name=self.name)

    @property
    def size(self) -> WindowSize | None:
        """Rows and columns of the console's window, as far as what was read so far says."""
        return self._register.size

    def write(self, data: bytes) -> None:
        """Send all of `data` down the line. Errors: ConnectionError when the line is gone."""
        self._register.write(data)

    def read(self, limit: int = READ_SIZE) -> bytes:
        """What has come up the line; b"" when nothing has. Never waits. A break reads as NUL.

        Errors: EOFError when the line is gone
        """
        return b"".join(
            b"\0" if isinstance(part, Break) else part
            for part in self.receive(limit)
            if not isinstance(part, WindowSize)
        )

    def receive(self, limit: int = READ_SIZE) -> list[Input]:
        """As `read`, with breaks and changes of the window's size where they happened.

        Errors: EOFError when the line is gone
        """
        try:
            return self._register.receive(limit)
        except EOFError:
            raise EOFError(f"{self.name}: the line is gone") from None

    def fileno(self) -> int:
        """The descriptor of the register."""
        return self._register.fileno()
