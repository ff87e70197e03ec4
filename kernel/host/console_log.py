"""`console.log`: every byte of a console, in order, in files of a size that no disk minds."""

import os
from contextlib import suppress
from pathlib import Path

LOG_MAX = 4 << 20
"""Bytes of a file; the next byte begins a new one."""
OLD_MAX = 3
"""Full files that are kept, `console.log.1` the newest: 16 MiB a UART with the one in use."""


class ConsoleLog:
    """The log of one UART, whose folder somebody else removes.

    The files, oldest first, are the console's last bytes without a gap, but for what a full disk
    has refused: its place is marked by a line, and `unlogged` counts it. Nothing here raises
    OSError but the start.
    """

    def __init__(self, folder: Path, limit: int = LOG_MAX) -> None:
        self.path = folder / "console.log"
        self.unlogged = 0
        """Bytes the disk has refused."""
        self._limit = limit
        self._gap = 0
        self._file = self._opened(self.path)
        self._size = os.fstat(self._file).st_size

    def add(self, data: bytes) -> None:
        rest = memoryview(data)
        if self._gap and not self._mark_gap():
            self._miss(len(rest))
            return
        while rest:
            if self._size >= self._limit:
                self._rotate()
            room = max(1, self._limit - self._size)
            done = self._write(rest[:room])
            if done == 0:
                self._miss(len(rest))
                return
            rest = rest[done:]

    def close(self) -> None:
        os.close(self._file)

    def _write(self, data: memoryview | bytes) -> int:
        """How many bytes the disk took."""
        try:
            done = os.write(self._file, data)
        except OSError:
            return 0
        self._size += done
        return done

    def _miss(self, count: int) -> None:
        self._gap += count
        self.unlogged += count

    def _mark_gap(self) -> bool:
        """Say what is missing, where it is missing, once there is room again."""
        note = b"\n[caplab: %d bytes are missing here, the disk was full]\n" % self._gap
        done = self._write(note)
        if 0 < done < len(note):  # full again: no half a note
            os.ftruncate(self._file, os.fstat(self._file).st_size - done)
            self._size -= done
        if done == len(note):
            self._gap = 0
        return self._gap == 0

    def _rotate(self) -> None:
        """Begin a new file, with `console.log` there at every moment; if that fails it grows on."""
        fresh = self.path.with_name(".console.log.new")
        try:
            following = self._opened(fresh)
        except OSError:
            self._size = 0  # asked again when as much has been written
            return
        try:
            for number in range(OLD_MAX - 1, 0, -1):
                if self._old(number).exists():
                    self._old(number).replace(self._old(number + 1))
            self._old(1).unlink(missing_ok=True)
            with suppress(FileNotFoundError):  # somebody has removed it
                os.link(self.path, self._old(1))
            fresh.replace(self.path)
        except OSError:
            os.close(following)
            fresh.unlink(missing_ok=True)
            self._size = 0
            return
        os.close(self._file)
        self._file, self._size = following, 0

    def _old(self, number: int) -> Path:
        return self.path.with_name(f"console.log.{number}")

    @staticmethod
    def _opened(path: Path) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        return os.open(path, flags, 0o600)
