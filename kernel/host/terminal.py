"""The PTY at the end of a line, for picocom, miniterm and pyserial.

A serial cable holds nothing for a terminal that is not plugged in. Linux would: what is written
to a PTY's master while nobody has the slave open waits, up to 20,736 bytes, and the next program
to open it finds minutes-old output with a hole after it. So bytes are written only while
somebody else has the slave open, and dropped and counted otherwise. A program gets every byte
that was printed after its ``open`` returned; what came before is the scrollback's matter.

Whether somebody has it open is asked of Linux, exactly, before each chunk: the slave we hold is
let go, the master shows POLLHUP if nobody else holds it, the slave is taken again (6 us in all).
inotify would merge two opens into one event, and a count that is wrong once starves a reader.

Programs may do to it what they do to a serial port: set its modes and its speed, lock others out,
hang it up, go away in the middle. One mode is taken back at once, echo: with it Linux would hand
all we print to us as if it had been typed.
"""

import errno
import fcntl
import os
import select
import struct
import termios
import tty

from caplab.kernel.host.backlog import Backlog

CHUNK = 64 * 1024
ROOM = 16 * 1024
"""Bytes to offer at once: a PTY takes little more."""
BACKLOG = 1 << 20
"""Beyond what Linux itself keeps: lets a reader in Python stay whole through a burst."""

LFLAG = 3
"""Where `tcgetattr` has the local modes."""
ECHOES = termios.ECHO | termios.ECHONL

TIOCGPTPEER = 0x5441  # Linux 4.13, the same number on x86-64 and aarch64
SLAVE = os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC


class Terminal:
    """A raw PTY pair whose slave is held open, so that the master never sees EIO.

    Nothing here blocks. ``fileno()`` is the master: readable when somebody typed, writable when
    a reader that was behind has made room (worth asking only while ``behind``).
    """

    def __init__(self) -> None:
        self._master, self._slave = os.openpty()  # neither end is inherited; O_NOCTTY within
        self.path = os.ttyname(self._slave)
        tty.setraw(self._slave)
        self._raw = termios.tcgetattr(self._slave)
        os.set_blocking(self._master, False)
        self._hangup = select.poll()
        self._hangup.register(self._master, 0)  # POLLHUP comes unasked
        self._backlog = Backlog(BACKLOG)
        self._attended = False
        self.behind_dropped = 0
        """Of the bytes dropped, those for which there was a reader, too slow for them."""

    def fileno(self) -> int:
        return self._master

    @property
    def dropped(self) -> int:
        """Bytes that no reader of the PTY got from us."""
        return self._backlog.dropped

    @property
    def behind(self) -> bool:
        return len(self._backlog) > 0

    def attended(self) -> bool:
        """Whether anybody but us has the slave open at this moment.

        Raises:
            OSError: the slave cannot be taken again; the PTY is of no more use.
        """
        self._let_go()
        alone = any(events & select.POLLHUP for _, events in self._hangup.poll(0))
        try:
            self._slave = fcntl.ioctl(self._master, TIOCGPTPEER, SLAVE)
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
            # Locked out in the moment between; whoever did that has it open. Next time, then.
            alone = False
        if alone and self._attended:
            self._hung_up()
        self._attended = not alone
        return self._attended

    def _let_go(self) -> None:
        """Close the slave, without which nobody could be missed."""
        if self._slave < 0:
            return
        # An exclusive mode left by a program like screen would lock us out as well.
        fcntl.ioctl(self._slave, termios.TIOCNXCL)
        os.close(self._slave)
        self._slave = -1

    def _hung_up(self) -> None:
        """The last reader left: what it did not take, and its settings, are not the next one's.

        Echo above all: with it on, all we print would come back as typed input.
        """
        self._backlog.abandon()
        termios.tcflush(self._slave, termios.TCIFLUSH)
        termios.tcsetattr(self._slave, termios.TCSANOW, self._raw)
        termios.tcflow(self._slave, termios.TCOON)  # or nobody could type after who has stopped it

    def write(self, data: bytes) -> None:
        """Print; what nobody reads is dropped and counted, never waited for."""
        if not self.attended():
            self._backlog.dropped += len(data)
            return
        self.pump()
        self.behind_dropped += self._backlog.put(data)
        self.pump()

    def _silence(self) -> None:
        """Take back echo, which some program has set. Raises OSError."""
        if self._slave < 0:
            return
        try:
            modes = termios.tcgetattr(self._slave)
            if modes[LFLAG] & ECHOES:
                modes[LFLAG] &= ~ECHOES
                termios.tcsetattr(self._slave, termios.TCSANOW, modes)
        except termios.error as error:
            raise OSError(*error.args) from error

    def resize(self, rows: int, columns: int) -> None:
        """The size that programs at the PTY, or behind it, are told (TIOCSWINSZ).

        Raises:
            OSError: the PTY is of no more use.
        """
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def pump(self) -> None:
        """Write as much of the backlog as Linux takes."""
        if self._backlog:
            self._silence()
        while self._backlog:
            try:
                self._backlog.advance(os.write(self._master, self._backlog.head(ROOM)))
            except BlockingIOError:
                return

    def read(self) -> bytes:
        """What was typed, b"" when it was nothing.

        Raises:
            OSError: the PTY is of no more use.
        """
        try:
            return os.read(self._master, CHUNK)
        except BlockingIOError:
            return b""
        except OSError:
            if self._slave >= 0:
                raise
            self.attended()  # who had locked us out has left
            return b""

    def unread(self) -> bool:
        """Whether a reader still has output to take. Two looks tell: Linux hands it on in parts."""
        if not self.attended() or self._slave < 0:
            return False
        waiting = fcntl.ioctl(self._slave, termios.FIONREAD, struct.pack("i", 0))
        return self.behind or struct.unpack("i", waiting)[0] > 0

    def close(self) -> None:
        if self._slave >= 0:
            os.close(self._slave)
        os.close(self._master)
