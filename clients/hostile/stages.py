"""What the judge prepares for an attack that needs something to attack, and how it looks itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from caplab import Env
from caplab.kernel.abi import Rights
from caplab.pd.objects import Capability

UNTOUCHED = b"as it was"


class Stage(NamedTuple):
    """One attack's scenery."""

    gift: Capability | None = None
    """What the attacker gets with its order."""
    ready: Callable[[], None] = lambda: None
    """What is done when the attacker says so."""
    damage: Callable[[], str] = lambda: ""
    """What the judge sees that the attack has done; empty for nothing."""


def build(kind: str, env: Env) -> Stage:
    """Prepare a stage of this kind."""
    return {"": lambda _: Stage(), "gift": _gift, "read-only": _read_only, "lent": _lent}[kind](env)


def _gift(env: Env) -> Stage:
    """A capability that is taken back."""
    gift = env.endpoint()

    def take_back() -> None:
        gift.revoke()
        gift.delete()

    return Stage(gift, take_back)


def _read_only(env: Env) -> Stage:
    """A page of which the attacker gets a capability to read."""
    page = env.memory()
    window = page.map()
    window.write(0, UNTOUCHED)

    def damage() -> str:
        return "" if window.read(0, len(UNTOUCHED)) == UNTOUCHED else "the judge's page has changed"

    return Stage(page.copy(Rights.READ), damage=damage)


def _lent(env: Env) -> Stage:
    """A page that is destroyed while the attacker has it mapped."""
    page = env.memory()

    def destroy() -> None:
        page.revoke()
        page.delete()

    return Stage(page, destroy)
