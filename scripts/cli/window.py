"""One attached console and what the user sees of it: the loop between terminal and line."""

import os
import select
import selectors
import sys
import time
from collections.abc import Callable
from enum import Enum
from types import TracebackType
from typing import Any, Protocol, Self

from caplab.kernel.host.errors import HostError
from caplab.kernel.host.watcher import Event, InputLost, Lost, Output, Synced, Watcher, Writer
from caplab.scripts.cli import show
from caplab.scripts.cli.escape import EscapeKey, Wish
from caplab.scripts.cli.margin import Margin
from caplab.scripts.cli.plain import PlainText
from caplab.scripts.cli.question import Question
from caplab.scripts.cli.raw_terminal import RawTerminal
from caplab.scripts.cli.traces import Traces

CHUNK = 16 * 1024
QUIET = 0.3
"""Seconds without output after which a script whose input has ended has seen its answer."""
ANSWER = 3.0
"""Seconds after which it leaves a console that is never quiet."""
UNSENT_MAX = 256 * 1024
"""Bytes typed that the line has yet to take, from which on we read no more."""

Switch = Callable[[str | None], dict[str, Any]]
"""The operator's command `focus` for this UART: to whom, or None; the answer. Raises HostError."""


class News(Protocol):
    """What else is to be told in the window; its descriptor is readable when there is something."""

    ended: bool

    def fileno(self) -> int: ...

    def receive(self) -> list[str]: ...


class Ending(Enum):
    """Why `attach` returned."""

    LEFT = "left"
    """The user left, or whoever read our output did."""
    INPUT_ENDED = "input ended"
    """Standard input was no terminal and is used up."""
    SYSTEM_ENDED = "system ended"
    """The line ended: the system has gone down, or the PD whose terminal it was has ended."""
    NEXT = "next"
    """The user wants to see the next UART."""


