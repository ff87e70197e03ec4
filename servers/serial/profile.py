"""What a client is called, and what it may do besides printing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from caplab.servers.serial.badges import ESCAPES, FOCUS, PREFIX, number_of


class Profile(NamedTuple):
    """Of one client, for as long as it is connected."""

    name: str
    escapes: bool = False
    """Escape sequences in what it prints reach the terminal."""
    prefix: bool = False
    """Each line it prints begins with the time and its name."""
    focus: bool = False
    """It may take the input, and give it to another."""


def profile(badge: int, name: str, console: Mapping[str, Any]) -> Profile:
    """Of a badge, from its bits, and what the kernel says: the PD's name ("" if nobody knows), and
    the `console:` of its manifest entry."""

    def allowed(key: str, bit: int) -> bool:
        return bool(badge & bit) or console.get(key) is True

    return Profile(
        name or f"client {number_of(badge)}",
        allowed("escapes", ESCAPES),
        allowed("prefix", PREFIX),
        allowed("focus", FOCUS),
    )
