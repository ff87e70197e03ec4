"""What a PD has open of memory objects, so that it can let go of what is taken from it.

The kernel says with a flag in an answer that a memory object was withdrawn (`AnswerFlag`), and the
stub that reads the answer calls `obey` before its caller sees it. A `Window` is empty from then
on, its mapping closed; over what `multiprocessing.shared_memory.SharedMemory` has mapped nothing is
mapped, so that a touch is a memory fault, as it is for a traced PD. A mapping that a program makes
itself, by a descriptor, is its own affair.
"""

from __future__ import annotations

import os
from multiprocessing import shared_memory
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from caplab.pd.utcb import current
from caplab.pd.window import KERNEL_PREFIX, cover

if TYPE_CHECKING:
    from caplab.pd.window import Window


class Mappings:
    """Of one PD.

    Args:
        attached: whether what the process opens as `SharedMemory` is this PD's.
    """

    def __init__(self, *, attached: bool = False) -> None:
        self._attached = attached
        self._windows: WeakSet[Window] = WeakSet()
        self._segments: WeakSet[shared_memory.SharedMemory] = WeakSet()

    def expect(self) -> None:
        """The PD is about to be granted a memory object: from now on note what it opens."""
        if self._attached:
            self._attached = False
            note_attached(self._segments)

    def add(self, window: Window) -> Window:
        self._windows.add(window)
        return window

    def let_go(self, names: set[str]) -> None:
        """Of memory objects of these names."""
        for window in [one for one in self._windows if one.name in names]:
            window.withdraw()
        for segment in [one for one in self._segments if one.name.lstrip("/") in names]:
            self._segments.discard(segment)
            unmap(segment)


def obey() -> None:
    """Let go of what the kernel has taken from the PD that the running thread belongs to."""
    from caplab.pd import stubs  # which imports this

    here = current.get()
    if here.env is not None:
        names = stubs.withdrawn(here.transport).data.decode().split()
        here.env.mappings.let_go(set(names))


def note_attached(segments: WeakSet[shared_memory.SharedMemory]) -> None:
    """Add to `segments` each of the kernel's that this process attaches to from now on."""
    plain: Any = shared_memory.SharedMemory.__init__

    def attach(self: shared_memory.SharedMemory, *args: Any, **more: Any) -> None:
        plain(self, *args, **more)
        if self.name.startswith(KERNEL_PREFIX):
            segments.add(self)

    shared_memory.SharedMemory.__init__ = attach  # type: ignore[method-assign]


def unmap(segment: Any) -> None:
    """Map nothing where the segment was mapped, and close its descriptor."""
    descriptor, segment._fd = segment._fd, -1
    if descriptor >= 0:
        os.close(descriptor)
    if segment._mmap is not None:  # None: closed already
        cover(segment._mmap)
