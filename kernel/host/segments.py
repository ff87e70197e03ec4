"""Memory objects as files in /dev/shm, where `multiprocessing.shared_memory` finds them by name.

Each is allocated when it is made, so that touching it later can never fail for want of memory.
Its descriptor is kept: destroying truncates the memory itself, whatever name it has by then.

Grants and withdrawals are written down, and that is all: as long as PDs run as one user without
confinement, each of them can open every segment of that user. With confinement a PD sees only its
own, and the table below is what it sees.
"""

import os
from pathlib import Path

from caplab.kernel.core.effects import (
    CreateSegment,
    DestroySegment,
    GrantSegment,
    WithdrawSegment,
)

SHM = Path("/dev/shm")


class Segment:
    """One memory object's file, and who may open it (PD number: writable)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.descriptor = -1
        """-1 where its memory could not be had."""
        self.granted: dict[int, bool] = {}


class Segments:
    """All segments of the system; the core thread's."""

    def __init__(self) -> None:
        self._segments: dict[int, Segment] = {}

    def create(self, effect: CreateSegment) -> None:
        """Raises OSError (memory is short, the name is taken): then there is no file, but what
        follows in the life of the memory object is taken note of all the same."""
        segment = self._segments[effect.mo] = Segment(SHM / effect.name)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(segment.path, flags, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, effect.size)
        except OSError:
            segment.path.unlink()
            os.close(descriptor)
            raise
        segment.descriptor = descriptor

    def grant(self, effect: GrantSegment) -> None:
        self._segments[effect.mo].granted[effect.pd] = effect.writable

    def withdraw(self, effect: WithdrawSegment) -> None:
        self._segments[effect.mo].granted.pop(effect.pd, None)

    def destroy(self, effect: DestroySegment) -> None:
        """Take it from everybody: who still maps it gets SIGBUS where it was."""
        segment = self._segments.pop(effect.mo)
        if segment.descriptor >= 0:
            os.ftruncate(segment.descriptor, 0)
            os.close(segment.descriptor)
            segment.path.unlink(missing_ok=True)

    def granted(self, mo: int) -> dict[int, bool]:
        """Who may open it, and who of them may write."""
        return dict(self._segments[mo].granted)

    def destroy_all(self) -> int:
        """Destroy what is left; how many there were."""
        left = list(self._segments)
        for mo in left:
            self.destroy(DestroySegment(mo))
        return len(left)
