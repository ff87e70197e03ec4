"""The parts of the machine that a manifest declares, judged together, and who drives them."""

from collections.abc import Callable

from caplab.kernel.abi import FIRST_TIMER_IRQ, PAGE_SIZE, UNTYPED_BITS_MAX
from caplab.kernel.boot.drivers import Claim, claims
from caplab.kernel.boot.entries import Entry
from caplab.kernel.boot.model import Keys
from caplab.kernel.boot.problems import Note, Place, listing, meant
from caplab.kernel.boot.shape import RANGE_FIX, Shape
from caplab.kernel.boot.yaml_marks import Step
from caplab.kernel.root.machine import IOPORTS, IRQS, RANGES, pieces

WORDS = (IRQS, IOPORTS, RANGES)
"""What `devices` may name that is no device."""
END = 1 << UNTYPED_BITS_MAX
Add = Callable[[str, str, Place, str, tuple[Note, ...]], None]


class Machine:
    """Judges what the machine has, and the `devices` of each PD."""

    def __init__(self, shape: Shape, keys: Keys, pds: dict[str, Entry], add: Add) -> None:
        self.shape, self.keys, self.pds, self._add = shape, keys, pds, add
        self.place = shape.document.place
        self._claimed: dict[str, tuple[Entry, Claim]] = {}

    def judge(self) -> None:
        """The parts alone."""
        self._names()
        self._irqs()
        self._ranges()

    def _names(self) -> None:
        keys: list[tuple[str, list[str]]] = [
            ("uarts", self.keys.uarts),
            ("timers", self.keys.timers),
        ]
        for key, names in keys:
            for index, name in enumerate(names):
                at = self.place((key, index))
                if name in WORDS:
                    message = f"`{name}` cannot name a device: in `devices` it has a meaning"
                    self._add("CL055", message, at, "use another name", ())
                elif key == "timers" and name in self.keys.uarts:
                    note = Note("the UART", self.place(("uarts", self.keys.uarts.index(name))))
                    message = f"a timer and a UART are called `{name}`"
                    self._add("CL055", message, at, "use another name", (note,))

    def _irqs(self) -> None:
        taken: dict[int, tuple[str, tuple[Step, ...]]] = {
            number: (name, ("uarts", number)) for number, name in enumerate(self.keys.uarts)
        }
        for place, name in enumerate(self.keys.timers):
            taken[FIRST_TIMER_IRQ + place] = name, ("timers", place)
        for index, number in enumerate(self.keys.irqs):
            if number in taken:
                name, path = taken[number]
                message = f"interrupt {number} is that of `{name}`"
                note = Note(f"`{name}` is declared here", self.place(path))
                fix = "take another number, or remove it: a device brings its own"
                self._add("CL052", message, self.place(("irqs", index)), fix, (note,))

    def _ranges(self) -> None:
        seen: list[tuple[int, int, int]] = []
        for index, one in enumerate(self.keys.ranges):
            first, end = one.address, one.address + one.size
            wrong, fix = "", ""
            if one.address % PAGE_SIZE:
                wrong = f"the range at {first:#x} does not begin at a page"
                fix = f"write  address: {first // PAGE_SIZE * PAGE_SIZE or PAGE_SIZE:#x}"
            elif one.address <= 0 or end > END:
                wrong = f"there is no device memory at {first:#x}"
                fix = f"choose addresses from {PAGE_SIZE:#x} to {END - 1:#x}"
            elif not one.size:
                wrong, fix = f"the range at {first:#x} is empty", f"write  {RANGE_FIX}"
            if wrong:
                self._add("CL050", wrong, self.place(("ranges", index)), fix, ())
                continue
            for low, high, other in seen:
                if first < high and low < end:
                    message = f"the range at {first:#x} overlaps that at {low:#x}"
                    note = Note("the other one", self.place(("ranges", other)))
                    fix = "let each address lie in one range"
                    self._add("CL051", message, self.place(("ranges", index)), fix, (note,))
            seen.append((first, end, index))

    # -- who drives what -------------------------------------------------------------------------

    def driven(self, pd: Entry) -> None:
        """The `devices` of one PD."""
        dropped = self.shape.dropped
        if ("uarts",) in dropped or ("timers",) in dropped:
            return
        for index, device in enumerate(pd.value("devices")):
            if device in WORDS:
                self._word(pd, device, index)
            elif device not in self.devices:
                self._unknown(pd, device, index)
        if ("pds", pd.name, "devices") not in dropped:
            self._claims(pd)

    def _claims(self, pd: Entry) -> None:
        """Two programs that are sure to claim one UART: the second would end as it starts."""
        for claim in claims(pd):
            if claim.uart not in self.keys.uarts:
                continue
            first, other = self._claimed.setdefault(claim.uart, (pd, claim))
            if first is not pd:
                message = f"`{first.name}` and `{pd.name}` both drive `{claim.uart}`: only one can"
                if claim.by_default:
                    message += f" (`{pd.keys.run}` does by default)"
                default = ", as its program does by default" if other.by_default else ""
                note = Note(f"`{first.name}` drives it{default}", other.at)
                fix = "give one of them another UART, or let the clients of both use one server"
                self._add("CL056", message, claim.at, fix, (note,))

    @property
    def devices(self) -> list[str]:
        return [*self.keys.uarts, *self.keys.timers]

    @property
    def more_names(self) -> int:
        """Untypeds that the device memory is, beyond the first."""
        return sum(len(pieces(one.address, one.size)) for one in self.keys.ranges) - 1

    def _word(self, pd: Entry, word: str, index: int) -> None:
        keys = self.keys
        there, fix = {
            IRQS: ([*keys.irqs, *self.devices], "irqs: [3]"),
            IOPORTS: (keys.timers, "timers: [timer0]"),
            RANGES: (keys.ranges, RANGE_FIX),
        }[word]
        at, notes = pd.given("devices", index)
        if not there and (fix.partition(":")[0],) not in self.shape.dropped:
            what = {IRQS: "interrupt line", IOPORTS: "device with ports", RANGES: "device memory"}
            message = f"`{pd.name}` is to have `{word}`, and the machine has no {what[word]}"
            self._add("CL053", message, at, f"write  {fix}", notes)
        if word == RANGES:
            first = next(one for one in self.pds.values() if RANGES in one.value("devices"))
            if first is not pd:
                message = f"`{pd.name}` is to have the device memory that `{first.name}` has"
                note = Note(f"`{first.name}`", first.declared)
                fix = "leave it to one of them, which gives the other what it needs (sel4rpc)"
                self._add("CL054", message, at, fix, (*notes, note))

    def _unknown(self, pd: Entry, device: str, index: int) -> None:
        at, notes = pd.given("devices", index)
        near = meant(device, [*self.devices, *WORDS])
        uarts = [*self.keys.uarts, device]
        fix = f"write {near}" if near else f"write  uarts: [{', '.join(uarts)}]"
        message = f"`{pd.name}` drives `{device}`, and there is no such device"
        for key, names in (("uarts", self.keys.uarts), ("timers", self.keys.timers)):
            if names:
                there = self.place((key,), key=True)
                said = Note(f"declared here: {listing(dict.fromkeys(names))}", there)
                notes = (*notes, said)
        if not self.devices:
            notes = (*notes, Note("the system declares no device"))
        self._add("CL023", message, at, fix, notes)
