"""The machine: its interrupt lines, devices, I/O ports and device memory, and who gets them.

The manifest says what there is (`uarts`, `timers`, `irqs`, `ranges`) and a PD's `devices` what it
drives: devices by name, and three words for what seL4's root task begins with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from caplab.kernel.abi import FIRST_TIMER_IRQ, ObjectType, Rights
from caplab.kernel.core.cap import Cap, Slot
from caplab.kernel.core.ioport import Ports
from caplab.kernel.core.irq import IRQ
from caplab.kernel.core.irq_control import IRQControl
from caplab.kernel.core.timer import Timer
from caplab.kernel.core.untyped import Untyped
from caplab.kernel.root import pd as pds
from caplab.kernel.root.device import Device

if TYPE_CHECKING:
    from caplab.kernel.core.kernel import Kernel
    from caplab.kernel.root.pd import PD
    from caplab.kernel.root.task import RootTask

IRQS, RANGES, IOPORTS = "irqs", "ranges", "ioports"
"""Words in `devices`: any free interrupt line, the device memory, any free I/O ports."""


class Machine:
    """What of the machine is the same for all PDs."""

    def __init__(self) -> None:
        self.devices: dict[str, Device] = {}
        self.irq_control = IRQControl()
        self.ports = Ports()
        self.ranges: list[Slot] = []
        """The root task's own capabilities to device memory, one per power of two."""
        self.holes: list[tuple[int, int]] = []
        """First and last address of each range, in order: ordinary memory lies around them."""

    @property
    def uarts(self) -> dict[str, Device]:
        return {name: one for name, one in self.devices.items() if one.timer is None}

    def describe(self) -> list[Any]:
        """Its part of the capability state."""
        timers = [one.timer.describe() for one in self.devices.values() if one.timer is not None]
        return [timers, [(row.first, row.last) for row in self.ports.issued]]


def assemble(k: Kernel, root: RootTask, spec: dict[str, Any]) -> None:
    """Make what the manifest says the machine has."""
    machine = root.machine
    for number, name in enumerate(spec.get("uarts") or ()):
        line = _line(k, root, number, name, cable=True)
        machine.devices[name] = Device(name, line, machine.ports)
    for place, name in enumerate(spec.get("timers") or ()):
        timer = Timer(place, name, _line(k, root, FIRST_TIMER_IRQ + place, name))
        machine.ports.devices.append(timer)
        machine.devices[name] = Device(name, timer.irq, machine.ports, timer)
    for number in spec.get("irqs") or ():
        _line(k, root, number, "")
    for one in sorted(spec.get("ranges") or (), key=lambda one: one["address"]):
        machine.holes.append((one["address"], one["address"] + one["size"] - 1))
        for base, bits in pieces(one["address"], one["size"]):
            made = Untyped(k.number("untyped"), base, bits, device=True)
            slot = root.new_slot()
            k.put(slot, Cap(ObjectType.UNTYPED, made, Rights.ALL), None, "root")
            machine.ranges.append(slot)


def _line(k: Kernel, root: RootTask, number: int, name: str, cable: bool = False) -> IRQ:
    k.irqs[number] = IRQ(number, name, root.new_slot(), cable)
    return k.irqs[number]


def pieces(address: int, size: int) -> list[tuple[int, int]]:
    """A range as aligned powers of two: address and log2 of the bytes of each, in order."""
    found = []
    end = address + size
    while address < end:
        bits = (end - address).bit_length() - 1
        if address:
            bits = min(bits, (address & -address).bit_length() - 1)
        found.append((address, bits))
        address += 1 << bits
    return found


def around(holes: list[tuple[int, int]], base: int, bits: int) -> int:
    """The first address from `base` where so much memory, aligned, lies in no range."""
    base = -(-base // (1 << bits)) << bits
    for first, last in holes:
        if base <= last and first < base + (1 << bits):
            base = -(-(last + 1) // (1 << bits)) << bits
    return base


def give(k: Kernel, root: RootTask, one: PD) -> None:
    """Give a PD what its `devices` name. Device memory is one PD's only; the root task keeps the
    original, so that a next generation gets all of it again.
    """
    machine = root.machine
    for name in one.spec.get("devices") or ():
        if name == RANGES:
            for number, source in enumerate(machine.ranges):
                assert source.cap is not None
                whole = source.cap._replace(badge=0)
                known = f"{RANGES}.{number}" if number else RANGES
                pds.give(k, one, known, whole, source, "root")
        elif name == IRQS:
            cap = Cap(ObjectType.IRQ_CONTROL, machine.irq_control, Rights.ALL)
            pds.give(k, one, name, cap, None, "root")
        elif name == IOPORTS:
            cap = Cap(ObjectType.IOPORT_CONTROL, machine.ports, Rights.ALL)
            pds.give(k, one, name, cap, None, "root")
        else:
            cap = Cap(ObjectType.DEVICE, machine.devices[name], Rights.ALL)
            pds.give(k, one, name, cap, None, "root")


def ranges_of(root: RootTask, one: PD) -> list[Slot]:
    """The root task's originals of the device memory that a PD was given."""
    return root.machine.ranges if RANGES in (one.spec.get("devices") or ()) else []


def registers(root: RootTask, one: PD) -> list[str]:
    """The devices of a PD whose register is a descriptor of the host's: UARTs."""
    uarts = root.machine.uarts
    return [name for name in one.spec.get("devices") or () if name in uarts]


def driven(root: RootTask, one: PD) -> list[str]:
    """The UARTs that are this PD's: it handles the interrupt, or nobody does and it has the
    register.
    """
    uarts = root.machine.uarts
    return [name for name in registers(root, one) if uarts[name].irq.holder in ("", one.name)]


# -- by hand -------------------------------------------------------------------------------------


def rows(k: Kernel) -> list[dict[str, Any]]:
    """Every interrupt line, for people who look."""
    return [
        {
            "irq": number,
            "device": line.name,
            "pd": line.holder,
            "route": line.route,
            "state": _state(line),
        }
        for number, line in sorted(k.irqs.items())
    ]


def _state(line: IRQ) -> str:
    if not line.refs:
        return "free"
    if line.slot.cap is None:
        return "unbound"
    if line.pending:
        return "pending"
    return "masked" if line.masked else "open"


def named(line: IRQ) -> str:
    """`16 (timer0)`, `3`."""
    return f"{line.number} ({line.name})" if line.name else str(line.number)
