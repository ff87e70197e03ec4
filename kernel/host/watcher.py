"""A client of a line's console socket: what `caplab console`, `up` and `System.console` read."""

import re
import select
import socket
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

from caplab.kernel.host import console_wire
from caplab.kernel.host.console_events import (
    ConsoleEnded,
    ConsoleError,
    Event,
    ExpectTimeout,
    InputLost,
    Lost,
    Output,
    Synced,
    Writer,
)
from caplab.kernel.host.console_wire import DATA, JSON, Decoder, Frame, FramingError
from caplab.kernel.host.seat import Size

__all__ = [
    "ConsoleEnded",
    "ConsoleError",
    "Event",
    "ExpectTimeout",
    "InputLost",
    "Lost",
    "Output",
    "Pattern",
    "Synced",
    "Watcher",
    "Writer",
]

CHUNK = 64 * 1024
TAIL = 2000
"""Bytes of the console an unmet expectation quotes."""
UNMATCHED_MAX = 4 << 20
"""Bytes an expectation looks back at: a console that is never quiet does not fill our memory."""
POLL_MAX = 2_000_000.0
"""Seconds that poll can be told to wait, about; whoever waits longer waits for ever."""
Pattern = str | bytes | re.Pattern[bytes]


Clean = Callable[[bytes], bytes]


