"""How attackers and victims speak with the judge, over the endpoint it serves."""

from __future__ import annotations

from enum import IntEnum
from typing import Any, NamedTuple

import msgpack

from caplab import Env

JUDGE = "gallery"
"""The name of the endpoint."""
WHY_MAX = 700


class Say(IntEnum):
    """Labels of what is said to the judge."""

    HELLO = 1
    """An attacker: these are my name and my attacks. Answered with the first order."""
    DONE = 2
    """An attacker: so it went. Answered with the next order, or with nothing more to do."""
    READY = 3
    """An attacker: now do what was prepared for me."""
    TRANSFER = 4
    """An attacker: here is a capability that I may not send."""
    BEAT = 5
    """A victim: I am here; so many calls, so many wrong answers, and the longest, in
    microseconds."""


class Told(NamedTuple):
    """What the judge answers."""

    order: dict[str, Any]
    slot: int
    """Where the capability lies that came with it; 0 for none."""


def tell(env: Env, what: Say, **said: Any) -> Told:
    """Say something to the judge, and hear what it wants next."""
    if "why" in said:
        said["why"] = said["why"][:WHY_MAX]
    slot = env.slots.alloc()
    answer = env.endpoint(JUDGE).call(what, msgpack.packb(said), receive=slot)
    if not answer.slots:
        env.slots.free(slot)
    return Told(msgpack.unpackb(answer.data), slot if answer.slots else 0)
