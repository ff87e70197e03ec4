"""Badges of the serial server's clients: what the bits say, and who hands them out.

=========  ==========================================================================
bits 0–31  the client's number: 0 nobody, 1 the Parent, from 2 up a client
bit 32     NO_KILL: this capability may not kill the server
bit 33     ESCAPES: escape sequences in what it prints reach the terminal
bit 34     PREFIX: each line it prints begins with the time and its name
bit 35     FOCUS: it may take the input, and give it to another
bits 36–63 zero; a badge with any of them set was never allocated
=========  ==========================================================================

Bits 33 to 35 are how a Parent says what `console:` says in a manifest. The root task, whose badges
have none of them, is asked what the manifest says.

The kernel puts the badge into each message, so no client can choose or change its own. A number is
never used again: an old capability can never be taken for a newer client.
"""

from collections.abc import Mapping

NUMBER_BITS = 32
NO_KILL = 1 << NUMBER_BITS
ESCAPES, PREFIX, FOCUS = 1 << 33, 1 << 34, 1 << 35
_ALL_BITS = NUMBER_BITS + 4
PARENT_BADGE = 1
FIRST_CLIENT = 2


def number_of(badge: int) -> int:
    """The client's number, which its colour is made of."""
    return badge & ((1 << NUMBER_BITS) - 1)


def may_kill(badge: int) -> bool:
    """True unless the Parent minted the capability with `may_kill=False`."""
    return not badge & NO_KILL


def well_formed(badge: int) -> bool:
    """Whether some Parent can have allocated this badge to a client."""
    return not badge >> _ALL_BITS and number_of(badge) >= FIRST_CLIENT


def rights_of(console: Mapping[str, bool] | None) -> int:
    """The bits for what `console:` in a manifest says, as far as badges can say it."""
    bits = {"escapes": ESCAPES, "prefix": PREFIX, "focus": FOCUS}
    return sum(bits[key] for key, value in (console or {}).items() if value)


class BadgeAllocator:
    """Numbers for clients, each used once; it lives with the Parent."""

    def __init__(self) -> None:
        self._next = FIRST_CLIENT

    def allocate(self, may_kill: bool = True, rights: int = 0) -> int:
        """A badge no client has had before, with `rights` of ESCAPES, PREFIX and FOCUS.

        Raises OverflowError when all 2³² numbers are used up.
        """
        if self._next >> NUMBER_BITS:
            raise OverflowError("all client numbers are used: start another serial server")
        badge = self._next | (0 if may_kill else NO_KILL) | rights
        self._next += 1
        return badge

    def allocated(self, badge: int) -> bool:
        """Whether this allocator handed the badge out."""
        return well_formed(badge) and number_of(badge) < self._next