class Watcher:
    """An attached console. Any number may be attached; each sees everything.

    The scrollback comes first, then what is printed from then on. `lost` and `input_lost` count
    what a queue that was full has cost this client.

    Args:
        socket_path: the ``socket`` file in the UART's folder of a run directory.
        mode: ``watch`` only sees; ``console`` types while it has the keyboard, which one console
            has at a time; ``script`` types whoever has it.
        scrollback: False to see nothing of the past.
        timeout: seconds for the line to answer, and for `send` to get no further.
        take: have the keyboard, whoever has it now (mode ``console``).
        who: what others are told when we have it.
        size: rows and columns of our window.
        clean: what each piece of output goes through, as one stream, before anybody sees it.

    Raises:
        ConsoleError: the line refused.
        OSError: there is no line (FileNotFoundError, ConnectionRefusedError, TimeoutError).
    """

    def __init__(
        self,
        socket_path: str,
        *,
        mode: str = "script",
        scrollback: bool = True,
        timeout: float = 5.0,
        take: bool = False,
        who: str = "",
        size: Size | None = None,
        clean: Clean = bytes,
    ) -> None:
        self.mode = mode
        self.ended = False
        self.lost = 0
        self.input_lost = 0
        self.writing = False
        """Whether what we send is typed."""
        self.writer: str | None = None
        """Which console has the keyboard."""
        self._timeout = timeout
        self._clean = clean
        self._decoder = Decoder(console_wire.FROM_LINE)
        self._events: list[Event] = []
        self._seen = 0
        self._unsent = bytearray()
        self._statuses: list[dict[str, object]] = []
        self._syncs = 0
        self._text = bytearray()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.settimeout(timeout)
            self._socket.connect(str(socket_path))
            self._introduce(scrollback=scrollback, take=take, who=who, size=size)
            self.welcome = self._await_welcome(time.monotonic() + timeout)
            self._told_writer(self.welcome)
            self._await_past(time.monotonic() + timeout)
            self._socket.setblocking(False)  # with a time limit of its own `send` would wait
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

    def _introduce(self, **wants: object) -> None:
        hello = {"mode": self.mode, **{name: value for name, value in wants.items() if value}}
        hello["scrollback"] = wants["scrollback"]
        try:
            self._socket.sendall(console_wire.encode_json(hello))
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

    def _await_past(self, end: float) -> None:
        """Until the scrollback is here: it belongs to what can be had without waiting."""
        past = self.welcome.get("scrollback", 0)
        while isinstance(past, int) and self._seen < past and not self.ended:
            self._gather()  # some of it came together with the welcome
            if self._seen < past and not self._readable(end - time.monotonic()):
                raise TimeoutError("the line did not finish its scrollback")

    def _readable(self, timeout: float | None) -> bool:
        waiting = select.poll()
        waiting.register(self._socket, select.POLLIN)
        limit = None if timeout is None or timeout > POLL_MAX else max(0.0, timeout) * 1000
        return bool(waiting.poll(limit))

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

    def _event(self, frame: Frame) -> Event | None:
        if frame.kind == DATA:
            self._seen += len(frame.payload)
            return Output(self._clean(frame.payload))
        message = self._checked(frame.payload)
        match message:
            case {"lost": int(size)}:
                self.lost += size
                return Lost(size)
            case {"input_lost": int(size)}:
                self.input_lost += size
                return InputLost(size)
            case {"writer": _, "you": bool()}:
                return self._told_writer(message)
            case {"status": dict(status)}:
                self._statuses.append(status)
                return None
            case {"synced": int(number)}:
                return Synced(number)
        raise FramingError(f"the line sent {message}")

    def _told_writer(self, message: dict[str, object]) -> Writer:
        who = message.get("writer")
        self.writer = None if who is None else str(who)
        self.writing = bool(message.get("you"))
        return Writer(self.writer, self.writing)

    def _gather(self) -> None:
        """Keep what has arrived for `receive`."""
        for frame in self._arrived():
            event = self._event(frame)
            if event is not None:
                self._events.append(event)

    def receive(self) -> list[Event]:
        """What has arrived, without waiting. `ended` says whether more can come."""
        self._gather()
        events, self._events = self._events, []
        return events

    def read(self, timeout: float | None = None) -> bytes:
        """The next bytes of the console, b"" once the line has ended.

        Raises:
            TimeoutError: none came in `timeout` seconds.
        """
        end = None if timeout is None else time.monotonic() + timeout
        while not self._text:
            came = [event.data for event in self.receive() if isinstance(event, Output)]
            if data := b"".join(came):
                return data
            if self.ended:
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

        Of more than 4 MiB without a match only the last 4 MiB count.

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
                came = bytes(seen[-TAIL:])
                if self.ended:
                    why = self._unmet(wanted, "before the system went down", came)
                    raise ConsoleEnded(why, came)
                raise ExpectTimeout(self._unmet(wanted, f"in {timeout} s", came), came)
            seen += more
            del seen[:-UNMATCHED_MAX]
        found = wanted.search(bytes(seen))
        assert found is not None
        self._text[:0] = seen[found.end() :]
        return found

    def _read_within(self, timeout: float) -> bytes:
        try:
            return self.read(timeout)
        except TimeoutError:
            return b""

    def _unmet(self, wanted: re.Pattern[bytes], when: str, came: bytes) -> str:
        quoted = came.decode(errors="replace") or "nothing"
        return f"{self.uart} did not print {wanted.pattern!r} {when}; it printed:\n{quoted}"

    # What is typed.

    @property
    def unsent(self) -> int:
        """Bytes that `post` has yet to hand over."""
        return len(self._unsent)

    def post(self, data: bytes) -> None:
        """Type without waiting: what the line does not take now goes with the next `pump`.

        Raises:
            ValueError: this client only watches.
            OSError: the line has ended (BrokenPipeError).
        """
        if self.mode == "watch":
            raise ValueError("a client in mode watch cannot type")
        for start in range(0, len(data), console_wire.FROM_CLIENT):
            part = data[start : start + console_wire.FROM_CLIENT]
            self._unsent += console_wire.encode(DATA, part)
        self.pump()

    def pump(self) -> None:
        """Hand over what waits, as much as the line takes now. Raises OSError: it has ended."""
        while self._unsent:
            try:
                sent = self._socket.send(bytes(self._unsent[:CHUNK]), socket.MSG_NOSIGNAL)
            except BlockingIOError:
                return
            del self._unsent[:sent]

    def send(self, data: bytes) -> None:
        """Type. Returns once the line has it; `input_lost` tells of what the driver did not take.

        A driver that reads slowly is waited for, as long as it reads; what the console prints
        meanwhile is kept for `receive`.

        Raises:
            ValueError: this client only watches.
            OSError: the line ended (BrokenPipeError) or is stopped (TimeoutError).
        """
        self.post(data)
        self._flush()

    def _flush(self) -> None:
        waiting = select.poll()
        waiting.register(self._socket, select.POLLIN | select.POLLOUT)
        while left := len(self._unsent):
            ready = waiting.poll(self._timeout * 1000)
            if not ready:
                raise TimeoutError(f"{self.uart} has not taken {left} bytes of input")
            if ready[0][1] & ~select.POLLOUT:
                self._gather()
            self.pump()

    def _say(self, **message: object) -> None:
        self._unsent += console_wire.encode_json(message)
        self.pump()

    def take(self) -> None:
        """Have the keyboard, whoever has it now; a `Writer` says when. In mode ``console``."""
        self._say(take=True)

    def resize(self, size: Size) -> None:
        """Our window has so many rows and columns now. In mode ``console``."""
        self._say(size=size)

    def send_break(self) -> None:
        """Send a break, behind what has been typed. Only while `writing`."""
        self._say(**{"break": True})

    def sync(self) -> int:
        """Ask, without waiting, to be told when all is here that has been printed so far.

        Returns a number; a `Synced` of it, or of a later one, says so.
        """
        self._syncs += 1
        self._say(sync=self._syncs)
        return self._syncs

    def status(self) -> dict[str, object]:
        """What the line says of itself (`console_wire`), once it has taken all that was typed.

        Raises:
            OSError: the line ended (BrokenPipeError) or does not answer (TimeoutError).
        """
        self._statuses.clear()
        self._say(ask="status")
        self._flush()
        while not self._statuses:
            if self.ended:
                raise BrokenPipeError(f"the line of {self.uart} has ended")
            if not self._readable(self._timeout):
                raise TimeoutError(f"the line of {self.uart} does not answer")
            self._gather()
        return self._statuses.pop()

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
