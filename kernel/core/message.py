"""Messages between TCBs: what may be sent, how it is copied, how capabilities travel with it."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from caplab.kernel.abi import (
    ANSWER,
    EXTRA_CAPS,
    MSG_BYTES,
    VERSION,
    WORD,
    ObjectType,
    Status,
)
from caplab.kernel.core import cap as caps
from caplab.kernel.core import cspace
from caplab.kernel.core.cap import Cap, Slot
from caplab.kernel.core.effects import Resume, new
from caplab.kernel.core.outcome import Result, error
from caplab.kernel.core.states import INACTIVE, RUNNING

if TYPE_CHECKING:
    from caplab.kernel.core.endpoint import Endpoint
    from caplab.kernel.core.kernel import Kernel
    from caplab.kernel.core.tcb import TCB

_pack = ANSWER.pack
_WORDS = tuple(Struct(f"<{count}Q") for count in range(9))


def words(caller: TCB, count: int) -> tuple[int, ...] | Result:
    """The first `count` message words of the caller's request.

    Errors: TRUNCATED_MESSAGE
    """
    body = caller.request.body
    if len(body) < count * WORD.size:
        return error(Status.TRUNCATED_MESSAGE)
    return _WORDS[count].unpack_from(body)


def extra_cap(caller: TCB, position: int, kind: ObjectType) -> Cap | Result:
    """The capability sent at `position` of the caller's request, of the type it must have.

    Errors: TRUNCATED_MESSAGE (none sent), FAILED_LOOKUP (empty), INVALID_CAPABILITY (wrong type)
    """
    sent = caller.request.caps
    if len(sent) <= position:
        return error(Status.TRUNCATED_MESSAGE)
    slot = cspace.lookup(caller, sent[position])
    if slot is None or slot.cap is None:
        return error(Status.FAILED_LOOKUP, 1, sent[position])
    if slot.cap.type != kind:
        return error(Status.INVALID_CAPABILITY, position + 1)
    return slot.cap


def refusal(k: Kernel, caller: TCB) -> Result | None:
    """Why the caller's request may not be sent as a message, if there is a reason.

    Errors:  RANGE_ERROR (longer than 120 words), FAILED_LOOKUP (a capability to send is not there)
    Differs: lab mode refuses a message of more than 120 words and a capability that is not there;
        seL4 sends the first 120 words, and of the capabilities those before an empty slot. Where
        a pointer leads to no slot at all it raises a fault; a reply goes without capabilities
    """
    request = caller.request
    if len(request.body) > MSG_BYTES:
        if k.lab:
            return error(Status.RANGE_ERROR, 0, MSG_BYTES)
        request.body = request.body[:MSG_BYTES]
    for cptr in request.caps:
        slot = cspace.lookup(caller, cptr)
        if slot is None or (slot.cap is None and k.lab):
            return error(Status.FAILED_LOOKUP, 1, cptr)
    return None


def transfer(
    k: Kernel,
    sender: TCB,
    receiver: TCB,
    badge: int,
    label: int,
    grant: bool,
    endpoint: Endpoint | None,
) -> None:
    """Give the sender's message to the receiver, and so answer the receiver's call.

    `endpoint` is the one the message came through (none for a reply): capabilities to it arrive
    unwrapped, as badges.
    """
    request = sender.request
    body = request.body
    call = receiver.request.call
    if request.caps and grant:
        landed, unwrapped = _transfer_caps(k, sender, receiver, endpoint)
        tail = b"".join(WORD.pack(word) for word in landed)
        header = _pack(VERSION, call, 0, len(body), badge, label, len(landed), unwrapped, 0)
        frame = header + body + tail
    else:
        frame = _pack(VERSION, call, 0, len(body), badge, label, 0, 0, 0) + body
    if receiver.suspended:
        receiver.withheld = frame
        receiver.state = INACTIVE
        receiver.on = receiver.deadline = None
        return
    receiver.state = RUNNING
    receiver.on = receiver.deadline = None
    k.effects.append(new(Resume, (receiver.number, frame)))


def _transfer_caps(
    k: Kernel, sender: TCB, receiver: TCB, endpoint: Endpoint | None
) -> tuple[list[int], int]:
    """At most three capabilities, one of them into the receive slot; stop at the first that fails.

    A sender that waited may have lost its way to one of them: then none is sent.

    seL4: lookupExtraCaps, transferCaps
    """
    sources = [cspace.lookup(sender, cptr) for cptr in sender.request.caps[:EXTRA_CAPS]]
    if None in sources:
        return [], 0
    target = _receive_slot(receiver)
    landed: list[int] = []
    unwrapped = 0
    for position, source in enumerate(sources):
        if source is None or source.cap is None:
            break
        if endpoint is not None and source.cap.obj is endpoint:
            unwrapped |= 1 << position
            landed.append(source.cap.badge)
            continue
        derived = caps.derived(source, source.cap)
        if target is None or isinstance(derived, Status):
            break
        k.put(target, derived, source, sender.pd.name)
        landed.append(target.index)
        target = None
    return landed, unwrapped


def _receive_slot(receiver: TCB) -> Slot | None:
    """The empty slot the receiver named for a capability, if it named one that exists."""
    path = receiver.request.path
    if path is None:
        return None
    at, index, depth = path
    root = receiver.root
    if at:
        named = cspace.lookup(receiver, at)
        root = named.cap if named is not None else None
    if root is None:
        return None
    slot = cspace.target(root, index, depth)
    return slot if isinstance(slot, Slot) and slot.cap is None else None
