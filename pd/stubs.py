"""The system calls, raw: numbers in, numbers out.

Each stub makes one frame, hands it to the caller's transport and reads the answer. A status is
returned, never raised: capability objects (:mod:`caplab.pd.objects`) turn it into an exception.
The two statuses that are no answer at all are acted upon here, whoever called: STOP raises
:class:`~caplab.pd.errors.Stop`, CRASH fails the PD as its operator asked.

Every stub takes the transport of the calling TCB first. `cptr` is a slot of the own CSpace,
`caps` are slots to send (at most 3), `path` is the receive slot as (root, index, depth) and
`timeout` seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from struct import Struct
from typing import Any, NamedTuple

import msgpack

from caplab.kernel.abi import (
    ANSWER,
    BODY_MAX,
    EXTRA_CAPS,
    RENEWAL,
    REQUEST,
    SLOT_PATH,
    TIMEOUT,
    VERSION,
    WORD_BITS,
    AnswerFlag,
    FaultLabel,
    Flag,
    Status,
    Sys,
)
from caplab.pd.crash import crash
from caplab.pd.errors import Stop
from caplab.pd.mappings import obey
from caplab.pd.transport import Transport

SlotPath = tuple[int, int, int]

# Plain integers, because an enum's `|` and `&` build enum members.
_SLOT, _TIMEOUT, _RENEWAL = int(Flag.SLOT), int(Flag.TIMEOUT), int(Flag.RENEWAL)
NOTHING, NOTIFICATION = int(AnswerFlag.NOTHING), int(AnswerFlag.NOTIFICATION)
_WITHDRAWN = int(AnswerFlag.WITHDRAWN)
"""The highest flag."""
_STOP, _CRASH = int(Status.STOP), int(Status.CRASH)

_pack_request = REQUEST.pack
_unpack_answer = ANSWER.unpack_from
_HEADER = ANSWER.size
WORDS = tuple(Struct(f"<{count}Q") for count in range(24))
"""Packers of so many words: at most as many as TCB_WriteRegisters sends with all registers."""


class Answer(NamedTuple):
    """What the kernel answered."""

    status: int
    label: int
    badge: int
    data: bytes
    caps: tuple[int, ...]
    unwrapped: int
    flags: int


class Refused(Answer):
    """A refusal of `invoke_map`, with what was asked."""

    given: Mapping[str, Any]


def slot_path(slot: int | SlotPath) -> SlotPath:
    """A receive slot: a slot of the own CSpace, or a path given in full."""
    return (0, slot, WORD_BITS) if isinstance(slot, int) else slot


def request(
    call: int,
    cptr: int,
    label: int = 0,
    data: bytes = b"",
    caps: Sequence[int] = (),
    path: SlotPath | None = None,
    timeout: float | None = None,
    renewal: int | None = None,
) -> bytes:
    """One request frame; parts that are not given take no room."""
    if len(data) > BODY_MAX:
        raise ValueError(f"a body has at most {BODY_MAX} bytes, not {len(data)}")
    if len(caps) > EXTRA_CAPS:
        raise ValueError(f"a message carries at most {EXTRA_CAPS} capabilities, not {len(caps)}")
    flags = 0
    parts = b""
    if path is not None:
        flags |= _SLOT
        parts += SLOT_PATH.pack(*path)
    if timeout is not None:
        if not timeout >= 0:
            raise ValueError(f"a timeout is a number of seconds from 0 up, not {timeout}")
        flags |= _TIMEOUT
        parts += TIMEOUT.pack(timeout)
    if renewal is not None:
        flags |= _RENEWAL
        parts += RENEWAL.pack(renewal)
    head = _pack_request(VERSION, call, flags, len(data), cptr, label, len(caps))
    return head + parts + data + WORDS[len(caps)].pack(*caps)


def answer(frame: bytes) -> Answer:
    """Read an answer; STOP, CRASH and the flag WITHDRAWN are obeyed instead of returned."""
    _, _, status, length, badge, label, extra, unwrapped, flags = _unpack_answer(frame)
    end = _HEADER + length
    if flags >= _WITHDRAWN:
        obey()
        flags -= _WITHDRAWN
    if status >= _STOP:
        if status == _STOP:
            raise Stop
        if status == _CRASH:
            crash(frame[_HEADER:end].decode())
    caps = WORDS[extra].unpack_from(frame, end) if extra else ()
    return Answer(status, label, badge, frame[_HEADER:end], caps, unwrapped, flags)


def call(
    transport: Transport,
    cptr: int,
    label: int = 0,
    data: bytes = b"",
    caps: Sequence[int] = (),
    path: SlotPath | None = None,
    timeout: float | None = None,
    renewal: int | None = None,
) -> Answer:
    """Send and wait for the reply. seL4_Call."""
    return answer(
        transport.call(request(Sys.CALL, cptr, label, data, caps, path, timeout, renewal))
    )


def send(
    transport: Transport,
    cptr: int,
    label: int = 0,
    data: bytes = b"",
    caps: Sequence[int] = (),
    timeout: float | None = None,
    renewal: int | None = None,
) -> Answer:
    """Send and wait until somebody has received it. seL4_Send."""
    return answer(
        transport.call(request(Sys.SEND, cptr, label, data, caps, None, timeout, renewal))
    )


def nb_send(
    transport: Transport,
    cptr: int,
    label: int = 0,
    data: bytes = b"",
    caps: Sequence[int] = (),
    renewal: int | None = None,
) -> Answer:
    """Send if somebody waits for it, else drop it (flag NOTHING). seL4_NBSend."""
    return answer(
        transport.call(request(Sys.NB_SEND, cptr, label, data, caps, None, None, renewal))
    )


def recv(
    transport: Transport, cptr: int, path: SlotPath | None = None, timeout: float | None = None
) -> Answer:
    """Wait for a message. seL4_Recv."""
    return answer(transport.call(request(Sys.RECV, cptr, 0, b"", (), path, timeout)))


def nb_recv(transport: Transport, cptr: int, path: SlotPath | None = None) -> Answer:
    """Take a message that waits already, else flag NOTHING. seL4_NBRecv."""
    return answer(transport.call(request(Sys.NB_RECV, cptr, 0, b"", (), path)))


def reply(
    transport: Transport, label: int = 0, data: bytes = b"", caps: Sequence[int] = ()
) -> Answer:
    """Answer the caller that the last Recv brought. seL4_Reply."""
    return answer(transport.call(request(Sys.REPLY, 0, label, data, caps)))


def reply_recv(
    transport: Transport,
    cptr: int,
    label: int = 0,
    data: bytes = b"",
    caps: Sequence[int] = (),
    path: SlotPath | None = None,
    timeout: float | None = None,
) -> Answer:
    """Reply, then Recv on `cptr`. seL4_ReplyRecv."""
    return answer(transport.call(request(Sys.REPLY_RECV, cptr, label, data, caps, path, timeout)))


def signal(transport: Transport, cptr: int) -> Answer:
    """OR the capability's badge into a notification. seL4_Signal."""
    return answer(transport.call(request(Sys.SIGNAL, cptr)))


