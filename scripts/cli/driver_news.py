"""What becomes of the driver of a UART, for who looks at that UART's console."""

import select
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from caplab.kernel.boot.control import Question, readable
from caplab.kernel.boot.running import Running
from caplab.kernel.host.errors import HostError
from caplab.scripts.cli import show
from caplab.scripts.cli.obituary import ENDED


class DriverNews:
    """The announcements of a system, as far as they concern one UART, in sentences.

    Its descriptor is readable when `receive` may have something. Nothing here waits for the kernel:
    a console can be looked at while that is stopped.

    Raises:
        NotRunning: there is no system.
    """

    def __init__(self, running: Running, uart: str) -> None:
        self.ended = False
        """There will be no more news: the system goes, or has other things to do."""
        self._uart = uart
        self._dead: set[tuple[str, int]] = set()
        """Whose end was told."""
        self._wait = select.epoll()
        self._sources: dict[Question, Callable[[dict[str, Any]], list[str]]] = {}
        try:
            self._listen(running.control.watch(), self._happened)
            self._listen(running.control.begin("ps"), self._found)
        except BaseException:
            self.close()
            raise

    def fileno(self) -> int:
        return self._wait.fileno()

    def receive(self) -> list[str]:
        """What there is to say, without waiting."""
        said: list[str] = []
        for question, understand in list(self._sources.items()):
            if not readable(question, 0):
                continue
            try:
                messages = question.receive()
            except HostError:
                messages, question.ended = [], True
            for message in messages:
                said += understand(message)
            once = question.op == "ps"
            if question.ended or (once and messages):
                self._drop(question)
                self.ended = self.ended or not once
        return said

    def _listen(
        self, question: Question, understand: Callable[[dict[str, Any]], list[str]]
    ) -> None:
        self._sources[question] = understand
        self._wait.register(question, select.EPOLLIN)

    def _drop(self, question: Question) -> None:
        del self._sources[question]
        self._wait.unregister(question)
        question.close()

    def _found(self, answer: dict[str, Any]) -> list[str]:
        """How it is when one comes to look."""
        drivers = [row for row in answer.get("pds", ()) if self._uart in row.get("drives", ())]
        if not drivers or any(row["state"] not in ENDED for row in drivers):
            return []
        return [self._end_of(drivers[-1])] if self._is_news(drivers[-1]) else []

    def _happened(self, message: dict[str, Any]) -> list[str]:
        event = message.get("event", {})
        if self._uart not in event.get("drives", ()):
            return []
        if event["state"] not in ENDED:
            # The first of all is no news: it was there before us, or comes with the system.
            again = event["generation"] or self._dead
            return [f"{_name(event)} drives {self._uart}"] if again else []
        if event["down"] or not self._is_news(event):
            return []
        stays = "" if event["restart"] else " and is not restarted"
        return [self._end_of(event) + stays]

    def _is_news(self, one: dict[str, Any]) -> bool:
        named = (one["pd"], one["generation"])
        known = named in self._dead
        self._dead.add(named)
        return not known

    def _end_of(self, one: dict[str, Any]) -> str:
        well = one["state"] == "exited" and not one.get("exit_code")
        how = "has ended" if well else "has died"
        return f"the driver of {self._uart} {how} ({_name(one)})"

    def close(self) -> None:
        for question in self._sources:
            question.close()
        self._sources.clear()
        self._wait.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _name(one: dict[str, Any]) -> str:
    return f"{show.harmless(one['pd'])}/gen{one['generation']}"
