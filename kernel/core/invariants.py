"""Numbered truths that hold after every step, checked in tests and under `--paranoid`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from caplab.kernel.abi import ObjectType, Rights
from caplab.kernel.core import cap as caps
from caplab.kernel.core import states

if TYPE_CHECKING:
    from caplab.kernel.core.cap import Slot
    from caplab.kernel.core.kernel import Kernel


_COUNTED = (
    *(ObjectType.ENDPOINT, ObjectType.NOTIFICATION, ObjectType.FRAME),
    *(ObjectType.IRQ_HANDLER, ObjectType.IOPORT),
)
"""Objects whose last capability has consequences."""


def violations(k: Kernel) -> list[str]:
    """Every broken invariant, as `I3: …`; an empty list is good news."""
    found: list[str] = []
    for number, check in enumerate(INVARIANTS, 1):
        found += [f"I{number}: {text}" for text in check(k)]
    return found + k.root.violations(k)


def _filled(k: Kernel) -> list[Slot]:
    return [slot for cnode in k.cnodes for slot in cnode.slots.values() if slot.cap is not None]


def _objects(k: Kernel, kind: ObjectType) -> list[Any]:
    found: dict[int, Any] = {}
    for slot in _filled(k):
        if slot.cap is not None and slot.cap.type == kind:
            found[id(slot.cap.obj)] = slot.cap.obj
    return list(found.values())


def blocked_in_one_queue(k: Kernel) -> Iterator[str]:
    """I1: a TCB blocked on an object stands in that object's queue, once; all others in none."""
    queued: Counter[int] = Counter()
    for kind in (ObjectType.ENDPOINT, ObjectType.NOTIFICATION):
        for found in _objects(k, kind):
            queued.update(tcb.number for tcb in found.queue)
    for tcb in k.tcbs.values():
        waits = tcb.state in (states.SEND, states.RECV, states.NOTIFICATION)
        if waits and tcb not in tcb.on.queue:
            yield f"tcb {tcb.number} is blocked but not in the queue it names"
        if not waits and queued[tcb.number]:
            yield f"tcb {tcb.number} is queued though {states.NAMES[tcb.state]}"
        if queued[tcb.number] > 1:
            yield f"tcb {tcb.number} is queued {queued[tcb.number]} times"


def one_side_queues(k: Kernel) -> Iterator[str]:
    """I2: an endpoint never queues senders and receivers at once."""
    for endpoint in _objects(k, ObjectType.ENDPOINT):
        wanted = states.RECV if endpoint.receiving else states.SEND
        if any(tcb.state != wanted for tcb in endpoint.queue):
            yield f"endpoint {endpoint.number} queues both sides"
        if endpoint.receiving and not endpoint.queue:
            yield f"endpoint {endpoint.number} says it receives with nobody there"


def replies_once(k: Kernel) -> Iterator[str]:
    """I3: who waits for a reply has exactly one holder for it, and nobody else has one."""
    for tcb in k.tcbs.values():
        record = tcb.reply
        holders = (record.holder is not None) + (record.slot is not None)
        if tcb.state == states.REPLY and holders != 1:
            yield f"tcb {tcb.number} waits for a reply that {holders} hold"
        if tcb.state != states.REPLY and holders:
            yield f"tcb {tcb.number} is {states.NAMES[tcb.state]}, its reply is still held"
        if record.holder is not None and record.holder.caller is not record:
            yield f"the reply of tcb {tcb.number} is not in its holder's caller slot"


def rights_never_grow(k: Kernel) -> Iterator[str]:
    """I4: a child in the derivation list has no right its parent lacks. What is made of untyped
    memory is no copy of it: the rights of an untyped say nothing.
    """
    for slot in _filled(k):
        child = slot.next
        if child is None or not caps.is_parent(slot, child):
            continue
        assert slot.cap is not None
        assert child.cap is not None
        if slot.cap.type == ObjectType.UNTYPED:
            continue
        if child.cap.rights & ~slot.cap.rights:
            yield f"slot {child.index} of {child.cnode.pd.name} has more rights than its parent"


def links_agree(k: Kernel) -> Iterator[str]:
    """I5: neighbours in the derivation list point at each other and are filled."""
    for slot in _filled(k):
        for other, back in ((slot.next, "prev"), (slot.prev, "next")):
            if other is not None and (other.cap is None or getattr(other, back) is not slot):
                yield f"slot {slot.index} of {slot.cnode.pd.name} is linked badly"


def counts_equal(k: Kernel) -> Iterator[str]:
    """I6: every count of capabilities equals the capabilities there are."""
    refs: Counter[int] = Counter()
    badges: Counter[tuple[int, int]] = Counter()
    readers: Counter[int] = Counter()
    for slot in _filled(k):
        cap = slot.cap
        assert cap is not None
        refs[id(cap.obj)] += 1
        if cap.type == ObjectType.ENDPOINT:
            badges[id(cap.obj), cap.badge] += bool(slot.cnode.pd.number)
            readers[id(cap.obj)] += bool(slot.cnode.live and cap.rights & Rights.READ)
    for kind in _COUNTED:
        for found in _objects(k, kind):
            if refs[id(found)] != found.refs:
                yield f"{kind.name} {found.number} counts {found.refs} of {refs[id(found)]}"
    for endpoint in _objects(k, ObjectType.ENDPOINT):
        if readers[id(endpoint)] != endpoint.readers:
            yield f"endpoint {endpoint.number} counts {endpoint.readers} readers"
        mine = {badge: n for (one, badge), n in badges.items() if one == id(endpoint)}
        held = {badge: n for badge, n in mine.items() if badge and n}
        if held != endpoint.badges:
            yield f"endpoint {endpoint.number} counts badges {endpoint.badges}, not {held}"


