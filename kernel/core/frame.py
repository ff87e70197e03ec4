"""Memory objects: pages that PDs share by holding a capability to them.

The host's segment lives while anyone holds the object. A PD's hold is the number of capabilities
in its CSpace; when the last of them goes the segment is withdrawn from that PD, and when nobody
holds it any more it is destroyed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from caplab.kernel.abi import FRAME_BITS_MIN, PAGE_SIZE, WORD, ObjectType, Rights, Status
from caplab.kernel.core import message
from caplab.kernel.core.cap import Cap, Cause, Slot
from caplab.kernel.core.effects import DestroySegment, GrantSegment, MapPages, WithdrawSegment
from caplab.kernel.core.outcome import OK, Outcome, Result, error

if TYPE_CHECKING:
    from caplab.kernel.core.kernel import Kernel
    from caplab.kernel.core.tcb import TCB

USER_TOP = 1 << 47
"""The end of what a process may map; x86-64's, which is not above aarch64's."""


class MO:
    """A memory object: `pages` pages under one host name."""

    __slots__ = ("base", "bits", "granted", "holds", "maker", "name", "number", "pages", "refs")

    def __init__(self, number: int, name: str, pages: int, maker: int) -> None:
        self.number = number
        self.name = name
        self.pages = pages
        self.base: int | None = None
        self.bits = FRAME_BITS_MIN + (pages - 1).bit_length()
        self.maker = maker
        """Number of the PD that asked for it."""
        self.refs = 0
        self.holds: dict[int, int] = {}
        """Capabilities per PD number."""
        self.granted: dict[int, bool] = {}
        """PDs the host let open the segment, and whether they may write it."""


def attach(k: Kernel, slot: Slot, cap: Cap) -> None:
    mo: MO = cap.obj
    mo.refs += 1
    pd = slot.cnode.pd.number
    mo.holds[pd] = mo.holds.get(pd, 0) + 1


def detach(k: Kernel, slot: Slot, cap: Cap, cause: Cause) -> None:
    mo: MO = cap.obj
    mo.refs -= 1
    pd = slot.cnode.pd.number
    left = mo.holds[pd] - 1
    if left:
        mo.holds[pd] = left
        return
    del mo.holds[pd]
    if mo.refs == 0:
        k.effects.append(DestroySegment(mo.number))
        k.act("destroy_segment", mo.name, mo.maker)
    elif pd in mo.granted:
        withdraw(k, mo, slot.cnode.pd)


def withdraw(k: Kernel, mo: MO, pd: Any) -> None:
    mo.granted.pop(pd.number, None)
    k.effects.append(WithdrawSegment(mo.number, pd.number))
    k.withdrawals.note(pd, mo.name)
    k.act("withdraw", mo.name, mo.maker)


def map_frame(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Make the memory object openable by the caller's PD; the answer is the segment's name.

    seL4:    seL4_X86_Page_Map
    Object:  FRAME
    Rights:  Read; with Write the PD may change it
    Answer:  body: name (UTF-8) for multiprocessing.shared_memory; label: size in bytes
    Errors:  INVALID_CAPABILITY without Read
    Differs: the PD chooses where to map it; the kernel only lets it
    """
    if not cap.rights & Rights.READ:
        return error(Status.INVALID_CAPABILITY, 0)
    mo: MO = cap.obj
    pd = caller.pd.number
    writable = bool(cap.rights & Rights.WRITE)
    if pd not in mo.granted or (writable and not mo.granted[pd]):
        mo.granted[pd] = writable
        if writable:
            k.withdrawals.again(pd, mo.name)
        k.effects.append(GrantSegment(mo.number, pd, writable))
    return Result(body=mo.name.encode(), label=mo.pages * PAGE_SIZE)


def get_address(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Say where a frame lies in physical memory.

    seL4:    seL4_X86_Page_GetAddress
    Object:  FRAME
    Answer:  the address
    Differs: the address is pretended, as all physical ones here
    """
    base = cap.obj.base
    assert base is not None, "every frame is made of an untyped"
    return Result(body=WORD.pack(base))


def map_in(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Map the memory object in another PD, at an address there: what a pager does about a fault.

    What was mapped there is replaced, and the PD needs no capability to the object; when that is
    destroyed, the pages fault again. A thread that faulted goes on when its fault is replied to.
    The pages stay the pager's: they are no hold of the PD, and the model shows none.

    seL4:      seL4_X86_Page_Map
    Object:    FRAME
    Arguments: vaddr (of a page), rights (1 Write, 2 Read; never more than the frame has);
        caps: vspace (the PD)
    Rights:    Read; Write on the PD
    Errors:    TRUNCATED_MESSAGE, FAILED_LOOKUP, INVALID_CAPABILITY (no Read, or vspace is no PD),
        ALIGNMENT_ERROR (vaddr), INVALID_ARGUMENT (vaddr is none of a user's), ILLEGAL_OPERATION
        (no Write on the PD, it does not run, or has no fault handler since its start)
    Differs:   the PD's capability stands for its page table, and there are no attributes
    """
    words = message.words(caller, 2)
    if isinstance(words, Result):
        return words
    vspace = message.extra_cap(caller, 0, ObjectType.PD)
    if isinstance(vspace, Result):
        return vspace
    address, rights = words
    mo: MO = cap.obj
    if not cap.rights & Rights.READ:
        return error(Status.INVALID_CAPABILITY, 0)
    if address % PAGE_SIZE:
        return error(Status.ALIGNMENT_ERROR)
    if not 0 < address <= USER_TOP - mo.pages * PAGE_SIZE:
        return error(Status.INVALID_ARGUMENT, 0)
    target = vspace.obj
    if not vspace.rights & Rights.WRITE or not target.paged:
        return error(Status.ILLEGAL_OPERATION)
    writable = bool(cap.rights & rights & Rights.WRITE)
    k.effects.append(MapPages(mo.number, target.number, address, writable))
    return OK


def unmap(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Give the mapping back; the capability stays.

    seL4:   seL4_X86_Page_Unmap
    Object: FRAME
    """
    mo: MO = cap.obj
    if caller.pd.number in mo.granted:
        withdraw(k, mo, caller.pd)
    return OK
