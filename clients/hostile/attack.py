"""What an attack is, and how it says what became of it.

An attack is a function that does it. The exception that leaves it is what stopped it: an error of
Linux's or a refusal of the kernel's. Who gets to its end has got through.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from typing import NamedTuple

from caplab import CapError, Env, PeerDied
from caplab.pd.errors import SlotsExhausted

GUARDS = {
    *(errno.EPERM, errno.EACCES, errno.EROFS, errno.ENOENT, errno.ESRCH, errno.ENOSYS),
    *(errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM, errno.EPIPE, errno.ECONNRESET),
    *(errno.ETOOMANYREFS, errno.EAFNOSUPPORT, errno.ECONNREFUSED, errno.ENOPROTOOPT),
}
"""Errors that say no. Any other (EINVAL, EFAULT …) says that the call was made, and got through."""


class GotThrough(Exception):
    """The attack reached what it should not have; the message says what."""


class Contained(Exception):
    """It was done to the end and reached nobody; the message says why."""


class Order(NamedTuple):
    """What the judge tells an attacker: which attack, and help that no real one would have."""

    attack: str
    victim: int = 0
    """Pid of the victim, as the kernel knows it."""
    gift: int = 0
    """The slot of a capability that the judge has prepared (`stages.py`)."""


class Attack(NamedTuple):
    """One row of the table."""

    number: int
    name: str
    family: str
    guard: str
    """What should stop it."""
    act: Callable[[Env, Order], None]
    ends: str = ""
    """Where it should cost the attacker its life: what the kernel's reason says (a pattern)."""
    stage: str = ""
    """What the judge prepares for it (`stages.py`)."""
    needs: str = ""
    """The weakest confinement that stops it, `basic` or `strict`; nothing, if the kernel does."""


class Outcome(NamedTuple):
    """What an attacker says of its attack."""

    through: bool
    why: str


def attempt(attack: Attack, env: Env, order: Order) -> Outcome:
    """Do it, and say how it went. What is neither a refusal nor a success is a bug of the attack,
    and ends its PD."""
    try:
        attack.act(env, order)
    except (Contained, GotThrough) as told:
        return Outcome(isinstance(told, GotThrough), str(told))
    except PeerDied as died:
        return Outcome(True, f"a victim died: {died}")
    except (OSError, CapError, MemoryError, SlotsExhausted) as error:
        return Outcome(not refuses(error), name_of(error))
    return Outcome(True, "nothing stopped it")


def each(tries: Mapping[str, Callable[[], object]]) -> None:
    """Try several ways. Raises GotThrough if one of them worked, else Contained with what stopped
    each of them."""
    stopped: dict[str, list[str]] = {}
    through = []
    for what, act in tries.items():
        try:
            act()
        except (OSError, CapError, MemoryError, Contained) as error:
            if refuses(error):
                stopped.setdefault(name_of(error), []).append(what)
            else:
                through.append(f"{what} ({name_of(error)})")
        else:
            through.append(what)
    if through:
        raise GotThrough(", ".join(through))
    raise Contained("; ".join(f"{error}: {', '.join(ways)}" for error, ways in stopped.items()))


def refuses(error: BaseException) -> bool:
    """Whether the error says no, rather than that it was done badly."""
    return not isinstance(error, OSError) or isinstance(error, CapError) or error.errno in GUARDS


def name_of(error: BaseException) -> str:
    """`EPERM`, `REVOKED`, or the name of the exception."""
    if isinstance(error, Contained):
        return str(error)
    if isinstance(error, CapError):
        return getattr(error.code, "name", str(error.code))
    if isinstance(error, OSError) and error.errno:
        return errno.errorcode.get(error.errno, str(error.errno))
    return type(error).__name__
