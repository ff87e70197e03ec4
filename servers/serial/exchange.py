"""One request and its answer, as client and Parent make them."""

from __future__ import annotations

from collections.abc import Sequence

from caplab.pd.ipc import Message
from caplab.pd.objects import Endpoint, Memory
from caplab.servers.serial import protocol
from caplab.servers.serial.errors import IllegalOperation, SerialError
from caplab.servers.serial.protocol import Error, Function, Words


def request(
    endpoint: Endpoint,
    function: Function,
    *args: int,
    caps: Sequence[Memory] = (),
    timeout: float | None = None,
) -> Words:
    """Ask for a function that needs only words; the words of the answer. Errors: as exchange."""
    return exchange(endpoint, protocol.encode(function, *args), caps, timeout)[1]


def exchange(
    endpoint: Endpoint,
    data: bytes,
    caps: Sequence[Memory] = (),
    timeout: float | None = None,
    receive: int | None = None,
) -> tuple[Message, Words]:
    """Call the server; raise what it refuses, and refuse an answer that is not its."""
    message = endpoint.call(0, data, caps=caps, timeout=timeout, receive=receive)
    code = protocol.code_of(message.label)
    words = protocol.decode(message.data)
    if code != Error.NONE:
        error = SerialError.of(
            code, protocol.text_behind(message.data, 2).decode("utf-8", "replace")
        )
        error.word = words.arg(0) if words is not None else 0
        raise error
    if words is None or words.function != protocol.answer_to(data[0]):
        raise IllegalOperation
    return message, words
