"""The first words between a PD that starts a server and the server.

They go over the master copy of the server's endpoint, which bears no badge and which only the
creator has. The server's answer says that it is ready.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from caplab.kernel.abi import WORD
from caplab.pd.errors import CapError
from caplab.pd.ipc import Message, body
from caplab.pd.objects import Endpoint
from caplab.pd.resource.served import Served


class Ready(NamedTuple):
    """What a server says of itself."""

    space: int
    type: int
    slot: int
    """Where the PD that asked has its RDE; 0: it got none."""


def answered(served: Served[Any], message: Message) -> bytes:
    """Give the PD whose number the message brings an RDE, and say where."""
    slot = 0
    if len(message.data) >= WORD.size:
        try:
            slot = served.space.issue(message.words[0])
        except CapError:  # no such PD, or no room there: whoever asked sees that it got none
            slot = 0
    return body((served.number, served.type, slot))


def greet(master: Endpoint, pd: int, timeout: float | None) -> Ready:
    """Wait until the server is ready, and get its RDE. Errors: PeerDied, IpcTimeout"""
    return Ready(*master.call(0, [pd], timeout=timeout).words[:3])