class Window:
    """The loop, for as long as somebody looks; on leaving it the terminal shows plain text, and
    the cursor is at the start of a line."""

    def __init__(
        self,
        watcher: Watcher,
        stdin_fd: int,
        stdout_fd: int,
        key: EscapeKey,
        *,
        plain: bool,
        switch: Switch | None,
        more: bool,
        margin: Margin,
        news: News | None,
    ) -> None:
        self._watcher = watcher
        self._stdin = stdin_fd
        self._stdout = stdout_fd
        self._key = key
        self._plain = PlainText() if plain else None
        self._traces = Traces() if os.isatty(stdout_fd) else None
        self._switch = switch
        self._typing = os.isatty(stdin_fd)
        self._hearing = self._typing or watcher.mode != "watch"
        self._more = more
        self._margin = margin
        self._news = news
        self._untold: list[tuple[int, str]] = []
        """News that wait until what had been printed before is shown, which a `Synced` says."""
        self._ending: Ending | None = None
        self._question: Question | None = None
        self._focused: str | None = None
        """Who had the input when the question was asked."""
        self._answer_by: float | None = None  # once the input of a script has ended
        self._told_to_watch = False

    def run(self, terminal: RawTerminal) -> Ending:
        """Until somebody leaves; `terminal` is entered."""
        self._greet()
        try:
            ending = self._serve(terminal)
            if self._plain is not None:
                self._write(self._plain.flush())
        except BrokenPipeError:  # of our output, as in `caplab console | head`
            return Ending.LEFT
        return ending

    def _greet(self) -> None:
        tty = self._watcher.tty
        where = self._watcher.uart + (f" on {tty}" if tty else "")
        self._say(f"{where}. {self._key.hint}." if self._typing else f"{where}.")
        if self._watcher.mode == "console" and not self._watcher.writing:
            self._say_who_types()

    # The loop.

    def _serve(self, terminal: RawTerminal) -> Ending:
        # Not epoll: standard input may be a file.
        with selectors.PollSelector() as selector:
            if terminal.resized is not None and self._watcher.mode == "console":
                selector.register(terminal.resized, selectors.EVENT_READ)
            self._show()  # what came with the welcome
            while self._ending is None and not self._watcher.ended:
                self._attend_to(selector)
                ready = {key.fileobj: events for key, events in selector.select(self._patience())}
                self._exchange(ready.get(self._watcher, 0))
                if self._answered(quiet=not ready):
                    return Ending.INPUT_ENDED
                if self._news in ready:
                    self._hear_news()
                if terminal.resized in ready:
                    self._resized(terminal)
                if self._stdin in ready:
                    self._hear()
        self._tell_news()
        return self._ending or Ending.SYSTEM_ENDED

    def _attend_to(self, selector: selectors.BaseSelector) -> None:
        """Wait for what can be dealt with: while a question is open, output can wait."""
        unsent = self._watcher.unsent
        _watch(
            selector,
            self._watcher,
            (0 if self._question else selectors.EVENT_READ)
            | (selectors.EVENT_WRITE if unsent else 0),
        )
        if self._news is not None:
            _watch(selector, self._news, 0 if self._news.ended else selectors.EVENT_READ)
        heard = self._hearing and unsent < UNSENT_MAX
        _watch(selector, self._stdin, selectors.EVENT_READ if heard else 0)

    def _exchange(self, events: int) -> None:
        if events & selectors.EVENT_WRITE:
            try:
                self._watcher.pump()
            except ConnectionError:
                self._show()  # the line ended; what it said last is still to be read
        if events & selectors.EVENT_READ:
            self._show()

    def _patience(self) -> float | None:
        if self._answer_by is None or self._watcher.unsent:
            return None
        return max(0.0, min(QUIET, self._answer_by - time.monotonic()))

    def _answered(self, *, quiet: bool) -> bool:
        """Whether a script has seen what its input brought about, as far as one can tell."""
        if self._answer_by is None or self._watcher.unsent:
            return False
        return quiet or time.monotonic() >= self._answer_by

    def _resized(self, terminal: RawTerminal) -> None:
        size = terminal.size()
        if size is not None:
            self._tell(lambda: self._watcher.resize(size))

    # What the system shows.

    def _show(self) -> None:
        events = self._watcher.receive()
        for event in events:
            self._show_one(event)
        dropped = sum(event.size for event in events if isinstance(event, InputLost))
        if dropped:
            self._say(f"{dropped} bytes of input were dropped: nobody in the system reads them")

    def _show_one(self, event: Event) -> None:
        match event:
            case Output(data):
                self._write(data if self._plain is None else self._plain.feed(data))
            case Lost(size):
                self._say(f"{size} bytes are missing here: they came faster than we could show")
            case Writer(_, you=True):
                self._say("you have the keyboard now")
            case Writer():
                self._say_who_types()
            case Synced(number):
                self._tell_news(number)

    def _hear_news(self) -> None:
        assert self._news is not None
        told = self._news.receive()
        if told:
            self._tell(lambda: self._await_output(told))

    def _await_output(self, told: list[str]) -> None:
        number = self._watcher.sync()
        self._untold += [(number, text) for text in told]

    def _tell_news(self, number: int | None = None) -> None:
        """Those of up to this sync, or all."""
        due = [one for one in self._untold if number is None or one[0] <= number]
        self._untold = self._untold[len(due) :]
        for _, text in due:
            self._say(text)

    def _say_who_types(self) -> None:
        self._told_to_watch = True
        who = show.harmless(self._watcher.writer or "nobody")
        self._say(f"you watch: {who} types here. {self._key.name} then t takes the keyboard")

    def _write(self, data: bytes) -> None:
        self._margin.shown(data)
        if self._traces is not None:
            self._traces.shown(data)
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self._stdout, rest) :]
            except BlockingIOError:  # whoever shares our terminal made it so
                select.select([], [self._stdout], [])

    # What the user types.

    def _hear(self) -> None:
        """Pass on what was typed."""
        try:
            data = os.read(self._stdin, CHUNK)
        except BlockingIOError:
            return
        except OSError:  # the terminal hung up
            data = b""
        if self._typing:
            self._typed(data)
        elif data:
            self._tell(lambda: self._watcher.post(data))
        else:
            self._hearing = False
            self._answer_by = time.monotonic() + ANSWER
        if not data and self._typing:
            self._ending = Ending.LEFT

    def _typed(self, data: bytes) -> None:
        while data and self._ending is None:
            if self._question is not None:
                data = self._answer_question(self._question, data)
                continue
            text, wish, data = self._key.feed(data)
            if text:
                self._send(text)
            if wish is not None:
                self._grant(wish)

    def _send(self, text: bytes) -> None:
        if self._watcher.writing:
            self._told_to_watch = False
            self._tell(lambda: self._watcher.post(text))
        elif not self._told_to_watch:
            self._say_who_types()

    def _grant(self, wish: Wish) -> None:
        console = self._watcher.mode == "console"
        if wish is Wish.LEAVE:
            self._ending = Ending.LEFT
        elif wish is Wish.NEXT and self._more:
            self._ending = Ending.NEXT
        elif wish is Wish.FOCUS and self._switch is not None:
            self._ask_whom()
        elif wish is Wish.BREAK and self._watcher.writing:
            self._tell(self._watcher.send_break)
        elif wish is Wish.TAKE and console:
            self._tell(self._watcher.take)
        elif wish is Wish.BREAK and console:
            self._say_who_types()
        else:
            self._say(f"{self._key.help(self._wishes())}.")

    def _wishes(self) -> list[Wish]:
        """What can be wished here."""
        console = self._watcher.mode == "console"
        there = {
            Wish.FOCUS: self._switch is not None,
            Wish.BREAK: console,
            Wish.TAKE: console and not self._watcher.writing,
            Wish.NEXT: self._more,
        }
        return [wish for wish in Wish if there.get(wish, True)]

    # Whose the input is.

    def _ask_whom(self) -> None:
        answer = self._switched(None)
        if answer is None:
            return
        clients = answer["clients"]
        if not clients:
            self._say("no client is connected to the server of this UART")
            return
        self._focused = answer["focus"]
        self._say("input goes to whom? Tab completes, Escape leaves it as it is")
        for client in clients:
            state = ("reading" if client["reading"] else "") + (
                " (has it)" if client["focus"] else ""
            )
            print(f"  {show.harmless(client['pd'])} {state}".rstrip(), file=sys.stderr)
        self._ask("to: ")
        self._question = Question([client["pd"] for client in clients])

    def _answer_question(self, question: Question, data: bytes) -> bytes:
        """Returns what was typed behind the answer."""
        self._ask(question.feed(data))
        if not question.done:
            return b""
        self._question = None
        if question.cancelled or not question.answer:
            self._say("left as it is")
        else:
            answer = self._switched(question.answer)
            if answer is not None and answer["focus"] == self._focused:
                who = show.harmless(str(self._focused or "nobody"))
                self._say(f"input goes to {who}, as before")
            # Else the server says it, on the console, to everybody who looks.
        return question.rest

    def _ask(self, text: str) -> None:
        """A part of a question, or of its answer."""
        print(text, end="", file=sys.stderr, flush=True)
        self._margin.shown(text.encode())

    def _switched(self, to: str | None) -> dict[str, Any] | None:
        assert self._switch is not None
        try:
            return self._switch(to)
        except HostError as error:
            self._say(show.harmless(str(error)))
            return None

    def _tell(self, how: Callable[[], None]) -> None:
        try:
            how()
        except ConnectionError:
            pass  # the line ended; what it said last is still to be read

    def _say(self, text: str) -> None:
        say(text, self._margin)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._traces is not None:
            try:
                os.write(self._stdout, self._traces.undo() + self._margin.leave())
            except OSError:
                pass  # the terminal is gone, or stopped by somebody who shares it


def _watch(selector: selectors.BaseSelector, source: Any, events: int) -> None:
    """Wait for these events of a source, none of them included."""
    known = selector.get_map().get(source)
    if known is None:
        if events:
            selector.register(source, events)
    elif not events:
        selector.unregister(source)
    elif known.events != events:
        selector.modify(source, events)


def say(text: str, margin: Margin) -> None:
    """On a line of its own: the system may have stopped in the middle of one."""
    print(f"{margin.note()}[caplab] {text}", file=sys.stderr, flush=True)
