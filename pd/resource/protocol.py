"""The messages of a service, as its `.proto` declares them, and one request with its answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from google.protobuf.message import DecodeError, Message

from caplab.kernel.abi import MSG_BYTES
from caplab.pd.objects import Capability, Endpoint, Receive
from caplab.pd.resource.errors import (
    FIRST_OWN,
    Malformed,
    ProtocolError,
    ResourceError,
    UnknownMessage,
    WrongMagic,
)

RequestT = TypeVar("RequestT", bound=Message)
ReplyT = TypeVar("ReplyT", bound=Message)
ONEOF, MAGIC, ERROR, BASIC, REASON = "msg", "magic", "errorCode", "basic", "reason"
"""The names that the library goes by in every `.proto`."""


def magic_of(name: str) -> int:
    """The number that marks a service's messages: the first four letters of its name, as there."""
    return int.from_bytes(name[:4].encode())


class Protocol(Generic[RequestT, ReplyT]):
    """The two messages of a service.

    The request has `magic` and a oneof `msg` with a message per operation; the reply has
    `errorCode` and a oneof `msg` with the answers, of which `basic` is that of operations that
    only succeed or not, and says in `reason` why not. `errors` is the base class of what the
    service refuses. Raises TypeError for messages of another shape.
    """

    def __init__(
        self, name: str, request: type[RequestT], reply: type[ReplyT], errors: type[ResourceError]
    ) -> None:
        self.name = name
        self.magic = magic_of(name)
        self.errors = errors
        self._request, self._reply = request, reply
        self.operations = _parts(request, MAGIC)
        self.answers = _parts(reply, ERROR)
        if BASIC not in self.answers:
            raise TypeError(f"{reply.DESCRIPTOR.name} has no answer `{BASIC}` in its oneof")

    # -- the client's side ------------------------------------------------------------------------

    def call(
        self,
        endpoint: Endpoint,
        request: RequestT,
        *,
        caps: Sequence[Capability | int] = (),
        receive: Receive | None = None,
        timeout: float | None = None,
    ) -> ReplyT:
        """Send a request, with its magic, and return the reply. sel4gpi_rpc_call.

        Blocks until the server answers. Raises what the server refused: a class of `errors`, or a
        ProtocolError. Errors: PeerDied, Revoked, NeverExisted, IpcTimeout, as every call; Malformed
        when the answer is none of this service.
        """
        setattr(request, MAGIC, self.magic)
        data = request.SerializeToString()
        answer = endpoint.call(0, data, caps=caps, receive=receive, timeout=timeout)
        reply = self._reply()
        try:
            reply.ParseFromString(answer.data)
        except DecodeError:
            raise Malformed(f"the answer is none of {self.name}'s") from None
        code = getattr(reply, ERROR)
        if code:
            raise self._refusal(code, getattr(getattr(reply, BASIC), REASON))
        return reply

    def _refusal(self, code: int, reason: str) -> ResourceError:
        return (self.errors if code >= FIRST_OWN else ProtocolError).of(code, reason)

    # -- the server's side ------------------------------------------------------------------------

    def decode(self, data: bytes) -> tuple[str, Any]:
        """Which operation a message asks for, and its part of the message.

        Errors: Malformed, WrongMagic, UnknownMessage
        """
        request = self._request()
        try:
            request.ParseFromString(data)
        except DecodeError:
            raise Malformed(f"{len(data)} bytes are no {request.DESCRIPTOR.name}") from None
        magic = getattr(request, MAGIC)
        if magic != self.magic:
            raise WrongMagic(f"magic {magic:x} is not that of {self.name}, {self.magic:x}")
        operation = request.WhichOneof(ONEOF)
        if operation is None:
            raise UnknownMessage(f"{self.name} has no such operation: {', '.join(self.operations)}")
        return operation, getattr(request, operation)

    def done(self, operation: str, answer: Message | None) -> bytes | None:
        """The reply that carries an answer; without one, the basic reply. None: it is too long.

        Raises TypeError when the answer is no part of the reply, which is the handler's fault.
        """
        reply = self._reply()
        part = BASIC if answer is None else self._part(operation, answer)
        target = getattr(reply, part)
        target.SetInParent()
        if answer is not None:
            target.CopyFrom(answer)
        data = reply.SerializeToString()
        return data if len(data) <= MSG_BYTES else None

    def _part(self, operation: str, answer: Message) -> str:
        name = answer.DESCRIPTOR.full_name
        if self.answers.get(operation) == name:
            return operation
        for part, message in self.answers.items():
            if message == name:
                return part
        reply = self._reply.DESCRIPTOR.name
        raise TypeError(f"the answer to `{operation}` is a {name}, which {reply} has no part for")

    def refused(self, error: ResourceError) -> bytes:
        """The reply that says which number the service, or the library, refuses with, and why."""
        reply = self._reply()
        setattr(reply, ERROR, error.code)
        basic = getattr(reply, BASIC)
        basic.SetInParent()
        setattr(basic, REASON, str(error)[: MSG_BYTES // 8])
        return reply.SerializeToString()


def _parts(message: type[Message], number: str) -> dict[str, str]:
    """The parts of the oneof `msg`, each with the full name of its message."""
    descriptor = message.DESCRIPTOR
    oneof = descriptor.oneofs_by_name.get(ONEOF)
    if oneof is None or number not in descriptor.fields_by_name:
        raise TypeError(f"{descriptor.name} needs a field `{number}` and a oneof `{ONEOF}`")
    parts: dict[str, str] = {}
    for field in oneof.fields:
        if field.message_type is None:
            raise TypeError(f"`{field.name}` of {descriptor.name} must be a message")
        parts[field.name] = field.message_type.full_name
    return parts
