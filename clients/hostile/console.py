"""Attacks by what a PD prints."""

from __future__ import annotations

import sys

from caplab import Env
from caplab.clients.hostile.attack import Contained, Order

FORGERIES = (
    "\x1b]0;owned\x07",  # the title of the terminal
    "\x1b[2J\x1b[1;1H",  # an empty screen
    "\x1b]52;c;cm0gLXJmIH4K\x07",  # the clipboard
    "\x1b[6n\x1b[c",  # answers that the terminal types
    "\x9b31m\r\x08\x0e",
)
SIZE = 1 << 20


def escapes(env: Env, order: Order) -> None:
    """Print sequences that would change the reader's terminal."""
    for forgery in FORGERIES:
        env.log(f"{forgery} printed by {env.name}")
    raise Contained("the reader of its output takes them out")


def output_flood(env: Env, order: Order) -> None:
    """Print a megabyte in one line, which nobody reads so fast."""
    sys.stdout.write("x" * SIZE + "\n")
    sys.stdout.flush()
    raise Contained("what is kept of it is bounded")
