"""The client's side of the echo server."""

from __future__ import annotations

from caplab.pd.ipc import Data, Message
from caplab.pd.objects import Endpoint


class Echo:
    """An echo server, reached through `endpoint`; there is nothing to connect or to part from."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint

    def echo(self, data: Data, *, label: int = 0, timeout: float | None = None) -> Message:
        """Send words, and get the same words back under the same label.

        Blocks until the server answers. Errors: PeerDied, IpcTimeout, as every call.
        """
        return self.endpoint.call(label, data, timeout=timeout)
