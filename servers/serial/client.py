"""The client's side of the serial server: connect, print, read a line, part."""

from __future__ import annotations

from math import ceil
from threading import Lock
from typing import Self

from caplab.kernel.abi import PAGE_SIZE
from caplab.pd.errors import CapError, PeerDied, Revoked
from caplab.pd.objects import Endpoint, Memory
from caplab.pd.window import Window
from caplab.servers.serial import protocol
from caplab.servers.serial.errors import (
    IllegalOperation,
    InvalidArgument,
    NotConnected,
    NullBuffer,
    SerialError,
    TooLong,
)
from caplab.servers.serial.exchange import exchange, request
from caplab.servers.serial.protocol import PRINTF_MAX, TEXT_MAX, WINDOW_MAX, Function


class Serial:
    """A connection to a serial server (serial_client_context_t).

    Made by :meth:`connect`; a context manager that disconnects. Every method that talks to the
    server blocks until it answers and raises IpcTimeout when `timeout` seconds are over, PeerDied
    when the server died, Revoked when it was killed, SerialError for what it refuses. Threads of
    one PD may share a connection: each write is printed in one piece.
    """

    def __init__(self, endpoint: Endpoint, memory: Memory, window: Window) -> None:
        self.endpoint = endpoint
        self.prompt = ""
        """What :meth:`read_line` shows when the console becomes this client's."""
        self._memory = memory
        self._window = window
        self._connected = True
        self._writing = Lock()

    @classmethod
    def connect(
        cls, endpoint: Endpoint | None, pages: int = 1, *, timeout: float | None = None
    ) -> Self:
        """Share a window of `pages` pages with the server. serial_server_client_connect.

        The capability needs Write and Grant: the window's memory is sent along. Connecting again
        on a capability that is connected replaces the connection.

        Errors: InvalidArgument (no endpoint, no pages), NoSuchClient, ShmemTooLarge,
        InvalidCapability, NotEnoughMemory, IllegalOperation (no serial server answered)
        """
        if endpoint is None:
            raise InvalidArgument
        if pages < 1:
            request(endpoint, Function.CONNECT, 0, timeout=timeout)
            raise IllegalOperation
        memory = endpoint.env.memory(pages=pages)
        try:
            request(endpoint, Function.CONNECT, pages * PAGE_SIZE, caps=[memory], timeout=timeout)
            return cls(endpoint, memory, memory.map())
        except BaseException:
            _let_go(memory)
            raise

    @property
    def connected(self) -> bool:
        """False after `disconnect` and `kill`."""
        return self._connected

    def printf(self, fmt: str | None, *args: object, timeout: float | None = None) -> int:
        """Print `fmt % args`; the answer is the number of bytes printed. serial_server_printf.

        Errors: NullBuffer, TooLong (4096 bytes or more: nothing is sent), NotConnected, LineDown
        """
        if fmt is None:
            raise NullBuffer
        text = (fmt % args).encode()
        if len(text) > PRINTF_MAX:
            raise TooLong
        return self.write(text, timeout=timeout)

    def write(
        self,
        data: bytes | str | None,
        length: int | None = None,
        *,
        timeout: float | None = None,
    ) -> int:
        """Print `data`, or its first `length` bytes, in one piece. serial_server_write.

        Returns the number of bytes printed: they are on the console's line by then.

        Errors: NullBuffer, TooLong (over 4096 bytes, negative, or more than there are),
        NotConnected, LineDown
        """
        if data is None:
            raise NullBuffer
        text = data.encode() if isinstance(data, str) else bytes(data)
        if length is not None:
            if not 0 <= length <= len(text):
                raise TooLong
            text = text[:length]
        if len(text) > WINDOW_MAX:
            raise TooLong
        with self._writing:
            self._require()
            if not text:
                return 0
            self._window.write(0, text)
            return self._flush(len(text), timeout)

    def flush(self, length: int = 0, *, timeout: float | None = None) -> int:
        """Print what stands in the first `length` bytes of the window. serial_server_flush.

        Nothing is ever held back, so without a length there is nothing left to print.

        Errors: TooLong, NotConnected, LineDown
        """
        if not 0 <= length <= WINDOW_MAX:
            raise TooLong
        with self._writing:
            self._require()
            return self._flush(length, timeout) if length else 0

    def read_line(self, prompt: str | None = None, *, timeout: float | None = None) -> str | None:
        """Read a line that somebody types at the console; None at the end of the file (^D).

        The server shows `prompt` (of the attribute, if not given) when the line becomes this
        client's, and edits it as a terminal does. What is typed early is kept.

        Errors: IpcTimeout (what was typed stays for the next), TooLong (a prompt of over 936
        bytes), ReadReplaced, NotConnected, LineDown
        """
        self._require()
        shown = (self.prompt if prompt is None else prompt).encode()
        if len(shown) > TEXT_MAX:
            raise TooLong
        limit = 0 if timeout is None else max(0, ceil(timeout * 1000)) + 1
        message, words = exchange(
            self.endpoint,
            protocol.with_text(protocol.encode(Function.READ, len(shown), limit), shown),
            timeout=timeout,
        )
        if words.arg(1):
            return None
        return protocol.text_behind(message.data, 3)[: words.arg(0)].decode("utf-8", "replace")

    def disconnect(self, *, timeout: float | None = None) -> None:
        """Part from the server; the window is let go. serial_server_disconnect.

        The same capability may connect again. Nothing happens when there is no connection, or
        when the server is gone: then there is nothing to part from.

        Differs: there, the capability is refused from then on (-1), for its badge is free again
        """
        if not self._connected:
            return
        try:
            request(self.endpoint, Function.DISCONNECT, timeout=timeout)
        except (PeerDied, Revoked, NotConnected):
            pass  # gone already, which is what was asked for
        finally:
            self._release()

    def kill(self, *, timeout: float | None = None) -> None:
        """Kill the server: it drops every connection, stops listening and suspends itself.

        serial_server_kill. Whoever calls it afterwards gets Revoked.

        Errors: MayNotKill (the capability was minted so), NotConnected
        """
        self._require()
        request(self.endpoint, Function.KILL, timeout=timeout)
        self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        try:
            self.disconnect()
        except (CapError, SerialError):
            if kind is None:
                raise  # else the first error is the one to tell

    def _require(self) -> None:
        if not self._connected:
            raise NotConnected

    def _flush(self, length: int, timeout: float | None) -> int:
        return request(self.endpoint, Function.WRITE, length, timeout=timeout).arg(0)

    def _release(self) -> None:
        self._connected = False
        self._window.close()
        _let_go(self._memory)


def _let_go(memory: Memory) -> None:
    """Delete a window's capability; the kernel does it for a PD that is ending anyway."""
    try:
        memory.delete()
    except CapError:
        pass  # revoked meanwhile: gone is what was asked for
