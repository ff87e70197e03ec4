"""Endpoints: calls, messages and replies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from caplab.kernel.abi import ANSWER, MSG_BYTES, REQUEST, VERSION, ObjectType, Sys
from caplab.pd import stubs
from caplab.pd.errors import refusal
from caplab.pd.ipc import Data, Message, body
from caplab.pd.objects.capability import Capability, Receive, slots_of
from caplab.pd.stubs import Answer, slot_path
from caplab.pd.utcb import current

# The lane of a plain call: no keyword, no enum, no second function.
_pack = REQUEST.pack
_unpack = ANSWER.unpack_from
_here = current.get
_message = tuple.__new__
_HEADER = ANSWER.size
_CALL, _REPLY_RECV = int(Sys.CALL), int(Sys.REPLY_RECV)


class Endpoint(Capability):
    """A capability to an endpoint.

    Rights: Write to send and call, Read to receive, Grant to send capabilities, Grant or
    GrantReply for the reply to a call. `data` is bytes, or numbers sent as words; at most
    960 bytes. `caps` are capabilities to send along, at most three. `receive` is the slot for one
    received capability. A `timeout` in seconds raises IpcTimeout when it runs out.
    """

    type: ClassVar[ObjectType] = ObjectType.ENDPOINT
    __slots__ = ()

    def call(
        self,
        label: int = 0,
        data: Data = b"",
        *,
        caps: Sequence[Capability | int] = (),
        receive: Receive | None = None,
        timeout: float | None = None,
    ) -> Message:
        """Send a message and wait for the reply. seL4_Call.

        Errors: InvalidCapability, PeerDied, Revoked, NeverExisted, IpcTimeout, Cancelled
        """
        here = _here()
        if (
            here.env is self.env
            and type(data) is bytes
            and len(data) <= MSG_BYTES
            and not caps
            and receive is None
            and timeout is None
        ):
            head = _pack(VERSION, _CALL, self.flags, len(data), self.slot, label, 0)
            answer = here.call(head + self.bound + data)
            _, _, status, _, badge, label, extra, _, flags = _unpack(answer)
            if not (status or extra or flags):
                return _message(Message, (answer[_HEADER:], badge, label, (), 0, False))
            return self._received(stubs.answer(answer), "Call")
        path = None if receive is None else slot_path(receive)
        return self._received(
            stubs.call(
                self.transport,
                self.slot,
                label,
                _body(data),
                slots_of(caps),
                path,
                timeout,
                self.renewal,
            ),
            "Call",
        )

    def send(
        self,
        label: int = 0,
        data: Data = b"",
        *,
        caps: Sequence[Capability | int] = (),
        timeout: float | None = None,
    ) -> None:
        """Send a message and wait until somebody has received it. seL4_Send.

        Errors: as for `call`; without Write the message vanishes under `semantics: sel4`
        """
        answer = stubs.send(
            self.transport, self.slot, label, _body(data), slots_of(caps), timeout, self.renewal
        )
        self.checked(answer, "Send")

    def nb_send(
        self, label: int = 0, data: Data = b"", *, caps: Sequence[Capability | int] = ()
    ) -> bool:
        """Send a message if somebody waits for it; False when it was dropped. seL4_NBSend."""
        answer = stubs.nb_send(
            self.transport, self.slot, label, _body(data), slots_of(caps), self.renewal
        )
        return not self.checked(answer, "NBSend").flags & stubs.NOTHING

    def recv(self, *, receive: Receive | None = None, timeout: float | None = None) -> Message:
        """Wait for a message, or for the notification bound to this TCB. seL4_Recv.

        `message.notification` tells the two apart. Errors: InvalidCapability (no Read), Revoked
        """
        path = None if receive is None else slot_path(receive)
        return self._received(stubs.recv(self.transport, self.slot, path, timeout), "Recv")

    def nb_recv(self, *, receive: Receive | None = None) -> Message | None:
        """A message that waits already, else None. seL4_NBRecv."""
        path = None if receive is None else slot_path(receive)
        answer = stubs.nb_recv(self.transport, self.slot, path)
        if answer.flags & stubs.NOTHING and not answer.status:
            return None
        return self._received(answer, "NBRecv")

    def reply_recv(
        self,
        label: int = 0,
        data: Data = b"",
        *,
        caps: Sequence[Capability | int] = (),
        receive: Receive | None = None,
        timeout: float | None = None,
    ) -> Message:
        """Answer the caller served last, then wait for the next message. seL4_ReplyRecv."""
        here = _here()
        if (
            here.env is self.env
            and type(data) is bytes
            and len(data) <= MSG_BYTES
            and not caps
            and receive is None
            and timeout is None
        ):
            answer = here.call(
                _pack(VERSION, _REPLY_RECV, 0, len(data), self.slot, label, 0) + data
            )
            _, _, status, _, badge, label, extra, _, flags = _unpack(answer)
            if not (status or extra or flags):
                return _message(Message, (answer[_HEADER:], badge, label, (), 0, False))
            return self._received(stubs.answer(answer), "ReplyRecv")
        path = None if receive is None else slot_path(receive)
        return self._received(
            stubs.reply_recv(
                self.transport, self.slot, label, _body(data), slots_of(caps), path, timeout
            ),
            "ReplyRecv",
        )

    def _received(self, answer: Answer, call: str) -> Message:
        status, label, badge, data, caps, unwrapped, flags = answer
        if status:
            raise refusal(status, call, self.slot, data, self.name)
        return Message(data, badge, label, caps, unwrapped, flags & stubs.NOTIFICATION != 0)


def _body(data: Data) -> bytes:
    made = body(data)
    if len(made) > MSG_BYTES:
        raise ValueError(
            f"a message has at most {MSG_BYTES} bytes ({MSG_BYTES // 8} words), not {len(made)}:"
            " share a page (env.memory) for more"
        )
    return made
