"""Anything at all on the wire: its sender is faulted or answered, and nobody else notices.

A real ROUTER, the real core, two PDs that talk to each other and a third that sends what Hypothesis
thinks of: requests that are nearly right, and bytes that are no ZMTP. `nox -s fuzz` looks longer.
"""

import math
import os
import time
from pathlib import Path
from struct import error as StructError

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from caplab.kernel.abi import (
    BODY_MAX,
    EXTRA_CAPS,
    FRAME_MAX,
    HEADER_SIZE,
    RENEWAL,
    REQUEST,
    SLOT_PATH,
    TIMEOUT,
    Flag,
    Inv,
    Sys,
)
from frames import encode
from fuzzed_system import FuzzedSystem
from raw_zmtp import COMMAND, GREETING, LONG, MORE, PATIENCE, RawPeer, frame, ready

fuzz = settings(
    max_examples=int(os.environ.get("CAPLAB_FUZZ", "400")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

# -- requests that are nearly right ---------------------------------------------------------------

numbers = st.sampled_from([0, 1, 2, 3, 4, 5, 16, 17, 511, 512, 513, 1023, 1024, 2**32, 2**64 - 1])
labels = st.sampled_from([*map(int, Inv), 0, 7, 2**63]) | st.integers(0, 2**64 - 1)
bodies = st.binary(max_size=80) | st.lists(numbers, max_size=12) | st.just(b"\xdf\xff\xff\xff\xff")
requests = st.builds(
    encode,
    st.sampled_from([*map(int, Sys)]) | st.integers(0, 255),
    numbers,
    bodies,
    label=labels,
    caps=st.lists(numbers, max_size=EXTRA_CAPS).map(tuple),
    slot=st.none() | numbers | st.tuples(numbers, numbers, numbers),
    timeout=st.none() | st.sampled_from([0.0, 1e-9, 1e300, -1.0, math.nan, math.inf]),
    renewal=st.none() | numbers,
)


@st.composite
def spoilt(draw: st.DrawFn) -> bytes:
    """A request with a byte changed, an end cut off or something added; or no request at all."""
    data = bytearray(draw(requests))
    how = draw(st.sampled_from(["change", "cut", "add", "huge", "other"]))
    if how == "change":
        data[draw(st.integers(0, min(len(data), HEADER_SIZE) - 1))] = draw(st.integers(0, 255))
    elif how == "cut":
        del data[draw(st.integers(0, len(data) - 1)) :]
    elif how == "add":
        data += draw(st.binary(min_size=1, max_size=40))
    elif how == "huge":
        data += bytes(draw(st.sampled_from([1024, BODY_MAX, FRAME_MAX - len(data)])))
    else:
        return draw(st.binary(max_size=100))
    return bytes(data)


def well_formed(data: bytes) -> bool:
    """What the page of the wire says a request is, once more."""
    if len(data) < HEADER_SIZE:
        return False
    version, _, flags, length, _, _, caps = REQUEST.unpack_from(data)
    if version != 1 or flags > 7 or caps > EXTRA_CAPS or length > BODY_MAX:
        return False
    parts = {Flag.SLOT: SLOT_PATH, Flag.TIMEOUT: TIMEOUT, Flag.RENEWAL: RENEWAL}
    at = HEADER_SIZE
    for flag, part in parts.items():
        if flags & flag:
            try:
                (value, *_) = part.unpack_from(data, at)
            except StructError:
                return False
            if flag == Flag.TIMEOUT and not value >= 0:
                return False
            at += part.size
    return len(data) == at + length + 8 * caps


def ends_its_sender(data: bytes) -> bool:
    """Whether this request is one that a PD without a fault handler does not survive."""
    known = {int(call) for call in Sys} - {Sys.FAULT}
    return not well_formed(data) or data[1] not in known


@fuzz
@given(data=requests | spoilt())
def test_a_request_is_answered_or_faults_its_sender_and_concerns_nobody_else(
    runtime_dir: Path, data: bytes
) -> None:
    with FuzzedSystem(runtime_dir) as system:
        system.boot()
        before = system.rest()
        bad = system.peer(system.id_of("bad"))
        bad.send(data)
        while not system.calls_of("bad"):
            system.talk()
        system.talk()
        assert system.rest() == before
        assert system.faulted("bad") == ends_its_sender(data)
        event("faulted" if system.faulted("bad") else "answered or blocked")


# -- bytes ----------------------------------------------------------------------------------------

lengths = st.sampled_from([0, 1, FRAME_MAX, FRAME_MAX + 1, 2**31, 2**62, 2**63, 2**64 - 1])
commands = st.sampled_from([b"\x04PING\x00\x00hello", b"\x04PONG", b"\x05ERROR\xff", b"\x05READY"])
pieces = st.one_of(
    st.builds(frame, requests | spoilt(), st.sampled_from([0, 0, MORE, LONG])),
    st.builds(frame, st.binary(max_size=300), st.integers(0, 255)),
    st.builds(frame, commands | st.binary(max_size=20), st.just(COMMAND)),
    lengths.map(lambda length: bytes([LONG]) + length.to_bytes(8, "big")),
    st.binary(max_size=80),
)


@st.composite
def openings(draw: st.DrawFn) -> bytes:
    """A greeting and a READY with something wrong."""
    data = bytearray(GREETING + ready(draw(st.binary(max_size=300))))
    for _ in range(draw(st.integers(0, 3))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(0, len(data)))])


def leave(system: FuzzedSystem, raw: RawPeer) -> None:
    """Say nothing more; whoever was heard and hangs up is faulted, sooner or later."""
    raw.half_close()
    assert raw.gone()
    system.settle()
    end = time.monotonic() + PATIENCE
    while system.calls_of("bad") and not system.faulted("bad"):
        system.settle()
        assert time.monotonic() < end
    system.talk()


@fuzz
@given(script=st.lists(pieces, min_size=1, max_size=6))
def test_bytes_after_a_right_beginning_fault_their_sender_and_concern_nobody_else(
    runtime_dir: Path, script: list[bytes]
) -> None:
    with FuzzedSystem(runtime_dir) as system:
        system.boot()
        before = system.rest()
        with RawPeer(system.address, system.id_of("bad")).introduce() as raw:
            for piece in script:
                if not raw.send(piece):
                    break
            leave(system, raw)
        assert system.rest() == before
        event("faulted" if system.faulted("bad") else "never heard")


@fuzz
@given(opening=openings(), script=st.lists(pieces, max_size=3))
def test_a_wrong_beginning_is_nobodys_and_concerns_nobody(
    runtime_dir: Path, opening: bytes, script: list[bytes]
) -> None:
    with FuzzedSystem(runtime_dir) as system:
        system.boot()
        before = system.rest()
        with RawPeer(system.address, b"") as raw:
            raw.send(b"".join([opening, *script]))
            leave(system, raw)
        assert system.rest() == before
        assert not system.calls_of("bad")
