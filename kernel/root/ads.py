"""Address spaces: named sets of attachments of memory objects, which PDs may share.

An ADS is a record, since every PD is a process of its own: a PD that has one gets each memory
object attached there, under the name it was attached by, whoever attached it and whenever. What is
attached is held by the ADS as long as a PD has it or somebody has a capability to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import msgpack

from caplab.kernel.abi import PRICE_ADS, PRICE_VMR, ObjectType, Rights, Status
from caplab.kernel.core import cap as caps
from caplab.kernel.core import cspace, message
from caplab.kernel.core.cap import Cap, Cause, Slot
from caplab.kernel.core.outcome import Outcome, Result, error
from caplab.kernel.root import bodies, holds, ledger, pd
from caplab.kernel.root.ledger import Record, Slab
from caplab.kernel.root.pd import PD

if TYPE_CHECKING:
    from caplab.kernel.core.kernel import Kernel
    from caplab.kernel.core.tcb import TCB
    from caplab.kernel.root.task import RootTask

PREFIX = "vmr:"
"""What the name of an attachment begins with in a PD's environment."""


class Attachment(Record):
    """A memory object under a name (a VMR)."""

    __slots__ = ("ads", "name", "number", "slot")

    def __init__(self, number: int, ads: int, name: str, slot: Slot) -> None:
        super().__init__()
        self.number = number
        self.ads = ads
        self.name = name
        self.slot = slot
        """The root task's capability to the memory, which those of the PDs are copies of."""


class ADS(Record):
    """An address space."""

    __slots__ = ("attached", "number", "pds", "refs")

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number
        self.refs = 0
        self.pds: dict[int, PD] = {}
        """The PDs that have it."""
        self.attached: dict[str, Attachment] = {}


def attach(k: Kernel, slot: Slot, cap: Cap) -> None:
    cap.obj.refs += 1


def detach(k: Kernel, slot: Slot, cap: Cap, cause: Cause) -> None:
    """An address space that no PD has goes with the last capability to it."""
    cap.obj.refs -= 1
    _end(k, cap.obj, cause)


def leave(k: Kernel, one: PD, cause: Cause) -> None:
    """A dead PD has no address space any more."""
    ads, one.ads = one.ads, None
    assert ads is not None
    del ads.pds[one.number]
    _end(k, ads, cause)


def _end(k: Kernel, ads: ADS, cause: Cause) -> None:
    root = _root(k)
    if ads.refs or ads.pds or ads.number not in root.address_spaces:
        return
    del root.address_spaces[ads.number]
    slots = [slot for one in list(ads.attached.values()) for slot in _strike(k, ads, one)]
    ledger.refund(k, ads)
    if slots:
        k.jobs.append(holds.Taking(root, cause, slots))


def _root(k: Kernel) -> RootTask:
    return cast("RootTask", k.root)


def _done(**answer: Any) -> Result:
    return Result(body=msgpack.packb(answer))


def make(k: Kernel, slab: Slab | None) -> ADS:
    """A new address space with nothing in it."""
    made = ADS(k.number("ads"))
    ledger.enter(slab, made, PRICE_ADS)
    _root(k).address_spaces[made.number] = made
    return made


def enter(k: Kernel, one: PD, ads: ADS) -> None:
    """Let a PD have an address space: it gets everything that is attached there."""
    one.ads = ads
    ads.pds[one.number] = one
    for attached in ads.attached.values():
        _hand(k, one, attached)


def _hand(k: Kernel, one: PD, attached: Attachment) -> int:
    assert attached.slot.cap is not None
    name = PREFIX + attached.name
    return pd.give(k, one, name, attached.slot.cap, attached.slot, f"ads {attached.ads}")


def _fits(ads: ADS, name: str) -> Result | None:
    """Why nothing can be attached under that name, if there is a reason."""
    if name in ads.attached:
        return error(Status.DELETE_FIRST)
    for one in ads.pds.values():
        if one.free_slot() is None:
            return error(Status.NOT_ENOUGH_MEMORY, 0)
        refused = bodies.name_refused(one, PREFIX + name)
        if refused is not None:
            return refused
    return None


def _put(k: Kernel, ads: ADS, name: str, cap: Cap, source: Slot, slab: Slab) -> Attachment:
    made = Attachment(k.number("vmr"), ads.number, name, _root(k).new_slot())
    ledger.enter(slab, made, PRICE_VMR)
    k.put(made.slot, cap, source, "root")
    ads.attached[name] = made
    for one in ads.pds.values():
        _hand(k, one, made)
    return made


