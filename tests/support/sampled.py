"""Systems in one process with a sample server, and clients that the test drives."""

import contextlib
from collections.abc import Iterator
from typing import Any

from caplab.servers.sample.server import main
from threaded_system import Hand, ThreadedSystem

CLIENT_RDES = ["pd", "resspc"]


def server_pd(name: str = "sample", **more: Any) -> dict[str, Any]:
    """The manifest entry of a sample server."""
    return {
        "name": name,
        "main": main,
        "serves": {"space": "SAMPLE"},
        "role": "server",
        "rdes": ["resspc"],
        **more,
    }


@contextlib.contextmanager
def sample_system(
    *clients: str, server: dict[str, Any] | None = None, others: tuple[dict[str, Any], ...] = ()
) -> Iterator[ThreadedSystem]:
    """A sample server that is ready, and clients that hold its RDE under the name `sample`."""
    driven = [{"name": name, "uses": {"sample": "sample"}, "rdes": CLIENT_RDES} for name in clients]
    with ThreadedSystem(server or server_pd(), *others, *driven, uarts=()) as system:
        system.until(lambda: system.root.latest["sample"].received)
        yield system


def hands(system: ThreadedSystem, *names: str) -> list[Hand]:
    """A thread for each client, so that one may wait while another goes on."""
    return [Hand(system, name) for name in names]
