"""The input of one console with three clients, as the serial server keeps it; time as told."""

from caplab.servers.serial.protocol import End, Mode
from caplab.servers.serial.readers import TYPE_AHEAD_MAX, Input, Reader
from caplab.servers.serial.screen import Screen

LINE, RAW, SILENT, EVENTS = Mode.LINE, Mode.RAW, Mode.SILENT, Mode.EVENTS


class Desk:
    """The input of a console with clients 2, 3 and 4, and what is shown."""

    def __init__(self, limit: int = TYPE_AHEAD_MAX) -> None:
        self.screen = Screen(colour=False)
        self.input = Input(self.screen, limit)
        self.now = 0.0
        for badge in (2, 3, 4):
            self.input.join(badge, f"c{badge}")

    def ask(
        self,
        badge: int,
        prompt: bytes = b"",
        mode: Mode = LINE,
        most: int = 100,
        deadline: float | None = None,
        reply: int = 0,
    ) -> Reader | None:
        reader = Reader(badge, reply or 100 + badge, prompt, deadline, mode, most)
        return self.input.ask(reader, self.now)

    def step(self) -> tuple[int, bytes, End] | None:
        """Who is given what; it is not taken yet."""
        found = self.input.step()
        return None if found is None else (found[0].badge, *found[1])

    def take(self) -> tuple[int, bytes, End] | None:
        found = self.step()
        if found is not None:
            self.input.taken(found[0], self.now)
        return found

    def typed(self, data: bytes) -> None:
        self.input.typed(data)

    def shown(self) -> bytes:
        return self.screen.take()
