"""Memory objects as files in /dev/shm, where `multiprocessing.shared_memory` finds them by name.

Each is allocated when it is made, so that touching it later can never fail for want of memory.
Its descriptor is kept: destroying truncates the memory itself, whatever name it has by then.

A grant is a hard link in the PD's own folder, a withdrawal removes it. Such a folder is all that a
PD in namespaces of its own sees of `/dev/shm` (`pd_namespaces.py`), or, of what it may only read,
of `/dev/shr`; the first is on a mount that can be written to, the second is not. Without namespaces
there are no folders: every PD can open every segment of its user, and grants are written down only.

Who may write to a file may write beyond its end, and no seal keeps a file that has a name from
growing. So the machine's `/dev/shm` is never much larger than the segments in it, and when its
room is short, those that have grown are cut back.
"""

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from caplab.kernel.core.effects import (
    CreateSegment,
    DestroySegment,
    GrantSegment,
    WithdrawSegment,
)

SHM = Path("/dev/shm")
GRANTED, GRANTED_READ_ONLY = ".pd", ".ro"
"""In `SHM`: a folder per PD, called by its number."""
ANYBODY = 0o666
"""Mode of a segment in a machine of its own, where PDs have users of their own, and where only who
has a link to it can open it."""
SPARE = 4 << 20
"""Bytes that a machine's `/dev/shm` may have beyond its segments, at most twice: the room changes
by steps, because changing it costs more than a page."""
ATTEMPTS = 8
"""How often room is made for a segment, while somebody may be filling it."""


class Segment:
    """One memory object's file, and who may open it (PD number: writable)."""

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        self.size = size
        self.descriptor = -1
        """-1 where its memory could not be had."""
        self.granted: dict[int, bool] = {}


class Segments:
    """All segments of the system; the core thread's.

    Args:
        folders: whether PDs have folders of their own, because `SHM` is the machine's own.
        resize: sets how many bytes `SHM` holds; without it, it holds what it holds. Raises OSError.
    """

    def __init__(
        self, *, folders: bool = False, resize: Callable[[int], None] | None = None
    ) -> None:
        self._segments: dict[int, Segment] = {}
        self._folders = folders
        self._resize = resize
        self._used = 0
        self._room = 0

    def create(self, effect: CreateSegment) -> None:
        """Raises OSError (memory is short, the name is taken): then there is no file, but what
        follows in the life of the memory object is taken note of all the same."""
        segment = self._segments[effect.mo] = Segment(SHM / effect.name, effect.size)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(segment.path, flags, 0o600)
        try:
            self._allocate(descriptor, effect.size)
            if self._folders:
                os.fchmod(descriptor, ANYBODY)
        except OSError:
            segment.path.unlink()
            os.close(descriptor)
            raise
        segment.descriptor = descriptor

    def _allocate(self, descriptor: int, size: int) -> None:
        """Give a new file its memory. Raises OSError."""
        self._used += size
        try:
            self._fit()
            for attempt in range(ATTEMPTS):
                try:
                    os.posix_fallocate(descriptor, 0, size)
                    return
                except OSError as error:
                    last = attempt == ATTEMPTS - 1
                    if error.errno != errno.ENOSPC or last or not self._cut_back():
                        raise
                    self._give(self._room + SPARE)  # they may be filling it again by now
        except OSError:
            self._used -= size
            raise

    def _fit(self) -> None:
        """Have `SHM` as large as its segments, and a little larger. Raises OSError."""
        if self._resize is None or self._used <= self._room <= self._used + 2 * SPARE:
            return
        room = (self._used // SPARE + 1) * SPARE
        try:
            self._give(room)
        except OSError:
            if room > self._room:
                raise
            # There is more in it than segments. What could not be made smaller is large enough.
            self._cut_back()

    def _give(self, room: int) -> None:
        if self._resize is not None:
            self._resize(room)
            self._room = room

    def _cut_back(self) -> bool:
        """Cut what has grown to its size; whether anything had."""
        grown = False
        for segment in self._segments.values():
            if segment.descriptor >= 0 and os.fstat(segment.descriptor).st_size > segment.size:
                os.ftruncate(segment.descriptor, segment.size)
                grown = True
        return grown

    def admit(self, pd: int) -> None:
        """Make the folders of a PD that is about to start, unless a grant has made them already."""
        if self._folders:
            for kind in (GRANTED, GRANTED_READ_ONLY):
                folder = SHM / kind / str(pd)
                for each in (folder.parent, folder):
                    if not each.exists():
                        each.mkdir()
                        each.chmod(0o755)  # whatever the umask: a PD may be another user

    def dismiss(self, pd: int) -> None:
        """Remove the folders of a PD that has ended."""
        if self._folders:
            for kind in (GRANTED, GRANTED_READ_ONLY):
                shutil.rmtree(SHM / kind / str(pd), ignore_errors=True)

    def grant(self, effect: GrantSegment) -> None:
        segment = self._segments[effect.mo]
        self._unlink(segment, effect.pd)
        segment.granted[effect.pd] = effect.writable
        if self._folders and segment.descriptor >= 0:
            self.admit(effect.pd)
            os.link(segment.path, _link(segment, effect.pd))

    def withdraw(self, effect: WithdrawSegment) -> None:
        segment = self._segments[effect.mo]
        self._unlink(segment, effect.pd)
        segment.granted.pop(effect.pd, None)

    def destroy(self, effect: DestroySegment) -> None:
        """Take it from everybody: who still maps it gets SIGBUS where it was."""
        segment = self._segments.pop(effect.mo)
        if segment.descriptor >= 0:
            os.ftruncate(segment.descriptor, 0)
            os.close(segment.descriptor)
            segment.path.unlink(missing_ok=True)
            for pd in segment.granted:
                self._unlink(segment, pd)
            self._used -= segment.size
            self._fit()

    def _unlink(self, segment: Segment, pd: int) -> None:
        if self._folders and pd in segment.granted:
            _link(segment, pd).unlink(missing_ok=True)

    def descriptor(self, mo: int) -> int:
        """Of the memory object's file; -1 when there is none."""
        return self._segments[mo].descriptor

    def granted(self, mo: int) -> dict[int, bool]:
        """Who may open it, and who of them may write."""
        return dict(self._segments[mo].granted)

    def destroy_all(self) -> int:
        """Destroy what is left; how many there were."""
        left = list(self._segments)
        for mo in left:
            self.destroy(DestroySegment(mo))
        return len(left)


def _link(segment: Segment, pd: int) -> Path:
    """Where a PD finds a segment that it was granted."""
    kind = GRANTED if segment.granted[pd] else GRANTED_READ_ONLY
    return SHM / kind / str(pd) / segment.path.name
