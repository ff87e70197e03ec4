"""How a message travels: a word that marks it, its length, and the message itself.

The answer has no mark. As in libsel4rpc the length stands before the message (length-delimited),
because an IPC message is whole words and may be longer than what it carries.
"""

from __future__ import annotations

from google.protobuf.message import DecodeError

from caplab.kernel.abi import MSG_BYTES, WORD
from caplab.pd.sel4rpc.errors import Malformed
from caplab.pd.sel4rpc.rpc_pb2 import RpcMessage

MAGIC = 0xCAFED00D
"""The first word of a request, unless parent and child have agreed on another."""
_LENGTH_BYTES = 2
"""Of a length up to MSG_BYTES."""


def encode(message: RpcMessage, mark: bytes = b"") -> bytes:
    """The bytes of a message. Raises ValueError when they are more than an IPC message has."""
    data = message.SerializeToString()
    size = len(data)
    length = bytes((size,)) if size < 0x80 else bytes((size & 0x7F | 0x80, size >> 7))
    whole = mark + length + data
    if len(whole) > MSG_BYTES:
        raise ValueError(f"a request of {size} bytes does not fit an IPC message")
    return whole


def decode(data: bytes, at: int = 0) -> RpcMessage:
    """The message that begins at byte `at`; what follows it is let be. Raises Malformed."""
    length = 0
    for position, byte in enumerate(data[at : at + _LENGTH_BYTES]):
        length |= (byte & 0x7F) << 7 * position
        if byte < 0x80:
            first = at + position + 1
            break
    else:
        raise Malformed("a message without its length")
    if first + length > len(data):
        raise Malformed(f"{len(data) - first} bytes; {length} were announced")
    try:
        return RpcMessage.FromString(data[first : first + length])
    except DecodeError:
        raise Malformed(f"{length} bytes are no RpcMessage") from None


def marked(data: bytes, mark: bytes) -> bool:
    """Whether a message begins with the word that marks requests."""
    return data[: WORD.size] == mark
