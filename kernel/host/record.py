"""The event log of `--record`, and its replay.

Everything that ever happened to a kernel, so that it can happen again. A log is a line of text,
then records: a length (u32, little-endian) and so many bytes of msgpack. The first record is a map
(`format`, `abi`, `spec`: the boot specification). Then arrays: `[kind, fields…]` for an event,
where `kind` is its place in `EVENT_TYPES`; `[CHECK, n, hash]` for the kernel's state hash after n
events; `[END, n, hash]` last. A log that was cut off is good up to its last whole record.
"""

import sys
import time
from collections.abc import Callable, Iterator
from io import FileIO
from pathlib import Path
from struct import Struct
from typing import Any, NamedTuple, Protocol, TypeVar

import msgpack

from caplab.kernel.abi import VERSION
from caplab.kernel.core.effects import Effect
from caplab.kernel.core.events import EVENT_TYPES, Event

MAGIC = b"caplab event log\n"
FORMAT = 1
CHECK, END = -1, -2
LENGTH = Struct("<I")
_length = LENGTH.pack
RECORD_MAX = 16 * 1024 * 1024
BUFFER = 64 * 1024
IDLE = 50_000_000
"""Nanoseconds without an event after which the log is written out and the state hashed."""
SHARE = 50
"""A hash is taken only when so many times its cost has passed since the last."""
EVENTS_MAX = 65536
"""Events after which a state that is never idle is hashed all the same."""


class LogError(ValueError):
    """This is no log, or it is damaged; the message says where."""


class Recorded(Protocol):
    """What is recorded: a kernel."""

    def step(self, event: Event, /) -> list[Effect]: ...
    def state_hash(self) -> str: ...


class Recorder:
    """Writes each event before the kernel sees it, so that the one that kills it is in the log.

    If the disk fills up the recording ends and says so; the system runs on.

    `patience` is how long `rest` may be put off while events happen, in nanoseconds.

    Raises OSError: the log cannot be made.
    """

    patience = IDLE

    def __init__(self, path: Path, kernel: Recorded, spec: dict[str, Any]) -> None:
        self.events = 0
        self._kernel = kernel
        self._path = path
        self._kinds = {kind: number for number, kind in enumerate(EVENT_TYPES)}
        # One for all records: making it costs as much as what it packs.
        self._pack = msgpack.Packer().pack
        self._last = 0
        self._rested = 0
        """Events when it was idle last."""
        self._checked = 0
        self._next_check = 0
        self._unwritten = bytearray(MAGIC)
        # As long as the kernel lives. Unbuffered: closing a buffered file writes, and may fail.
        self._log: FileIO | None = open(path, "wb", buffering=0)  # noqa: SIM115
        self._write({"format": FORMAT, "abi": VERSION, "spec": spec})
        try:
            self._write_out()
        except OSError:
            self._log.close()
            raise

    def step(self, event: Event) -> list[Effect]:
        """In place of the kernel's own."""
        self._last = now = event[0]
        if self.events - self._checked >= EVENTS_MAX:
            self._check(now)
        self._write((self._kinds[type(event)], *event))
        self.events += 1
        return self._kernel.step(event)

    def rest(self, now: int) -> int | None:
        """When nothing has happened for a while: hash, and write out."""
        if self._rested == self.events:
            return None
        wait = self._last + IDLE - now
        if wait > 0:
            return wait
        self._check(now)
        self._flush()
        self._rested = self.events
        return None

    def close(self) -> None:
        """The end: the last hash says that nothing is missing."""
        self._write([END, self.events, self._kernel.state_hash()])
        self.abandon()

    def abandon(self) -> None:
        """Keep what there is, without a last hash: the kernel is not to be asked any more."""
        self._flush()
        if self._log is not None:
            self._log.close()
            self._log = None

    def _check(self, now: int) -> None:
        if now < self._next_check or self._checked == self.events:
            return
        began = time.monotonic_ns()
        self._write([CHECK, self.events, self._kernel.state_hash()])
        self._checked = self.events
        self._next_check = now + SHARE * (time.monotonic_ns() - began)

    def _write(self, record: Any) -> None:
        if self._log is not None:
            data = self._pack(record)
            unwritten = self._unwritten
            unwritten += _length(len(data))
            unwritten += data
            if len(unwritten) >= BUFFER:
                self._flush()

    def _flush(self) -> None:
        try:
            self._write_out()
        except OSError as error:
            print(f"kernel: the recording to {self._path} ends here: {error}", file=sys.stderr)
            assert self._log is not None
            self._log.close()
            self._log = None

    def _write_out(self) -> None:
        while self._log is not None and self._unwritten:
            del self._unwritten[: self._log.write(self._unwritten)]


class Check(NamedTuple):
    """A state hash in the log, and what the replay makes of it."""

    event: int
    """After so many events."""
    recorded: str
    replayed: str
    last: bool
    """Whether this is the end of a log that was not cut off."""

    @property
    def agrees(self) -> bool:
        return self.recorded == self.replayed


class Log:
    """A log that is there to be read. Raises LogError, OSError."""

    def __init__(self, path: Path) -> None:
        self._path = path
        records = self._records()
        header = next(records, None)
        if not isinstance(header, dict) or header.get("format") != FORMAT:
            raise LogError(f"{path}: not a log of this format ({FORMAT})")
        if not isinstance(header.get("spec"), dict):
            raise LogError(f"{path}: it does not say of which system it is")
        if header.get("abi") != VERSION:
            raise LogError(f"{path}: recorded under ABI {header.get('abi')}, this is {VERSION}")
        self.spec: dict[str, Any] = header["spec"]

    def __iter__(self) -> Iterator[Event | Check]:
        """The events, and the hashes between them (with nothing replayed yet)."""
        records = self._records()
        next(records)
        for record in records:
            try:
                kind, *fields = record
                if kind in (CHECK, END):
                    events, state = fields
                    yield Check(events, state, "", kind == END)
                else:
                    yield EVENT_TYPES[kind](*fields)
            except (TypeError, ValueError, IndexError) as error:
                raise LogError(f"{self._path}: a record nobody wrote: {error}") from None

    def _records(self) -> Iterator[Any]:
        with open(self._path, "rb") as log:
            if log.read(len(MAGIC)) != MAGIC:
                raise LogError(f"{self._path}: not an event log")
            while True:
                place = log.tell()
                head = log.read(LENGTH.size)
                if len(head) < LENGTH.size:
                    return
                (length,) = LENGTH.unpack(head)
                if length > RECORD_MAX:
                    raise LogError(f"{self._path}: byte {place}: a record of {length} bytes")
                data = log.read(length)
                if len(data) < length:
                    return
                try:
                    yield msgpack.unpackb(data)
                except (ValueError, msgpack.UnpackException):
                    raise LogError(f"{self._path}: byte {place}: no msgpack") from None


K = TypeVar("K", bound=Recorded)


def replay(log: Log, make: Callable[[], K], until: int | None = None) -> tuple[K, list[Check]]:
    """Let a new kernel live through a log, up to `until` events of it.

    Returns the kernel as it is then, and every state hash on the way.
    """
    kernel = make()
    events = 0
    checks = []
    for record in log:
        if isinstance(record, Check):
            if record.event != events:
                raise LogError(f"a hash after {record.event} events stands after {events}")
            checks.append(record._replace(replayed=kernel.state_hash()))
        elif events == until:
            break
        else:
            kernel.step(record)
            events += 1
    return kernel, checks
