"""Letting a client's window in, and nothing else.

A request may carry any capability whatever. What arrives lies in one receive slot; it stays only
as the window of an accepted connect, and is deleted on every other path, so that the next client
finds the slot empty.
"""

from __future__ import annotations

from collections.abc import Callable

from caplab.pd.env import Env
from caplab.pd.errors import CapError, SlotsExhausted
from caplab.pd.ipc import Message
from caplab.pd.objects import Memory
from caplab.pd.window import Window
from caplab.servers.serial.errors import (
    InvalidArgument,
    InvalidCapability,
    NotEnoughMemory,
    ShmemTooLarge,
)
from caplab.servers.serial.protocol import RING_PAGES, WINDOW_PAGES_MAX, pages_of


class Admission:
    """The receive slot, and the checks a connect must pass."""

    def __init__(self, env: Env) -> None:
        self._env = env
        self.slot = env.slots.alloc()
        """Where the next received capability goes; always empty between requests."""
        self._trial = (env.slots.alloc(), env.slots.alloc())

    def admit(
        self, message: Message, size: int, known: Callable[[], None], ring: bool = False
    ) -> tuple[Window, int]:
        """The window of a connect of `size` bytes and the slot that now keeps its capability.

        A ring is one memory object, of several pages perhaps; a window has a capability per page.

        `known` raises NoSuchClient; it is asked where the reference asks. Nothing is kept of a
        connect that is refused.

        Errors, in this order: InvalidArgument, NoSuchClient, ShmemTooLarge, InvalidCapability,
        NotEnoughMemory
        """
        if size == 0:
            raise InvalidArgument
        known()
        pages = pages_of(size)
        if pages > (RING_PAGES if ring else WINDOW_PAGES_MAX):
            raise ShmemTooLarge
        if len(message.caps) != (1 if ring else pages) or message.slots != (self.slot,):
            raise InvalidCapability
        window = self._map()
        if ring and (window.size < size or not window.writable):
            window.close()
            raise InvalidCapability
        try:
            fresh = self._env.slots.alloc()
        except SlotsExhausted:
            window.close()
            raise NotEnoughMemory from None
        kept, self.slot = self.slot, fresh
        return window, kept

    def clear(self, message: Message) -> None:
        """Delete what a message brought, unless it was admitted."""
        if self.slot in message.slots:
            self._env.cnode.delete_slot(self.slot)

    def give_back(self, slot: int) -> None:
        """Delete the capability of a window that is let go."""
        self._env.cnode.delete_slot(slot)
        self._env.slots.free(slot)

    def close(self) -> None:
        """Give back the slots."""
        for slot in (self.slot, *self._trial):
            self._env.slots.free(slot)

    def _map(self) -> Window:
        if not self._is_run_by_the_kernel():
            raise InvalidCapability
        try:
            return Memory(self._env, self.slot).map()
        except CapError:
            raise InvalidCapability from None
        except (OSError, ValueError):
            raise NotEnoughMemory from None

    def _is_run_by_the_kernel(self) -> bool:
        """Whether invoking the received capability asks the kernel, and not some stranger.

        Mapping is a Call on the capability. Were it an endpoint of the client's, the server would
        wait for the client's mercy, or map a name the client made up. Nothing tells a
        capability's type, but only endpoints and notifications take a badge, and only once: what
        can be minted twice in a row is neither.
        """
        first, second = self._trial
        cnode = self._env.cnode
        try:
            cnode.mint_slot(first, self.slot, 1)
            cnode.mint_slot(second, first, 1)
        except CapError:  # badged before, or revoked by its owner while it was looked at
            return False
        finally:
            for slot in self._trial:
                cnode.delete_slot(slot)
        return True
