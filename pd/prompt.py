"""pdb at a debug PD's terminal, imported when the first breakpoint is reached.

The terminal is no standard stream, because those belong to the PD's log. GNU readline is called as
Python calls it for a prompt at its own terminal, so that the arrow keys, the history and the tab
key work.
"""

from __future__ import annotations

import bdb
import code
import contextlib
import ctypes
import io
import os
import pdb  # noqa: T100  # what all this is about
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any

from caplab.kernel.abi import At

if TYPE_CHECKING:
    from caplab.pd.debugger import Debugger

LINE_MAX = 64 * 1024
RUNTIME = ("caplab.pd", "caplab.pd.*", "zmq", "zmq.*")
"""Stepped over: who stood in the midst of a system call could make no other."""
GREETING = "At a breakpoint of {name}. `c` goes on, `q` ends {name}, `h` lists the commands.\n"


class Terminal(io.TextIOBase):
    """The PD's terminal, to print on and to ask at. What is printed of a line without its end
    becomes the prompt of the next question."""

    encoding = "utf-8"

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._unfinished = ""
        self._ask = _asker(descriptor)

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def write(self, text: str) -> int:
        """Print. A terminal that has gone prints nothing."""
        lines, _, self._unfinished = (self._unfinished + text).rpartition("\n")
        if len(text) > len(self._unfinished):
            self._put(lines + "\n")
        return len(text)

    def readline(self, _size: int | None = -1, /) -> str:  # type: ignore[override]
        """Ask for a line; "" when none will come any more."""
        prompt, self._unfinished = self._unfinished, ""
        if self._ask is not None:
            return self._ask(prompt)
        self._put(prompt)
        try:
            return os.read(self._descriptor, LINE_MAX).decode(errors="replace")
        except OSError:
            return ""

    def finish(self) -> None:
        """Print what has no end yet."""
        rest, self._unfinished = self._unfinished, ""
        self._put(rest)

    def _put(self, text: str) -> None:
        rest = text.encode(errors="backslashreplace")
        with contextlib.suppress(OSError):
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]


def _asker(descriptor: int) -> Callable[[str], str] | None:
    """readline's prompt at this terminal; None where Python has no readline."""
    # Before readline starts: a confined PD finds the description of no other terminal.
    os.environ["TERM"] = "dumb"
    try:
        import readline
    except ImportError:
        return None
    readline.parse_and_bind("tab: complete")
    readline.parse_and_bind("set enable-bracketed-paste off")
    libc, python = ctypes.CDLL(None), ctypes.pythonapi
    libc.fdopen.restype = ctypes.c_void_p
    streams = [
        ctypes.c_void_p(libc.fdopen(os.dup(descriptor), mode)) for mode in (b"r", b"w")
    ]  # for the life of the process
    prompt_for = python.PyOS_Readline
    prompt_for.restype = ctypes.c_void_p
    prompt_for.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p)

    def ask(prompt: str) -> str:
        line = prompt_for(*streams, prompt.encode(errors="backslashreplace"))
        if not line:
            return ""
        try:
            return ctypes.string_at(line).decode(errors="replace")
        finally:
            python.PyMem_Free(ctypes.c_void_p(line))

    return ask


class Prompt(pdb.Pdb):
    """pdb for one thread."""

    def __init__(self, debugger: Debugger, terminal: Terminal) -> None:
        both: Any = terminal  # more of a stream than pdb asks for
        super().__init__(skip=RUNTIME, stdin=both, stdout=both, nosigint=True, readrc=False)
        self._debugger = debugger
        self._terminal = terminal
        self._stepped = False
        self._greeted = False

    def interaction(self, *args: Any, **more: Any) -> None:
        """Ask until one of the answers lets the program go on."""
        with self._debugger.standing(At.STEP if self._stepped else At.BREAKPOINT):
            if not self._greeted:
                self._greeted = True
                self._terminal.write(GREETING.format(name=self._debugger.env.name))
            self._complete()
            super().interaction(*args, **more)
            self._terminal.finish()
        self._stepped = self.stoplineno != -1  # what `continue` sets

    def trace_dispatch(self, frame: FrameType, event: str, arg: Any) -> Any:
        """As pdb's; who quits ends the PD, without a traceback through pdb."""
        try:
            return super().trace_dispatch(frame, event, arg)
        except bdb.BdbQuit:
            name = self._debugger.env.name
            raise SystemExit(f"{name} was ended at its debugger's prompt") from None

    def do_EOF(self, arg: str) -> bool | None:
        """EOF
        Go on: the terminal has nothing more to say.
        """
        self._terminal.write("\n")
        return self.do_continue(arg)

    def do_interact(self, arg: str) -> None:
        """interact
        Start an interpreter with the names that are valid here; Ctrl-D leaves it.
        """
        assert self.curframe is not None
        names = {**self.curframe.f_globals, **self.curframe.f_locals}
        terminal = self._terminal
        with contextlib.redirect_stdout(terminal), contextlib.redirect_stderr(terminal):
            code.interact("Ctrl-D leaves the interpreter.", self._ask, names, "")

    def _ask(self, prompt: str = "") -> str:
        self._terminal.write(prompt)
        line = self._terminal.readline()
        if not line:
            raise EOFError
        return line.rstrip("\n")

    def _complete(self) -> None:
        with contextlib.suppress(ImportError):
            import readline

            complete: Any = self.complete
            readline.set_completer(complete)
