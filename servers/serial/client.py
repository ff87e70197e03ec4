"""The client's side of the serial server: connect, print, read, part."""

from __future__ import annotations

from enum import Enum
from math import ceil, inf
from threading import Lock
from typing import NamedTuple, Self

from caplab.pd.env import Env
from caplab.pd.errors import CapError, OutOfUntyped, PeerDied, Revoked
from caplab.pd.objects import Endpoint, Memory
from caplab.servers.serial import protocol
from caplab.servers.serial.buffering import CALL, KINDS, Printing, let_go, printing
from caplab.servers.serial.errors import (
    IllegalOperation,
    InvalidArgument,
    NotConnected,
    NullBuffer,
    SerialError,
    TooLong,
)
from caplab.servers.serial.exchange import exchange, request
from caplab.servers.serial.protocol import (
    PRINTF_MAX,
    PROMPT_MAX,
    TEXT_MAX,
    WINDOW_MAX,
    End,
    Function,
    Mode,
    Owns,
)

RETRY = 0.05
"""Seconds between two tries to reach a server that is being restarted."""
LAST_WORDS = 1.0
"""Seconds that a program which ends has for what it has not flushed."""


class Event(Enum):
    """What a client that reads events is told besides input."""

    FOCUS_GAINED = End.FOCUS_GAINED
    FOCUS_LOST = End.FOCUS_LOST
    BREAK = End.BREAK
    RESIZED = End.RESIZED
    """The console's window has another size: `status` says which."""


class Status(NamedTuple):
    """How a client stands with its console."""

    uart: str
    owner: str
    """Who has the input; "" when nobody has."""
    focused: bool
    """It is this client."""
    may_focus: bool
    kept: int
    """Bytes of input that wait for this client."""
    dropped: int
    """Bytes of input of the console that were dropped since the server was started."""
    rows: int
    """Of the console's window, 0 when nobody has said."""
    columns: int


