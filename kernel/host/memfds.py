"""Memory objects without names: files of memory whose descriptors are handed to PDs.

For PDs that see the same `/dev/shm` as everybody else but may open nothing in it (`basic`). A grant
sends a descriptor over the PD's spawn channel, before the answer that tells the object's name; the
PD library opens the name by it. For reading only, the descriptor is one that was opened so, and
there is no path by which it could be opened otherwise. It is sealed against growing: who writes
beyond its end gets EPERM, and no memory that nobody has paid for. There is nothing to remove
afterwards: Linux frees the pages with the last descriptor and mapping.
"""

import fcntl
import os
from collections.abc import Callable, Sequence
from typing import Any

from caplab.kernel.core.effects import (
    CreateSegment,
    DestroySegment,
    GrantSegment,
    WithdrawSegment,
)

Hand = Callable[[int, dict[str, Any], Sequence[int]], None]
"""Send a PD a message with descriptors, which are copied."""
OWNER_READS = 0o400
"""Mode of the files: opening one again, by whatever path, is for reading."""


class MemFd:
    """One memory object's file, and whom it was granted to (PD number: writable)."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.descriptor = -1
        """-1 where its memory could not be had."""
        self.granted: dict[int, bool] = {}


class MemFds:
    """All segments of a system; in place of `Segments`, with the same methods."""

    def __init__(self, hand: Hand) -> None:
        self._hand = hand
        self._files: dict[int, MemFd] = {}

    def create(self, effect: CreateSegment) -> None:
        """Raises OSError: memory is short. What follows is taken note of all the same."""
        file = self._files[effect.mo] = MemFd(effect.name)
        descriptor = os.memfd_create(effect.name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.posix_fallocate(descriptor, 0, effect.size)
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
            os.fchmod(descriptor, OWNER_READS)
        except OSError:
            os.close(descriptor)
            raise
        file.descriptor = descriptor

    def admit(self, pd: int) -> None:
        """A PD is about to start: it has nothing yet."""

    def dismiss(self, pd: int) -> None:
        """A PD has ended: what it had, ended with it."""

    def grant(self, effect: GrantSegment) -> None:
        file = self._files[effect.mo]
        file.granted[effect.pd] = effect.writable
        if file.descriptor < 0:
            return
        message = {"segment": file.name}
        if effect.writable:
            self._hand(effect.pd, message, [file.descriptor])
            return
        reading = os.open(f"/proc/self/fd/{file.descriptor}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._hand(effect.pd, message, [reading])
        finally:
            os.close(reading)

    def withdraw(self, effect: WithdrawSegment) -> None:
        file = self._files[effect.mo]
        if file.granted.pop(effect.pd, None) is not None:
            self._hand(effect.pd, {"withdrawn": file.name}, ())

    def destroy(self, effect: DestroySegment) -> None:
        """Take it from everybody: who still maps it gets SIGBUS where it was."""
        file = self._files.pop(effect.mo)
        if file.descriptor >= 0:
            os.ftruncate(file.descriptor, 0)
            os.close(file.descriptor)
        for pd in file.granted:
            self._hand(pd, {"withdrawn": file.name}, ())

    def descriptor(self, mo: int) -> int:
        """Of the memory object's file; -1 when there is none."""
        return self._files[mo].descriptor

    def granted(self, mo: int) -> dict[int, bool]:
        """Who may open it, and who of them may write."""
        return dict(self._files[mo].granted)

    def destroy_all(self) -> int:
        """Destroy what is left; how many there were."""
        left = list(self._files)
        for mo in left:
            self.destroy(DestroySegment(mo))
        return len(left)
