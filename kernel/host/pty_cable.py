"""The cable of a `debug: true` PD: a PTY in place of a UART's socketpair.

The PD has the slave, a terminal that a debugger can read and write as any other; the line has the
master, which it treats as it treats a UART's cable. While the kernel keeps its copy of the slave
the cable stands; when that is closed and the PD has ended, reading the master fails, which is the
cable's end.
"""

import fcntl
import os
import struct
import termios


class Slave:
    """The PD's end, as the kernel keeps it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def fileno(self) -> int:
        """-1 once it is closed, as a socket says."""
        return self._descriptor

    def close(self) -> None:
        os.close(self._descriptor)
        self._descriptor = -1


class Master:
    """The line's end; its methods are those of a socket that a line uses."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def fileno(self) -> int:
        return self._descriptor

    def setblocking(self, flag: bool) -> None:
        os.set_blocking(self._descriptor, flag)

    def recv(self, size: int) -> bytes:
        """Raises BlockingIOError; OSError when the other end is gone."""
        return os.read(self._descriptor, size)

    def send(self, data: bytes, _flags: int = 0) -> int:
        return os.write(self._descriptor, data)

    def resize(self, rows: int, columns: int) -> None:
        """Tell the PD at the other end the size of its terminal, with SIGWINCH. Raises OSError."""
        size = struct.pack("HHHH", rows, columns, 0, 0)
        fcntl.ioctl(self._descriptor, termios.TIOCSWINSZ, size)

    def close(self) -> None:
        os.close(self._descriptor)


def open_pty() -> tuple[int, int]:
    """A new pair: the line's end and the PD's. It edits lines, as a terminal does by itself, but
    sends no signals: nobody's process group is in its foreground. Raises OSError."""
    master, slave = os.openpty()
    try:
        modes = termios.tcgetattr(slave)
        modes[3] &= ~termios.ISIG
        termios.tcsetattr(slave, termios.TCSANOW, modes)
    except (OSError, termios.error) as error:
        os.close(master)
        os.close(slave)
        raise OSError(f"a new PTY is no terminal: {error}") from error
    return master, slave