class Serial:
    """A connection to a serial server (serial_client_context_t).

    Made by :meth:`connect`; a context manager that disconnects. Every method that talks to the
    server blocks until it answers and raises IpcTimeout when `timeout` seconds are over, PeerDied
    when the server died, Revoked when it was killed, SerialError for what it refuses. Threads of
    one PD may share a connection: each write is printed in one piece.
    """

    def __init__(self, out: Printing, uart: str, named: bool) -> None:
        self.prompt = ""
        """What :meth:`read_line` shows when the console becomes this client's."""
        self._out = out
        self._uart, self._named = uart, named
        self._connected = True
        self._writing = Lock()

    @classmethod
    def connect(
        cls,
        endpoint: Endpoint | None,
        pages: int = 1,
        *,
        buffering: str | None = None,
        uart: str | None = None,
        timeout: float | None = None,
    ) -> Self:
        """Share a window with the server. serial_server_client_connect.

        The capability needs Write and Grant: the window's memory is sent along. Connecting again
        on a capability that is connected replaces the connection. `buffering` is "call",
        "write-back" or "ring"; if not said, what the manifest says (`console: {buffering: …}`), or
        "call". `uart` is the one of the server's UARTs that is meant; if not said, the one of the
        capability's name, or the first.

        Errors: InvalidArgument (no endpoint, no pages, no such buffering), NoSuchClient,
        ShmemTooLarge, InvalidCapability, NotEnoughMemory, NoSuchUart, IllegalOperation (no serial
        server answered)
        """
        if endpoint is None:
            raise InvalidArgument
        how = buffering or endpoint.env.console.get("buffering", CALL)
        if how not in KINDS:
            raise InvalidArgument(f"There is no buffering {how!r}; there are {', '.join(KINDS)}.")
        kind = printing(how)
        if pages < 1:
            request(endpoint, Function.CONNECT, 0, timeout=timeout)
            raise IllegalOperation
        memory = _memory(endpoint.env, pages, kind.pages)
        out: Printing | None = None
        try:
            out = kind(endpoint, memory)
            made = cls(out, endpoint.name if uart is None else uart, uart is not None)
            out.connect(made._uart, made._named, timeout)
        except BaseException:
            if out is not None:
                out.close()
            else:
                let_go(memory)
            raise
        endpoint.env.at_exit(made._at_exit)
        return made

    @property
    def endpoint(self) -> Endpoint:
        """The capability that the connection was made with."""
        return self._out.endpoint

    @property
    def connected(self) -> bool:
        """False after `disconnect` and `kill`."""
        return self._connected

    @property
    def unsent(self) -> int:
        """Bytes that were written and are not known to be printed: what `flush` is for."""
        return self._out.unsent if self._connected else 0

    # -- printing ------------------------------------------------------------------------------

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

        Returns the number of bytes printed: they are on the console's line by then; with another
        buffering than "call", that of bytes that are on their way, and lines are what stays whole.

        Errors: NullBuffer, TooLong (over 4096 bytes, negative, or more than there are),
        NotConnected, LineDown, BrokenRing
        """
        if data is None:
            raise NullBuffer
        text = data if isinstance(data, bytes) else _bytes(data)
        if length is not None:
            if not 0 <= length <= len(text):
                raise TooLong
            text = text[:length]
        if len(text) > WINDOW_MAX:
            raise TooLong
        with self._writing:
            self._require()
            return self._out.write(text, timeout) if text else 0

    def write_all(self, data: bytes | str, *, timeout: float | None = None) -> int:
        """Print text of any length, in pieces that end with a line where they can.

        `timeout` is for each piece. Errors: as write; what came before the error is printed
        """
        text = _bytes(data)
        at = 0
        while at < len(text):
            end = at + self._out.piece
            if end < len(text):
                end = text.rfind(b"\n", at, end) + 1 or end
            with self._writing:
                self._require()
                at += self._out.write(text[at:end], timeout)
        return len(text)

    def flush(self, length: int = 0, *, timeout: float | None = None) -> int:
        """Have all printed that was written; how many bytes that were. serial_server_flush.

        With a length, print what stands in the first bytes of the window, as the seed does.

        Errors: TooLong, NotConnected, LineDown, BrokenRing
        """
        if not 0 <= length <= WINDOW_MAX:
            raise TooLong
        with self._writing:
            self._require()
            waiting = self._out.unsent
            self._out.flush(timeout)
            if length:
                words = request(self.endpoint, Function.WRITE, length, timeout=timeout)
                return waiting + words.arg(0)
            return waiting

    # -- reading -------------------------------------------------------------------------------

    def read_line(
        self, prompt: str | None = None, *, echo: bool = True, timeout: float | None = None
    ) -> str | None:
        """Read a line that somebody types at the console; None at the end of the file (^D).

        The server shows `prompt` (of the attribute, if not given) when the input is this client's,
        and edits the line as a terminal does, with a history of its own. Without `echo` nothing is
        shown of it, later neither. What is typed early is kept, up to 4096 bytes.

        Errors: IpcTimeout (what was typed stays for the next read), TooLong (a prompt of over 928
        bytes), ReadReplaced, NotConnected, LineDown
        """
        shown = (self.prompt if prompt is None else prompt).encode()
        if len(shown) > PROMPT_MAX:
            raise TooLong(f"A prompt has at most {PROMPT_MAX} bytes, this one has {len(shown)}.")
        mode = Mode.LINE if echo else Mode.SILENT
        text, end = self._read(shown, mode, 0, timeout)
        return None if end is End.END_OF_FILE else text.decode("utf-8", "replace")

    def read(self, size: int = TEXT_MAX, *, timeout: float | None = None) -> bytes:
        """Read what is typed as it comes, 1 to `size` bytes, at most 936: no echo, no editing.

        Errors: IpcTimeout, ReadReplaced, NotConnected, LineDown
        """
        return self._read(b"", Mode.RAW, size, timeout)[0]

    def read_event(self, size: int = TEXT_MAX, *, timeout: float | None = None) -> bytes | Event:
        """As read; or what has become of the focus, or a break, as soon as it has happened.

        Errors: as read
        """
        text, end = self._read(b"", Mode.RAW | Mode.EVENTS, size, timeout)
        return text if end is End.DATA else Event(end)

    def _read(
        self, prompt: bytes, mode: Mode, size: int, timeout: float | None
    ) -> tuple[bytes, End]:
        self._require()
        if self._out.unsent:
            self.flush(timeout=timeout)
        limit = 0 if timeout in (None, inf) else max(0, ceil((timeout or 0) * 1000)) + 1
        most = min(max(size, 0), TEXT_MAX) << 8
        asked = protocol.encode(Function.READ, len(prompt), limit, mode | most)
        message, words = exchange(self.endpoint, protocol.with_text(asked, prompt), timeout=timeout)
        return protocol.text_behind(message.data, 3)[: words.arg(0)], End(words.arg(1))

    # -- whose the input is --------------------------------------------------------------------

    def focus(self, to: str | None = None, *, timeout: float | None = None) -> None:
        """Take the input, or give it to another client of this UART, by name.

        Errors: MayNotFocus (`console: {focus: true}` in the manifest), NotAClient, NotConnected
        """
        self._require()
        asked = protocol.encode(Function.FOCUS, 0)
        exchange(self.endpoint, protocol.with_text(asked, (to or "").encode()), timeout=timeout)

    def status(self, *, timeout: float | None = None) -> Status:
        """Who has the input, and what is kept of it. Errors: NotConnected"""
        self._require()
        message, words = exchange(self.endpoint, protocol.encode(Function.STATUS), timeout=timeout)
        uart, _, owner = protocol.text_behind(message.data, 6).decode().partition("\0")
        flags = Owns(words.arg(0))
        return Status(
            uart,
            owner,
            Owns.FOCUS in flags,
            Owns.MAY_FOCUS in flags,
            words.arg(1),
            *(words.arg(place) for place in range(2, 5)),
        )

    # -- parting -------------------------------------------------------------------------------

    def reconnect(self, *, timeout: float = 10.0) -> None:
        """Connect with the next generation of a server that has died, and print what was kept.

        The capability is looked up by its name again; tried for `timeout` seconds, for a server
        may wait before it is restarted. What stood in the buffer or the ring comes to the new
        server; the last window or share of it may have been printed before. What has been parted
        from is over: connect anew.

        Errors: PeerDied (no server came), Revoked (it was killed), NotConnected, and those of
        connect
        """
        self._require()
        env = self.endpoint.env
        end = env.now() + timeout
        with self._writing:
            while True:
                try:
                    if self.endpoint.name:
                        self._out.endpoint = env.endpoint(self.endpoint.name)
                    left = max(0.0, end - env.now())
                    self._out.connect(self._uart, self._named, left)
                    self._out.flush(max(0.0, end - env.now()))
                    break
                except PeerDied:  # not yet, or again
                    if env.now() + RETRY >= end:
                        raise
                env.sleep(RETRY)

    def disconnect(self, *, timeout: float | None = None) -> None:
        """Part from the server, all being printed; the window is let go. serial_server_disconnect.

        The same capability may connect again. Nothing happens when there is no connection, or
        when the server is gone: then there is nothing to part from. What could not be printed is
        an error all the same.

        Differs: there, the capability is refused from then on (-1), for its badge is free again
        """
        if not self._connected:
            return
        try:
            if self._out.unsent:
                self.flush(timeout=timeout)
            request(self.endpoint, Function.DISCONNECT, timeout=timeout)
        except (PeerDied, Revoked, NotConnected):
            if self._out.unsent:
                raise
        finally:
            self._release()

    def kill(self, *, timeout: float | None = None) -> None:
        """Kill the server: it drops every connection, stops listening and suspends itself.

        serial_server_kill. What was written is printed before. Whoever calls it afterwards gets
        Revoked.

        Errors: MayNotKill (the capability was minted so), NotConnected
        """
        self._require()
        self.flush(timeout=timeout)
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

    def _at_exit(self) -> None:
        """The program ends without parting."""
        if self._connected and self._out.unsent:
            self.flush(timeout=LAST_WORDS)

    def _release(self) -> None:
        self._connected = False
        self.endpoint.env.not_at_exit(self._at_exit)
        self._out.close()


def _bytes(data: bytes | str) -> bytes:
    return data.encode() if isinstance(data, str) else bytes(data)


def _memory(env: Env, least: int, best: int) -> Memory:
    """Of so many pages, as far as the PD's own untyped memory goes."""
    pages = max(least, best)
    while pages > least:
        try:
            return env.memory(pages=pages)
        except OutOfUntyped:
            pages //= 2
    return env.memory(pages=least)
