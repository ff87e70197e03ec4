"""A system in the foreground: from its launcher's first word to its last.

One loop over everything that can happen: the launcher's messages, the kernel's answers and
announcements, the consoles, signals, time limits. Whatever happens, the loop ends with the
launcher's `ended` (or its death), so the last line can say what is left.
"""

import os
import selectors
import signal
import time
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Any

from caplab.kernel.boot.control import Control, Question, readable
from caplab.kernel.boot.launch import KNOCK, Launched
from caplab.kernel.boot.running import Running, pidfd
from caplab.kernel.host.errors import HostError, NotRunning, SystemFailed
from caplab.kernel.host.watcher import ConsoleError, Lost, Output, Synced, Watcher
from caplab.scripts.cli.bulletin import Bulletin
from caplab.scripts.cli.obituary import ENDED, full_name, obituary
from caplab.scripts.cli.reports import Reports
from caplab.scripts.cli.screen import Screen

DOWN_PATIENCE = 15.0
"""Seconds from asking the kernel to go down until it is killed."""
LEAVE = 0
"""An order that is no signal: the user has left the console."""
LOGS = "logs"
"""The launcher, as one of those who bring what PDs print."""


class Foreground:
    """One `up`: what it watches, and what has become of the system."""

    def __init__(
        self, launched: Launched, spec: dict[str, Any], screen: Screen, timeout: float | None
    ) -> None:
        self.began = time.monotonic()
        self.ended: dict[str, Any] | None = None
        """The launcher's last message, once it has come."""
        self.gone = False
        self.interrupted = False
        self.out_of_time = False
        self.stopping = False
        self.failed: dict[str, dict[str, Any]] = {}
        """PDs that did not end well before the system was told to stop."""
        self.exit_codes: dict[str, int] = {}
        self._launched = launched
        self._control = Control(launched.name, launched.run_dir / "control.sock")
        self._screen = screen
        self._timeout = timeout
        self._limit = None if timeout is None else self.began + timeout
        self._patience: float | None = None
        self._sought: list[Callable[[], bool]] = [self._seek_kernel]
        self._selector = selectors.DefaultSelector()
        self._selector.register(launched, selectors.EVENT_READ, self._on_launcher)
        self._watchers: list[Watcher] = []
        self._reports = Reports(self._ask_for_the_rest)
        self.bulletin = Bulletin()
        """Where PDs' ends and the like are told, for as long as somebody looks at it."""
        self._at_breakpoints: set[str] = set()
        self._patient = False
        self._kernel: int | None = None
        self._ordered, self.orders = os.pipe()
        """`orders` takes signals of the user's, a byte each (`signal.set_wakeup_fd`)."""
        os.set_blocking(self.orders, False)
        self._selector.register(self._ordered, selectors.EVENT_READ, self._on_orders)

    def show_consoles(self, uarts: Sequence[str]) -> None:
        """Copy these UARTs to standard output, as soon as their lines are there."""
        self._sought += [partial(self._seek_console, uart) for uart in uarts]

    def order(self, number: int) -> None:
        """From another thread: `LEAVE`, or the number of a signal."""
        os.write(self.orders, bytes([number]))

    def _on_orders(self) -> None:
        for number in os.read(self._ordered, 64):
            if number == LEAVE:
                self.stop("you have left: going down in reverse order")
            else:
                self.interrupt()

    def run(self) -> None:
        """Serve until the system has ended and all it said has been shown."""
        while self.ended is None and not self.gone:
            self._sought = [seek for seek in self._sought if not seek()]
            for key, _ in self._selector.select(self._next_look()):
                key.data()
            self._mind_the_clock()
        if self.gone and self._kernel is not None:
            readable(self._kernel, DOWN_PATIENCE)  # it dies with its launcher, a moment later
        self._hear_the_rest()
        self._screen.finish()

    def _hear_the_rest(self) -> None:
        """Everybody is dead: show what they said last, and close."""
        for watcher in self._watchers:
            while not watcher.ended:
                self._show(watcher)
            watcher.close()
        for key in list(self._selector.get_map().values()):
            if isinstance(key.fileobj, Question):
                while key.fileobj.fileno() >= 0:  # until it is closed
                    key.data()
        self._reports.make_all()
        self._selector.close()

    def close(self) -> None:
        """Once no signal can arrive on `orders` any more."""
        self.bulletin.close()
        for descriptor in (self._kernel, self._ordered, self.orders):
            if descriptor is not None:
                os.close(descriptor)

    # -- stopping ------------------------------------------------------------------------------

    def interrupt(self) -> None:
        """^C: the first stops in reverse order, the second kills."""
        if self.interrupted:
            self._screen.say("killing everything")
            self._launched.say("kill")
            return
        self.interrupted = True
        self.stop("going down in reverse order; once more kills")

    def stop(self, why: str = "", *, patient: bool = False) -> None:
        """Ask the kernel to go down; when it cannot be asked, kill it.

        `patient`: nobody has asked for it, so a PD at a breakpoint is waited for.
        """
        if self.stopping and (patient or not self._patient):
            return
        self.stopping, self._patient = True, patient
        self._limit = None
        if why:
            self._screen.say(why)
        self._patience = time.monotonic() + DOWN_PATIENCE
        if self._seek_kernel in self._sought:  # it has not come up yet: nothing to stop in order
            self._launched.say("kill")
            return
        self._ask("down", lambda answer: None, patient=patient)

    def _mind_the_clock(self) -> None:
        now = time.monotonic()
        self._reports.look(now)
        if self._limit is not None and now >= self._limit:
            self.out_of_time = True
            running = Running(self._launched.name, self._launched.run_dir)
            starting = self._seek_kernel in self._sought
            late = running.too_long(self._timeout or 0.0, starting=starting)
            self._screen.error(str(late), late.fix, late.code)
            self.stop()
        if self._patient and self._at_breakpoints:
            self._patience = now + DOWN_PATIENCE
        if self._patience is not None and now >= self._patience:
            self._patience = None
            self._screen.say(f"the kernel did not go down within {DOWN_PATIENCE:g} s: killing it")
            self._launched.say("kill")
        if self._screen.hung_up and not self.stopping:
            self.stop()

    def _next_look(self) -> float | None:
        limits = (self._limit, self._patience, self._reports.limit)
        times = [when for when in limits if when is not None]
        if self._sought:
            times.append(time.monotonic() + KNOCK)
        return max(0.0, min(times) - time.monotonic()) if times else None

    # -- finding what is not there yet -------------------------------------------------------

    def _seek_kernel(self) -> bool:
        try:
            question = self._control.watch()
        except NotRunning:
            return False
        self._listen(question, self._on_announcement)
        self._ask("wait", self._on_finished)
        return True

    def _seek_console(self, uart: str) -> bool:
        try:
            watcher = Watcher(str(self._launched.run_dir / uart / "socket"), mode="watch")
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except (ConsoleError, OSError) as error:
            self._screen.say(f"the console of {uart} cannot be shown: {error}")
            return True
        self._watchers.append(watcher)
        self._show(watcher)  # what came with the welcome
        self._selector.register(watcher, selectors.EVENT_READ, lambda: self._show(watcher))
        return True

    # -- what happens --------------------------------------------------------------------------

    def _ask(self, op: str, handler: Callable[[dict[str, Any]], None], **words: object) -> bool:
        """Ask for one answer. Returns whether there is anybody to ask."""
        try:
            self._listen(self._control.begin(op, **words), handler, once=True)
        except NotRunning:
            return False  # the launcher will say why
        return True

    def _listen(
        self, question: Question, handler: Callable[[dict[str, Any]], None], *, once: bool = False
    ) -> None:
        def on_answer() -> None:
            try:
                answers = question.receive()
            except HostError as error:
                self._screen.error(str(error), error.fix, error.code)
                answers = []
            for answer in answers:
                handler(answer)
            if question.ended or (once and answers):
                self._selector.unregister(question)
                question.close()

        self._selector.register(question, selectors.EVENT_READ, on_answer)

    def _on_launcher(self) -> None:
        message = self._launched.receive()
        if message is None:
            self.gone = True
            self._selector.unregister(self._launched)
        elif "kernel" in message:
            self._kernel = pidfd(message["kernel"])
        elif "log" in message:
            self._screen.printed(message["log"], message["data"])
        elif "said" in message:
            self._screen.kernel(message["data"])
        elif "lost" in message:
            self._screen.say(f"{message['lost']} pieces of what PDs printed were not shown")
        elif "ended" in message:
            self.ended = message

    def _on_announcement(self, message: dict[str, Any]) -> None:
        event = message.get("event", {})
        self._mind_breakpoints(event)
        if event.get("state") == "starting" and event.get("generation"):
            self._reports.add(partial(self._tell, f"{full_name(event)} has started"))
        if event.get("state") not in ENDED:
            return
        code = event.get("exit_code")
        self.exit_codes[event["pd"]] = code if isinstance(code, int) else 1
        if not self.stopping and event.get("failed"):
            self.failed[event["pd"]] = event
        if event["state"] != "exited" or code or not self.stopping:
            self._reports.add(partial(self._bury, event))

    def _bury(self, event: dict[str, Any]) -> None:
        self._screen.complete(event["pd"])
        self._tell(obituary(event))

    def _tell(self, text: str) -> None:
        if not self.bulletin.post(text):
            self._screen.say(text)

    def _ask_for_the_rest(self, number: int) -> dict[Hashable, int]:
        """Ask all who bring what PDs print to say when they have brought it."""
        asked: dict[Hashable, int] = {}
        for watcher in self._watchers:
            try:
                asked[watcher] = watcher.sync()
            except OSError:
                pass  # its line has ended: what it said last will be found
        if self._ask("logs", lambda _: self._logs_taken_down(number)):
            asked[LOGS] = number
        return asked

    def _logs_taken_down(self, number: int) -> None:
        """What PDs have printed is on its way from the launcher, if it has not been shown."""
        while readable(self._launched, 0) and not self.gone and self.ended is None:
            self._on_launcher()
        self._reports.brought(LOGS, number)

    def _mind_breakpoints(self, event: dict[str, Any]) -> None:
        """Say who waits for the user; who went on, or has ended, does not any more."""
        if event.get("state") == "waiting":
            self._at_breakpoints.add(event["pd"])
            waits = f"{event['pd']} is {event['reason']}"
            self._reports.add(partial(self._tell, waits))
        else:
            self._at_breakpoints.discard(event.get("pd", ""))

    def _on_finished(self, answer: dict[str, Any]) -> None:
        for one in answer.get("failed", ()):
            if one["pd"] not in self.failed:
                self.failed[one["pd"]] = one
                self.exit_codes[one["pd"]] = one.get("exit_code") or 1
        self.stop(patient=True)

    def _show(self, watcher: Watcher) -> None:
        for event in watcher.receive():
            match event:
                case Output(data):
                    self._screen.console(data, watcher.uart)
                case Lost(size):
                    self._screen.gap(watcher.uart, size)
                case Synced(number):
                    self._reports.brought(watcher, number)
        if watcher.ended:
            self._reports.ended(watcher)
            if watcher in self._selector.get_map():
                self._selector.unregister(watcher)

    def failure(self) -> SystemFailed | None:
        """What went wrong with the system itself, if its end was not the one we asked for."""
        if self.ended is not None and (self.ended["ended"] == 0 or self.killed):
            return None
        return self._launched.failure(self.ended)

    @property
    def killed(self) -> bool:
        """We had the kernel killed, and so it ended."""
        return self.stopping and self.ended is not None and self.ended["ended"] == signal.SIGKILL
