"""The client's side of printing: by calls, from a buffer of its own, or through a ring.

What a crash can lose, or print twice, is said with each class; `docs/seeds/002.md` has it in one
table. Each is used by one thread at a time: `Serial` has the lock.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator

from caplab.pd.errors import CapError
from caplab.pd.objects import Endpoint, Memory, Notification
from caplab.pd.ring import RingBroken, RingWriter, clear
from caplab.pd.window import Window
from caplab.servers.serial import protocol
from caplab.servers.serial.errors import BrokenRing
from caplab.servers.serial.exchange import exchange, request
from caplab.servers.serial.protocol import (
    RING_PAGES,
    WINDOW_MAX,
    Function,
    Option,
)

NAPS = (0.0001, 0.0001, 0.0002, 0.0004, 0.0008, 0.0016)
"""Seconds between looks at a ring that gets no emptier, before the server is asked."""
CALL, WRITE_BACK, RING = "call", "write-back", "ring"
KINDS = (CALL, WRITE_BACK, RING)


class Printing(ABC):
    """How text gets from a client to the server."""

    pages = 1
    """Of the window, where there is memory for them."""
    options = Option(0)
    piece = WINDOW_MAX
    """Bytes of a long text that are best written at once."""

    def __init__(self, endpoint: Endpoint, memory: Memory) -> None:
        self.endpoint = endpoint
        self.memory = memory
        self.window: Window = memory.map()

    def connect(self, uart: str, named: bool, timeout: float | None) -> None:
        """Share the window with the server. Errors: of Serial.connect."""
        options = self.options | (Option.UART if named else Option(0))
        words = protocol.encode(Function.CONNECT, self.memory.size, options)
        exchange(self.endpoint, protocol.with_text(words, uart.encode()), [self.memory], timeout)

    @abstractmethod
    def write(self, text: bytes, timeout: float | None) -> int:
        """Print text of at most `piece` bytes; how many bytes are on their way, all of them."""

    @abstractmethod
    def flush(self, timeout: float | None) -> None:
        """Have all that was written printed."""

    @property
    @abstractmethod
    def unsent(self) -> int:
        """Bytes that were written and not printed yet."""

    def close(self) -> None:
        """Let go of the window, and of what is not printed."""
        self.window.close()
        let_go(self.memory)


class ByCall(Printing):
    """Each write is a call, and printed when it returns. What a write has not answered for is in
    doubt when the server dies (DIED_AFTER_RECV), or was not printed (DIED_BEFORE_RECV)."""

    def write(self, text: bytes, timeout: float | None) -> int:
        self.window.write(0, text)
        return request(self.endpoint, Function.WRITE, len(text), timeout=timeout).arg(0)

    def flush(self, timeout: float | None) -> None:
        pass  # nothing is ever held back

    @property
    def unsent(self) -> int:
        return 0


class WriteBack(ByCall):
    """Text waits in the client until a window is full or it says flush. A client that dies loses
    it; a server that dies loses nothing, and may have printed the last window already."""

    def __init__(self, endpoint: Endpoint, memory: Memory) -> None:
        super().__init__(endpoint, memory)
        self._waiting = bytearray()

    def write(self, text: bytes, timeout: float | None) -> int:
        while self._waiting and len(self._waiting) + len(text) > WINDOW_MAX:
            self._send(self._waiting.rfind(b"\n") + 1 or len(self._waiting), timeout)
        self._waiting += text
        return len(text)

    def flush(self, timeout: float | None) -> None:
        if self._waiting:
            self._send(len(self._waiting), timeout)

    @property
    def unsent(self) -> int:
        return len(self._waiting)

    def _send(self, length: int, timeout: float | None) -> None:
        super().write(bytes(self._waiting[:length]), timeout)
        del self._waiting[:length]  # only now: the server has answered for it


class ByRing(Printing):
    """Text goes through memory that the server reads; a call is needed only when it is full. A
    client that dies loses nothing of what it has written; a server that dies loses nothing, and
    may have printed the last share of it already. Each write goes straight into the client's own
    pages: were they destroyed meanwhile it would fault, as on a board."""

    pages = RING_PAGES
    options = Option.RING
    piece = 64 * 1024

    def __init__(self, endpoint: Endpoint, memory: Memory) -> None:
        super().__init__(endpoint, memory)
        pages = self.window.mapping()
        clear(pages)
        self._ring = RingWriter(pages)
        self._bell: Notification | None = None
        self._last = b""
        """What was written last."""

    def connect(self, uart: str, named: bool, timeout: float | None) -> None:
        self._forget_bell()
        options = self.options | (Option.UART if named else Option(0))
        words = protocol.encode(Function.CONNECT, self.memory.size, options)
        env = self.endpoint.env
        slot = env.slots.alloc()
        try:
            message, _ = exchange(
                self.endpoint,
                protocol.with_text(words, uart.encode()),
                [self.memory],
                timeout,
                slot,
            )
            assert message.slots == (slot,), "the server sends its bell"
        except BaseException:
            env.slots.free(slot)
            raise
        self._bell = env.cap(Notification, slot)

    def write(self, text: bytes, timeout: float | None) -> int:
        self._last = text
        sent = self._write(text)
        if sent < len(text):
            self._write_rest(text[sent:], timeout)
        return len(text)

    def _write_rest(self, text: bytes, timeout: float | None) -> None:
        """The ring is full."""
        looks = iter(NAPS)
        while text:
            self._wait(looks, 0, timeout)
            if sent := self._write(text):
                text, looks = text[sent:], iter(NAPS)

    def flush(self, timeout: float | None) -> None:
        # What ends a line is printed anyway; else it has to be asked for.
        naps = NAPS if self._last.endswith(b"\n") else ()
        left, looks = self.unsent, iter(naps)
        while left:
            self._wait(looks, 1, timeout)
            before, left = left, self.unsent
            looks = iter(naps) if left < before else looks

    @property
    def unsent(self) -> int:
        try:
            return self._ring.unread()
        except RingBroken as broken:
            raise BrokenRing(str(broken)) from None

    def close(self) -> None:
        self._forget_bell()
        super().close()

    def _write(self, text: bytes) -> int:
        try:
            sent = self._ring.write(text)
            if sent and self._ring.must_signal() and self._bell is not None:
                self._bell.signal()
        except RingBroken as broken:
            raise BrokenRing(str(broken)) from None
        return sent

    def _wait(self, looks: Iterator[float], everything: int, timeout: float | None) -> None:
        """For the server, which empties the ring."""
        nap = next(looks, 0.0)
        if nap:
            time.sleep(nap)  # a call, or a signal for each share, costs both more
        else:
            self._sync(everything, timeout)

    def _sync(self, everything: int, timeout: float | None) -> None:
        request(self.endpoint, Function.SYNC, everything, timeout=timeout)

    def _forget_bell(self) -> None:
        if self._bell is not None:
            let_go(self._bell)
            self._bell = None


def let_go(cap: Memory | Notification) -> None:
    """Delete a capability; the kernel does it for a PD that is ending anyway."""
    try:
        cap.delete()
    except CapError:
        pass  # revoked meanwhile: gone is what was asked for


def printing(kind: str) -> type[Printing]:
    """The class of a buffering by its name in the manifest."""
    return {CALL: ByCall, WRITE_BACK: WriteBack, RING: ByRing}[kind]
