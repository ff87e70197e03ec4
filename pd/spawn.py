"""The spawn channel: what a PD is told when it starts, and which of its threads is which TCB."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from threading import get_native_id
from typing import Any, NamedTuple

import msgpack

INFO_MAX = 65536


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
    console: Mapping[str, Any] = {}  # read only, by its type
    """What the manifest says of how the PD prints and reads at serial servers."""
    terminal: int = -1
    """The descriptor of the terminal, where `breakpoint()` opens; -1 for a PD without `debug`."""
    seed: int = 0
    semantics: str = "lab"
    confinement: str = "none"
    """The level that is in force: strict, basic or none."""
    handed: bool = False
    """Whether memory objects come as descriptors, over the channel."""
    channel: int = -1
    """The descriptor that all this came through; it stays open as long as the PD lives."""

    @classmethod
    def unpack(cls, data: bytes) -> SpawnInfo:
        """From the msgpack map. Keys this version does not know are passed over."""
        given = msgpack.unpackb(data)
        known = {key: value for key, value in given.items() if key in cls._fields}
        known["ids"] = tuple(known["ids"])
        known["path"] = tuple(known.get("path", ()))
        return cls(**known)


def receive(channel: int) -> SpawnInfo:
    """What the PD is told first. Raises EOFError: there is nobody who would tell it."""
    data = os.read(channel, INFO_MAX)
    if not data:
        raise EOFError("the spawn channel has ended")
    return SpawnInfo.unpack(data)._replace(channel=channel)


def introduce(info: SpawnInfo, tcb: int) -> None:
    """Say which TCB the calling thread is, so that its faults are known for that TCB's."""
    if info.channel >= 0:
        with suppress(OSError):  # a PD whose kernel has gone is going too
            os.write(info.channel, msgpack.packb({"tcb": tcb, "tid": get_native_id()}))
