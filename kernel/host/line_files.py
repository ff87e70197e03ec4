"""What a line keeps in its folder: ``console.log``, ``tty`` and ``socket``.

The log outlives the line, for whoever removes the run directory; the link and the socket go
with it, and only if they are still its own.
"""

import os
import socket
from pathlib import Path

from caplab.kernel.host.console_log import ConsoleLog


class LineFiles:
    """The files of one line, made when it starts and removed by `close`.

    Args:
        folder: made if it is not there; its owner alone may enter.
        tty: the PTY's path, where the link leads.

    Raises:
        OSError: a file could not be made; none is left.
    """

    def __init__(self, folder: Path, tty: str) -> None:
        self._tty = tty
        self._link = folder / "tty"
        self._address = folder / "socket"
        self._bound: tuple[int, int] | None = None
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.log = ConsoleLog(folder)
        self.door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._make_link()
            self._listen()
        except OSError:
            self.close()
            raise

    @property
    def address(self) -> str:
        """Where console clients connect."""
        return str(self._address)

    def _make_link(self) -> None:
        """In one step: a link that is missing or stale for a moment would open a stranger's
        terminal, for Linux gives the numbers out again."""
        fresh = self._link.with_name(".tty.new")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(self._tty)
        fresh.replace(self._link)

    def _listen(self) -> None:
        self._address.unlink(missing_ok=True)
        self.door.bind(self.address)
        self._address.chmod(0o600)
        self._bound = self._identity()
        self.door.listen()
        self.door.setblocking(False)

    def _identity(self) -> tuple[int, int] | None:
        try:
            found = self._address.lstat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino

    def remove_link(self) -> None:
        try:
            if os.readlink(self._link) == self._tty:
                self._link.unlink()
        except FileNotFoundError:
            pass  # somebody removed the run directory meanwhile

    def close_door(self) -> None:
        """Let nobody in any more."""
        self.door.close()
        if self._bound is not None and self._identity() == self._bound:
            self._address.unlink()
        self._bound = None

    def close(self) -> None:
        self.close_door()
        self.remove_link()
        self.log.close()
