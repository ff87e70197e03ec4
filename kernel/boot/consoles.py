"""The consoles of a system: one watcher a UART, attached as long as the system is ours."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from caplab.kernel.host.errors import RequestRefused
from caplab.kernel.host.watcher import Pattern, Watcher

TIMEOUT = 10.0


class Consoles(Mapping[str, Watcher]):
    """UART name: its console. The methods here are those of the first UART."""

    def __init__(self, run_dir: Path, uarts: Sequence[str]) -> None:
        self._watchers: dict[str, Watcher] = {}
        try:
            for uart in uarts:
                self._watchers[uart] = Watcher(str(run_dir / uart / "socket"))
        except BaseException:
            self.close()
            raise

    def expect(self, pattern: Pattern, timeout: float = TIMEOUT) -> re.Match[bytes]:
        """Read until this regular expression matches what was not read yet; the match.

        Raises ExpectTimeout or ConsoleEnded, quoting what came instead, which stays unread.
        """
        return self._first().expect(pattern, timeout)

    def send(self, text: str | bytes) -> None:
        """Type."""
        self._first().send(text.encode() if isinstance(text, str) else text)

    def read(self, timeout: float | None = TIMEOUT) -> bytes:
        """What has come since; b"" once the system has ended. Raises TimeoutError."""
        return self._first().read(timeout)

    def close(self) -> None:
        for watcher in self._watchers.values():
            watcher.close()

    def _first(self) -> Watcher:
        for watcher in self._watchers.values():
            return watcher
        raise RequestRefused("no-such-uart", "This system has no UART, so it has no console.")

    def __getitem__(self, uart: str) -> Watcher:
        return self._watchers[uart]

    def __iter__(self) -> Iterator[str]:
        return iter(self._watchers)

    def __len__(self) -> int:
        return len(self._watchers)
