"""What a PD is told when it starts: the map that comes through its spawn pipe."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgpack

READ_SIZE = 65536


class SpawnInfo(NamedTuple):
    """Everything a PD starts with. The routing ids are secrets: they are the PD's identity."""

    pd: int
    name: str
    generation: int = 1
    address: str = ""
    """Where the kernel listens."""
    ids: tuple[bytes, ...] = ()
    """One routing id per TCB, the first TCB's first."""
    run: Mapping[str, Any] | str = ""
    """The program: resolved already, or as a user writes it."""
    args: Mapping[str, Any] = {}  # read only, by its type
    path: tuple[str, ...] = ()
    """Code roots."""
    devices: Mapping[str, int] = {}
    """The descriptor of each device's register."""
    seed: int = 0
    semantics: str = "lab"

    @classmethod
    def unpack(cls, data: bytes) -> SpawnInfo:
        """From the msgpack map. Keys this version does not know are passed over."""
        given = msgpack.unpackb(data)
        known = {key: value for key, value in given.items() if key in cls._fields}
        known["ids"] = tuple(known["ids"])
        known["path"] = tuple(known.get("path", ()))
        return cls(**known)


def read_to_end(fd: int) -> bytes:
    """All that a pipe brings, up to its end; the descriptor is closed."""
    parts = []
    with os.fdopen(fd, "rb", buffering=0) as pipe:
        while part := pipe.read(READ_SIZE):
            parts.append(part)
    return b"".join(parts)