def attach_memory(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Attach a memory object to an address space, under a name.

    seL4:      seL4_X86_Page_Map
    Object:    ADS
    Arguments: name; rights: at most those of the capability sent; caps: frame
    Rights:    Write
    Answer:    vmr: number of the attachment; slot: where the caller has the memory, as each PD of
        the address space has it under `vmr:NAME` (0: it is not one of them)
    Errors:    TRUNCATED_MESSAGE, INVALID_ARGUMENT (name), INVALID_CAPABILITY (without Write; not a
        frame), FAILED_LOOKUP (nothing in the slot), DELETE_FIRST (the name is taken),
        NOT_ENOUGH_MEMORY (the caller's untyped, or slots or names of a PD)
    """
    arguments = bodies.unpack(caller, {"name": str, "rights": int})
    if isinstance(arguments, Result):
        return arguments
    if not cap.rights & Rights.WRITE:
        return error(Status.INVALID_CAPABILITY, 0)
    sent = message.extra_cap(caller, 0, ObjectType.FRAME)
    if isinstance(sent, Result):
        return sent
    name = arguments["name"]
    if not 1 <= len(name) <= bodies.NAME_MAX - len(PREFIX):
        return error(Status.INVALID_ARGUMENT, 0)
    refused = _fits(cap.obj, name)
    if refused is not None:
        return refused
    slab = ledger.room(k, _root(k), caller.pd, PRICE_VMR)
    if slab is None:
        return error(Status.NOT_ENOUGH_MEMORY, 0)
    source = cspace.lookup(caller, caller.request.caps[0])
    assert source is not None
    new = caps.masked(sent, arguments["rights"])
    made = _put(k, cap.obj, name, new, source, slab)
    entry = caller.pd.names.get(PREFIX + name) if caller.pd.ads is cap.obj else None
    return _done(vmr=made.number, slot=entry.slot if entry is not None else 0)


def detach_memory(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Take an attachment out of an address space, and its memory from every PD that has it so.

    A PD that copied the capability still holds the memory: that copy is its own.

    seL4:      seL4_X86_Page_Unmap
    Object:    ADS
    Arguments: name
    Rights:    Write
    Blocks:    until it is taken from all of them
    Errors:    TRUNCATED_MESSAGE, INVALID_ARGUMENT, INVALID_CAPABILITY (without Write),
        FAILED_LOOKUP (no such name), TIMED_OUT (it is taken nevertheless)
    """
    arguments = bodies.unpack(caller, {"name": str})
    if isinstance(arguments, Result):
        return arguments
    if not cap.rights & Rights.WRITE:
        return error(Status.INVALID_CAPABILITY, 0)
    found = cap.obj.attached.get(arguments["name"])
    if found is None:
        return error(Status.FAILED_LOOKUP)
    slots = _strike(k, cap.obj, found)
    cause = k.cause(Status.REVOKED, caller.pd)
    outcome = k.start_job(holds.Taking(_root(k), cause, slots), caller)
    return outcome if outcome is None else _done()


def _strike(k: Kernel, ads: ADS, attached: Attachment) -> list[Slot]:
    """Take an attachment off the records; the slots that are to be emptied."""
    del ads.attached[attached.name]
    found = [attached.slot]
    memory = attached.slot.cap
    for one in ads.pds.values():
        entry = one.names.pop(PREFIX + attached.name, None)
        slot = one.cspace.slots.get(entry.slot) if entry is not None else None
        if slot is not None and slot.cap is not None and memory is not None:
            found += [slot] if slot.cap.obj is memory.obj else []
    ledger.refund(k, attached)
    return found


def reclaimed(k: Kernel, record: Record, cause: Cause) -> None:
    """The memory that paid for an address space or an attachment is taken back."""
    root = _root(k)
    if isinstance(record, ADS):
        for attached in list(record.attached.values()):
            k.jobs.append(holds.Taking(root, cause, _strike(k, record, attached)))
        return
    assert isinstance(record, Attachment)
    ads = root.address_spaces[record.ads]
    k.jobs.append(holds.Taking(root, cause, _strike(k, ads, record)))


def listing(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """List what is attached to an address space, and which PDs have it.

    Object: ADS
    Rights: Read
    Answer: ads: its number; pds: numbers; attached: maps with vmr, name, mo, pages, rights
    Errors: INVALID_CAPABILITY (without Read)
    """
    if not cap.rights & Rights.READ:
        return error(Status.INVALID_CAPABILITY, 0)
    ads: ADS = cap.obj
    rows = [
        {
            "vmr": one.number,
            "name": one.name,
            "mo": memory.obj.number,
            "pages": memory.obj.pages,
            "rights": int(memory.rights),
        }
        for one in ads.attached.values()
        if (memory := one.slot.cap) is not None
    ]
    return _done(ads=ads.number, pds=list(ads.pds), attached=rows)


def copy(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Attach everything that is in one address space to another, under the same names.

    Object:    ADS, the one that gets it
    Arguments: caps: ads, the one that has it
    Rights:    Write; Read on the other
    Answer:    attached: how many
    Errors:    TRUNCATED_MESSAGE, INVALID_CAPABILITY, FAILED_LOOKUP (nothing in the slot),
        INVALID_ARGUMENT (it is the same), DELETE_FIRST (a name is taken), NOT_ENOUGH_MEMORY (the
        caller's untyped, or slots or names of a PD)
    """
    if not cap.rights & Rights.WRITE:
        return error(Status.INVALID_CAPABILITY, 0)
    other = message.extra_cap(caller, 0, ObjectType.ADS)
    if isinstance(other, Result):
        return other
    if not other.rights & Rights.READ:
        return error(Status.INVALID_CAPABILITY, 1)
    if other.obj is cap.obj:
        return error(Status.INVALID_ARGUMENT, 0)
    found = [one for one in other.obj.attached.values() if one.slot.cap is not None]
    for one in found:
        refused = _fits(cap.obj, one.name)
        if refused is not None:
            return refused
    for client in cap.obj.pds.values():
        if client.room < len(found):
            return error(Status.NOT_ENOUGH_MEMORY, 0)
    slab = ledger.room(k, _root(k), caller.pd, PRICE_VMR * len(found)) if found else None
    if found and slab is None:
        return error(Status.NOT_ENOUGH_MEMORY, 0)
    for one in found:
        assert slab is not None
        _put(k, cap.obj, one.name, one.slot.cap, one.slot, slab)
    return _done(attached=len(found))


def describe(root: RootTask) -> list[Any]:
    """All address spaces as plain data, for the state hash."""
    return [
        [number, one.refs, list(one.pds), [[name, at.number] for name, at in one.attached.items()]]
        for number, one in root.address_spaces.items()
    ]
