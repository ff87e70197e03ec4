"""One request and its answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from caplab.pd.env import Env
from caplab.pd.errors import (
    Cancelled,
    IpcTimeout,
    MissingCap,
    NeverExisted,
    NoSpareTcb,
    NotEnoughMemory,
    PdDead,
    PeerDied,
    Revoked,
    ServiceError,
    SlotsExhausted,
)
from caplab.pd.idl.errors import (
    BadValue,
    Below,
    MessageTooShort,
    NotHere,
    OutOfRange,
    UnknownOpcode,
    UnknownProtocol,
    WrongVersion,
    body_of,
    label_of,
)
from caplab.pd.idl.interface import IDENTIFY, Interface
from caplab.pd.ipc import Message, words
from caplab.pd.ipc_server.adapt import Entry, Table
from caplab.pd.objects import Capability

CIRCUMSTANCES = (
    *(Cancelled, IpcTimeout, NeverExisted, NotEnoughMemory, PdDead, PeerDied, Revoked),
    *(ServiceError, SlotsExhausted, MissingCap, NoSpareTcb),
)
"""What may go wrong under an operation without being its mistake: it is answered with Below."""
_OWN = (BadValue, OutOfRange, NotHere)
"""What an operation may refuse without declaring it."""


class Answer(NamedTuple):
    """What a reply carries; nothing of it is an empty success."""

    label: int = 0
    data: bytes = b""
    caps: Sequence[Capability] = ()

    @classmethod
    def refusing(cls, error: ServiceError) -> Answer:
        return cls(label_of(error), body_of(error))


def told(env: Env, entry: Entry, error: Exception) -> ServiceError:
    """What a client is told when an operation raised: what its interface declares, or Below."""
    if isinstance(error, (entry.iface.errors, *_OWN)):
        return error
    return Below(f"{env.name}: {error}")


def unknown(known: Table, message: Message) -> Answer:
    """The answer to a message that asks for no operation: for a version, or for nothing there is"""
    try:
        return Answer(0, _identified(known, message))
    except ServiceError as refusal:
        return Answer.refusing(refusal)


def _identified(known: Table, message: Message) -> bytes:
    ops = known.get(message.label)
    if ops is None:
        there = ", ".join(sorted({e.iface.name for each in known.values() for e in each.values()}))
        raise UnknownProtocol(
            f"nothing here answers protocol {message.label:#x}; what is here: {there or 'nothing'}"
        )
    if len(message.data) < 8:
        raise MessageTooShort(f"{len(message.data)} bytes hold no opcode")
    opcode, *rest = words(message.data)
    ifaces = {entry.iface.name: entry.iface for entry in ops.values()}
    if opcode != IDENTIFY:
        raise UnknownOpcode(f"{' and '.join(ifaces)} has no operation {opcode}")
    if not rest:
        raise MessageTooShort("the version of who asks is missing")
    return _version(list(ifaces.values()), rest[0])


def _version(ifaces: list[Interface], asked: int) -> bytes:
    for iface in ifaces:
        if iface.version == asked:
            return asked.to_bytes(8, "little")
    names = " and ".join(f"{iface.name} {iface.version:016x}" for iface in ifaces)
    raise WrongVersion(
        f"the server speaks {names}, its client {asked:016x}: make both anew with `caplab gen`"
    )
