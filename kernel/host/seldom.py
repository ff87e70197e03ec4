"""Messages that a PD could provoke again and again, and so fill the operator's screen with."""

import sys
import time
from collections.abc import Callable

PAUSE = 10.0
"""Seconds until anything is said again."""


class Seldom:
    """Says something on standard error, and then nothing for a while; what it drops it counts."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._again, self._dropped = clock(), 0

    def say(self, text: str) -> None:
        now = self._clock()
        if now < self._again:
            self._dropped += 1
            return
        more = f" ({self._dropped} times more meanwhile)" if self._dropped else ""
        self._again, self._dropped = now + PAUSE, 0
        print(f"kernel: {text}{more}", file=sys.stderr)
