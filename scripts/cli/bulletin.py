"""What `up` says of PDs while the user is at a console: there, as its own notes are."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Bulletin:
    """Sentences on their way from the thread that serves the session to the window; its `news`."""

    ended = False

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._texts: list[str] = []
        self._looked_at = False
        self._bell, self._rope = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def fileno(self) -> int:
        return self._bell

    def post(self, text: str) -> bool:
        """Have it told in the window; False if nobody is at one."""
        with self._lock:
            if self._looked_at:
                if not self._texts:
                    os.write(self._rope, b".")
                self._texts.append(text)
            return self._looked_at

    def receive(self) -> list[str]:
        with self._lock:
            if self._texts:
                os.read(self._bell, 1)
            texts, self._texts = self._texts, []
            return texts

    @contextmanager
    def looked_at(self, left: list[str]) -> Iterator[None]:
        """While a window shows it; what that did not come to is `left`."""
        self._looked_at = True
        try:
            yield
        finally:
            with self._lock:
                self._looked_at = False
            left += self.receive()

    def close(self) -> None:
        os.close(self._bell)
        os.close(self._rope)
