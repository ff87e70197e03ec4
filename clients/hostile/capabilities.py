"""Attacks with capabilities: to use what one has not, or to make more of what one has."""

from __future__ import annotations

from functools import partial

from caplab import Env
from caplab.clients.hostile.attack import Contained, GotThrough, Order, each
from caplab.clients.hostile.judging import Say
from caplab.kernel.abi import SLOT_FIRST_FREE, Rights, Sys
from caplab.pd import stubs
from caplab.pd.errors import OutOfUntyped
from caplab.pd.objects import CNode, Endpoint, Memory, PdCap, Tcb

FORGED = (0, 5, 300, 511, 900, 1023, 1024, 1 << 40, (1 << 64) - 1)
CALLS = (Sys.CALL, Sys.SEND, Sys.NB_SEND, Sys.RECV, Sys.SIGNAL, Sys.WAIT)
MANY = 2000
PAGES = 4096
OTHER_BADGE = 7


def forged_slot(env: Env, order: Order) -> None:
    """Call on slots that hold nothing, and on numbers that are no slots."""
    each(
        {f"{call.name} {slot}": partial(_use, env, call, slot) for slot in FORGED for call in CALLS}
    )


def _use(env: Env, call: Sys, slot: int) -> None:
    frame = stubs.request(call, slot, 0, b"words", timeout=0.05)
    answer = stubs.answer(env.utcb().transport.call(frame))
    env.pd.checked(answer, call.name)


def chosen_badge(env: Env, order: Order) -> None:
    """Give a badged capability to a server the badge of somebody else."""
    victim = env.endpoint("victim")
    each(
        {
            "mint": lambda: victim.mint(OTHER_BADGE),
            "mutate": lambda: env.cnode.mutate(env.slots.alloc(), victim.slot, OTHER_BADGE),
        }
    )


def stolen_reply(env: Env, order: Order) -> None:
    """Answer where nobody asked, twice, and by reply capabilities that are another's."""
    each(
        {
            "save": lambda: env.cnode.save_caller(env.slots.alloc()),
            "reply": lambda: _reply(env),
            "reply again": lambda: _reply(env),
        }
    )


def _reply(env: Env) -> None:
    if not env.reply(0, b"forged"):
        raise Contained("nobody waits")


def transfer(env: Env, order: Order) -> None:
    """Send a capability over an endpoint without Grant; the judge looks whether it came."""
    judge = env.endpoint("gallery").copy(Rights.WRITE | Rights.GRANT_REPLY)
    judge.call(Say.TRANSFER, caps=[env.endpoint()])
    judge.delete()
    raise Contained("the judge got the message without it")


def revoked(env: Env, order: Order) -> None:
    """Use a capability that was taken back."""
    gift = env.cap(Endpoint, order.gift)
    env.endpoint("gallery").call(Say.READY)
    each({"call": lambda: gift.call(0, timeout=0.1), "copy": gift.copy, "send": gift.send})


def greater_rights(env: Env, order: Order) -> None:
    """Copy a capability to send with all rights, and receive what others send."""
    more = env.endpoint("gallery").copy(Rights.ALL)
    each({"recv": lambda: more.recv(timeout=0.1), "nb_recv": more.nb_recv})


def full_cspace(env: Env, order: Order) -> None:
    """Fill the own CSpace to the last slot."""
    judge = env.endpoint("gallery")
    copies: list[Endpoint] = []
    try:
        copies.extend(judge.copy() for _ in range(MANY))
    finally:
        for one in copies:
            one.delete()


def exhausted_untyped(env: Env, order: Order) -> None:
    """Make pages until the kernel has no more for anybody."""
    pages: list[Memory] = []
    try:
        pages.extend(env.memory(pages=512) for _ in range(PAGES))
    except OutOfUntyped as out:
        raise Contained(
            f"its own memory was used up after {len(pages)}: {type(out).__name__}"
        ) from out
    finally:
        for one in pages:
            one.delete()
    raise GotThrough(f"{len(pages)} objects of 2 MiB")


def foreign_objects(env: Env, order: Order) -> None:
    """Take capabilities for what they are not: kill, suspend and install by an endpoint's slot."""
    slots = (env.endpoint("victim").slot, SLOT_FIRST_FREE + 400)
    tries = {}
    for slot in slots:
        pd, cnode, tcb = PdCap(env, slot), CNode(env, slot), Tcb(env, slot)
        tries[f"PD_Suspend {slot}"] = partial(_invoke, env, pd.suspend)
        tries[f"TCB_Suspend {slot}"] = partial(_invoke, env, tcb.suspend)
        tries[f"CNode_Revoke {slot}"] = partial(_invoke, env, partial(cnode.revoke_slot, 1))
    each(tries)


def _invoke(env: Env, invocation: object) -> None:
    """An invocation on an endpoint is a message to its server, which here sends it back."""
    assert callable(invocation)
    invocation()
    raise Contained("the server got it as a message")