def holds_equal(k: Kernel) -> Iterator[str]:
    """I7: a memory object's holds are the capabilities per PD; only holders are granted it."""
    for mo in _objects(k, ObjectType.FRAME):
        held: Counter[int] = Counter()
        for slot in _filled(k):
            if slot.cap is not None and slot.cap.obj is mo:
                held[slot.cnode.pd.number] += 1
        if dict(held) != mo.holds or not mo.granted.keys() <= held.keys():
            yield f"mo {mo.number} counts holds {mo.holds}, not {dict(held)}"


def nobody_waits_on_the_deaf(k: Kernel) -> Iterator[str]:
    """I8: in lab mode nobody is queued on a deaf endpoint."""
    for endpoint in _objects(k, ObjectType.ENDPOINT) if k.lab else ():
        if endpoint.queue and not endpoint.readers:
            yield f"endpoint {endpoint.number} is deaf and {len(endpoint.queue)} wait on it"


def bound_both_ways(k: Kernel) -> Iterator[str]:
    """I9: a bound notification and its TCB name each other, and both live."""
    for tcb in k.tcbs.values():
        if tcb.bound is not None and (tcb.bound.bound is not tcb or not tcb.bound.refs):
            yield f"tcb {tcb.number} is bound to a notification that is not bound to it, or gone"


def only_the_blocked_are_timed(k: Kernel) -> Iterator[str]:
    """I10: a TCB has a time limit only while it is in a call."""
    for tcb in k.tcbs.values():
        # One that waits for its turn to be executed again keeps the limit it began with.
        answered = k.gate is not None and tcb.number in k.gate.answers
        over = tcb.state in (states.RUNNING, states.DEAD) or answered
        if tcb.deadline is not None and over:
            yield f"tcb {tcb.number} is {states.NAMES[tcb.state]} and has a time limit"


def faulters_are_blocked(k: Kernel) -> Iterator[str]:
    """I11: a faulter waits on its handler, the message in its request's place, or stands still, or
    is ready to execute its instruction again.
    """
    for tcb in k.tcbs.values():
        if tcb.fault is None:
            continue
        waits = tcb.state in (states.SEND, states.REPLY)
        stands = tcb.state == states.INACTIVE or (tcb.state == states.READY and tcb.outside)
        if not waits and not stands:
            yield f"tcb {tcb.number} is {states.NAMES[tcb.state]} with a fault"
        if waits != (tcb.fault.request is not None):
            yield f"tcb {tcb.number} has its fault message {'nowhere' if waits else 'left over'}"


def the_highest_runs(k: Kernel) -> Iterator[str]:
    """I12: in strict mode one TCB runs of those that have made a call, and none that is ready had
    a higher priority, or its domain its turn, when it was resumed. Who is being killed, was
    stopped, or stands at a breakpoint runs no more.
    """
    gate = k.gate
    ready = [tcb for queue in gate.queues.values() for tcb in queue] if gate is not None else []
    for tcb in k.tcbs.values():
        if (tcb.state == states.READY) != (tcb in ready and tcb.state != states.RUNNING):
            yield f"tcb {tcb.number} is {states.NAMES[tcb.state]}, but is it in a ready queue?"
    if gate is None:
        return
    for tcb in k.tcbs.values():
        runs = tcb.state == states.RUNNING and tcb.calls and tcb.pd.doomed is None
        runs = runs and tcb.number not in tcb.pd.breakpoints
        if runs and tcb is not gate.running and tcb not in gate.stopped.values():
            yield f"tcb {tcb.number} runs, though it is not its turn"
    if len(set(ready)) < len(ready):
        yield "a tcb is ready twice"
    for (domain, rank), queue in gate.queues.items():
        if any((tcb.domain, tcb.priority) != (domain, rank) for tcb in queue):
            yield "a ready tcb stands in the queue of another priority or domain"
        if gate.running is None and domain == k.domains.current:
            yield f"tcb {queue[0].number} is ready, and nobody runs"
    if gate.running is not None and gate.outranked(gate.running) and not gate.late:
        yield f"tcb {gate.running.number} runs, and a higher priority is ready"


INVARIANTS: tuple[Callable[[Kernel], Iterator[str]], ...] = (
    blocked_in_one_queue,
    one_side_queues,
    replies_once,
    rights_never_grow,
    links_agree,
    counts_equal,
    holds_equal,
    nobody_waits_on_the_deaf,
    bound_both_ways,
    only_the_blocked_are_timed,
    faulters_are_blocked,
    the_highest_runs,
)