def wait(transport: Transport, cptr: int, timeout: float | None = None) -> Answer:
    """Wait for a notification and take its word (the badge). seL4_Wait."""
    return answer(transport.call(request(Sys.WAIT, cptr, timeout=timeout)))


def poll(transport: Transport, cptr: int) -> Answer:
    """Take a notification's word if it is signalled, else flag NOTHING. seL4_Poll."""
    return answer(transport.call(request(Sys.POLL, cptr)))


def yield_(transport: Transport) -> Answer:
    """Let others go first. seL4_Yield."""
    return answer(transport.call(request(Sys.YIELD, 0)))


def park(transport: Transport) -> Answer:
    """Wait to be given work by TCB_Resume: the label is the entry, the one word its argument."""
    return answer(transport.call(request(Sys.PARK, 0)))


def sleep(transport: Transport, seconds: float) -> Answer:
    """Wait for a time. OK when it is over."""
    return answer(transport.call(request(Sys.SLEEP, 0, timeout=seconds)))


def fault(transport: Transport, text: bytes) -> Answer:
    """Say why this PD is about to die; the tail counts where `text` is too long."""
    return answer(
        transport.call(request(Sys.FAULT, 0, FaultLabel.USER_EXCEPTION, text[-BODY_MAX:]))
    )


def debug(transport: Transport, at: int) -> Answer:
    """Say that the calling TCB stands at a breakpoint, or goes on (an `At`)."""
    return answer(transport.call(request(Sys.DEBUG, 0, at)))


def withdrawn(transport: Transport) -> Answer:
    """Which memory objects were taken from the PD: names, a line each."""
    return answer(transport.call(request(Sys.WITHDRAWN, 0)))


def invoke_words(
    transport: Transport, cptr: int, label: int, words: Sequence[int], caps: Sequence[int] = ()
) -> Answer:
    """An invocation whose arguments are message words."""
    return call(transport, cptr, label, WORDS[len(words)].pack(*words), caps)


def invoke_map(
    transport: Transport,
    cptr: int,
    label: int,
    fields: dict[str, Any],
    caps: Sequence[int] = (),
    path: SlotPath | None = None,
    renewal: int | None = None,
) -> Answer:
    """An invocation whose arguments are a msgpack map."""
    body: bytes = msgpack.packb(fields)
    told = call(transport, cptr, label, body, caps, path, renewal=renewal)
    if not told.status:
        return told
    refused = Refused(*told)
    refused.given = fields
    return refused


def fields(body: bytes) -> dict[str, Any]:
    """The msgpack map of an answer to `invoke_map`; an empty body is an empty map."""
    found = msgpack.unpackb(body) if body else {}
    if not isinstance(found, dict):
        raise TypeError(f"the kernel answered with {found!r} instead of a map")
    return found
