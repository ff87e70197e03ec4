"""A client of a line's console socket: what `caplab console`, `up` and `System.console` read."""

import re
import select
import socket
import time
from collections.abc import Iterator
from types import TracebackType
from typing import NamedTuple, Self

from caplab.kernel.host import console_wire
from caplab.kernel.host.console_wire import DATA, JSON, Decoder, Frame, FramingError

CHUNK = 64 * 1024
TAIL = 2000
"""Bytes of the console an unmet expectation quotes."""
Pattern = str | bytes | re.Pattern[bytes]


class ConsoleError(ConnectionError):
    """The line refused this client: `code` is ``full`` or ``protocol``."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class ConsoleEnded(EOFError):
    """The system went down before what was expected stood on the console."""


class ExpectTimeout(TimeoutError):
    """What was expected did not come in time; the message quotes what did."""


class Output(NamedTuple):
    """Bytes of the console, in order."""

    data: bytes


class Lost(NamedTuple):
    """Bytes missing between the output before and after: we read too slowly."""

    size: int


class InputLost(NamedTuple):
    """Bytes we sent that the driver did not take: it reads too slowly, or not at all."""

    size: int


Event = Output | Lost | InputLost


class Watcher:
    """An attached console. Any number may be attached; each sees everything.

    The scrollback comes first, then what is printed from then on. `lost` and `input_lost` count
    what a queue that was full has cost this client.

    Args:
        socket_path: the ``socket`` file in the UART's folder of a run directory.
        mode: ``console`` may send, ``watch`` only sees.
        scrollback: False to see nothing of the past.
        timeout: seconds for the line to answer, and for each `send`.

    Raises:
        ConsoleError: the line refused.
        OSError: there is no line (FileNotFoundError, ConnectionRefusedError, TimeoutError).
    """

    def __init__(
        self,
        socket_path: str,
        *,
        mode: str = "console",
        scrollback: bool = True,
        timeout: float = 5.0,
    ) -> None:
        self.mode = mode
        self.ended = False
        self.lost = 0
        self.input_lost = 0
        self._decoder = Decoder(console_wire.FROM_LINE)
        self._text = bytearray()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.settimeout(timeout)
            self._socket.connect(str(socket_path))
            self._introduce(scrollback)
            self.welcome = self._await_welcome(time.monotonic() + timeout)
        except BaseException:
            self._socket.close()
            raise

    @property
    def uart(self) -> str:
        return str(self.welcome["uart"])

    @property
    def tty(self) -> str | None:
        """The PTY's path, None when the line had to give it up."""
        tty = self.welcome["tty"]
        return None if tty is None else str(tty)

    def fileno(self) -> int:
        """For a selector: readable when `receive` has something new or the line ended."""
        return self._socket.fileno()

    def _introduce(self, scrollback: bool) -> None:
        hello = console_wire.encode_json({"mode": self.mode, "scrollback": scrollback})
        try:
            self._socket.sendall(hello)
        except ConnectionError:
            pass  # it parted before we said a word; why is still to be read

    def _await_welcome(self, end: float) -> dict[str, object]:
        while not self.ended:
            if not self._readable(end - time.monotonic()):
                raise TimeoutError("the line did not answer")
            for frame in self._arrived():
                if frame.kind != JSON:
                    raise FramingError("the line's first frame is not its welcome")
                return self._checked(frame.payload)
        raise ConsoleError("gone", "the line went away before it answered")

    def _readable(self, timeout: float | None) -> bool:
        waiting = select.poll()
        waiting.register(self._socket, select.POLLIN)
        return bool(waiting.poll(None if timeout is None else max(0.0, timeout) * 1000))

    def _arrived(self) -> Iterator[Frame]:
        """The frames that are here, those left over from the last time first."""
        data = b""
        if not self.ended and self._readable(0):
            try:
                data = self._socket.recv(CHUNK)
            except ConnectionResetError:
                pass  # the line went with input of ours unread
            self.ended = not data
        return self._decoder.feed(data)

    @staticmethod
    def _checked(payload: bytes) -> dict[str, object]:
        message = console_wire.decode_json(payload)
        error = message.get("error")
        if isinstance(error, dict):
            raise ConsoleError(str(error.get("code")), str(error.get("message")))
        return message

    def _event(self, frame: Frame) -> Event:
        if frame.kind == DATA:
            return Output(frame.payload)
        message = self._checked(frame.payload)
        match message:
            case {"lost": int(size)}:
                self.lost += size
                return Lost(size)
            case {"input_lost": int(size)}:
                self.input_lost += size
                return InputLost(size)
        raise FramingError(f"the line sent {message}")

    def receive(self) -> list[Event]:
        """What has arrived, without waiting. `ended` says whether more can come."""
        return [self._event(frame) for frame in self._arrived()]

    def read(self, timeout: float | None = None) -> bytes:
        """The next bytes of the console, b"" once the line has ended.

        Raises:
            TimeoutError: none came in `timeout` seconds.
        """
        end = None if timeout is None else time.monotonic() + timeout
        while not self._text:
            self._text += b"".join(
                event.data for event in self.receive() if isinstance(event, Output)
            )
            if self._text or self.ended:
                break
            if not self._readable(None if end is None else end - time.monotonic()):
                raise TimeoutError(f"{self.uart} printed nothing in {timeout} s")
        data = bytes(self._text)
        self._text.clear()
        return data

    def __iter__(self) -> Iterator[bytes]:
        """The console's bytes as they come, until the line ends."""
        while data := self.read():
            yield data

    def expect(self, pattern: Pattern, timeout: float = 10.0) -> re.Match[bytes]:
        """Wait until the console's unread output has a match, and read up to its end.

        Args:
            pattern: a regular expression; text is taken as UTF-8.

        Raises:
            ExpectTimeout, ConsoleEnded: it did not come. What did come stays unread.
        """
        wanted = re.compile(pattern.encode() if isinstance(pattern, str) else pattern)
        end = time.monotonic() + timeout
        seen = bytearray(self._read_within(0))
        while wanted.search(seen) is None:
            # Looked at here, since a console that never falls silent never runs out of time below.
            left = end - time.monotonic()
            more = self._read_within(left) if left > 0 else b""
            if not more:
                self._text[:0] = seen
                if self.ended:
                    raise ConsoleEnded(self._unmet(wanted, "before the system went down", seen))
                raise ExpectTimeout(self._unmet(wanted, f"in {timeout} s", seen))
            seen += more
        found = wanted.search(bytes(seen))
        assert found is not None
        self._text[:0] = seen[found.end() :]
        return found

    def _read_within(self, timeout: float) -> bytes:
        try:
            return self.read(timeout)
        except TimeoutError:
            return b""

    def _unmet(self, wanted: re.Pattern[bytes], when: str, seen: bytearray) -> str:
        came = bytes(seen[-TAIL:]).decode(errors="replace") or "nothing"
        return f"{self.uart} did not print {wanted.pattern!r} {when}; it printed:\n{came}"

    def send(self, data: bytes) -> None:
        """Type. Returns once the line has it; `input_lost` tells of what the driver did not take.

        Raises:
            ValueError: this client only watches.
            OSError: the line ended (BrokenPipeError) or is stopped (TimeoutError).
        """
        if self.mode != "console":
            raise ValueError("a client in mode watch cannot type")
        for start in range(0, len(data), console_wire.FROM_CLIENT):
            part = data[start : start + console_wire.FROM_CLIENT]
            self._socket.sendall(console_wire.encode(DATA, part))

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
