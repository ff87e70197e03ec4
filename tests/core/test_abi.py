"""Frames that break the rules of the wire: only the PD that sent them is faulted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caplab.kernel.abi import BODY_MAX, EXTRA_CAPS, HEADER_SIZE, REQUEST, VERSION, Status, Sys
from caplab.kernel.core.effects import Kill, Resume
from caplab.kernel.core.events import BadFrame, Syscall
from lab import Lab, encode, ok, trio


def header(
    version: int = VERSION, call: int = Sys.CALL, flags: int = 0, length: int = 0, ncaps: int = 0
) -> bytes:
    return REQUEST.pack(version, call, flags, length, 0, 0, ncaps)


def feed(lab: Lab, frame: bytes, name: str = "app") -> None:
    lab.step(Syscall(lab.now, lab[name].number, frame))


def faulted(lab: Lab, why: str) -> None:
    """`app` is killed, `why` is the reason, and the others go on."""
    number = lab.pd("app").number
    assert lab.effects == [Kill(number, 9)]
    lab.die("app")
    row = lab.ps("app")
    assert row["state"] == "faulted"
    assert "broke the ABI" in row["reason"]
    assert why in row["reason"]
    fs, web = lab["fs"], lab["web"]
    web.call("fs", b"still here")
    assert ok(fs.recv()).body == b"still here"


@pytest.mark.parametrize("frame", [b"", b"x", bytes(HEADER_SIZE - 1)])
def test_a_frame_shorter_than_a_header(frame: bytes) -> None:
    lab = trio()
    feed(lab, frame)
    faulted(lab, f"a frame of {len(frame)} bytes, shorter than a header")


@pytest.mark.parametrize("version", [0, 2, 255])
def test_another_version(version: int) -> None:
    lab = trio()
    feed(lab, header(version=version))
    faulted(lab, f"header version {version}; this kernel speaks {VERSION}")


def test_unknown_flags() -> None:
    lab = trio()
    feed(lab, header(flags=0x80))
    faulted(lab, "unknown flags 0x80")


def test_too_many_capabilities() -> None:
    lab = trio()
    feed(lab, header(ncaps=4) + bytes(32))
    faulted(lab, f"4 capabilities in one message; {EXTRA_CAPS} at most")


@pytest.mark.parametrize("flags", [1, 2, 4, 7])
def test_a_frame_shorter_than_its_flags_say(flags: int) -> None:
    lab = trio()
    feed(lab, header(flags=flags) + bytes(4))
    faulted(lab, "the frame is shorter than its flags say")


@pytest.mark.parametrize(("said", "sent"), [(10, 9), (9, 10), (0, 1), (2**32 - 1, 5)])
def test_a_length_that_is_not_the_bodys(said: int, sent: int) -> None:
    lab = trio()
    feed(lab, header(length=said) + bytes(sent))
    faulted(lab, "bytes")


def test_a_body_longer_than_any_may_be() -> None:
    lab = trio()
    feed(lab, header(length=BODY_MAX + 1) + bytes(BODY_MAX + 1))
    faulted(lab, f"a body of {BODY_MAX + 1} bytes; {BODY_MAX} at most")


def test_the_longest_body_is_no_breach() -> None:
    lab = trio()
    feed(lab, header(length=BODY_MAX) + bytes(BODY_MAX))
    assert lab["app"].woken().status == Status.NEVER_EXISTED


@pytest.mark.parametrize("seconds", [float("nan"), -1.0, float("-inf")])
def test_a_time_limit_that_is_none(seconds: float) -> None:
    lab = trio()
    feed(lab, encode(Sys.CALL, timeout=seconds))
    faulted(lab, f"a time limit of {seconds} seconds")


def test_two_calls_at_once() -> None:
    lab = trio()
    lab["app"].call("fs")
    feed(lab, encode(Sys.YIELD))
    faulted(lab, "two calls at once")


def test_what_the_transport_could_not_read() -> None:
    lab = trio()
    lab.step(BadFrame(lab.now, lab["app"].number, "3 parts in one message"))
    faulted(lab, "3 parts in one message")


def test_a_faulted_pd_is_not_heard_any_more_and_killed_once() -> None:
    lab = trio()
    feed(lab, b"garbage")
    app, fs = lab["app"], lab["fs"]
    fs.recv()
    assert app.send("fs", b"one more") is None
    assert fs.blocked
    feed(lab, b"more garbage")
    feed(lab, b"and more")
    assert lab.effects == []


def test_who_was_killed_for_another_reason_is_not_said_to_have_broken_the_abi() -> None:
    """The transport sees a dead PD's connection end before its exit status comes."""
    lab = trio()
    lab.ask("kill", pd="app")
    lab.step(BadFrame(lab.now, lab["app"].number, "disconnected"))
    lab.die("app")
    row = lab.ps("app")
    assert (row["state"], row["reason"]) == ("killed", "SIGKILL by operator")


def test_frames_of_channels_that_are_nobodys_are_dropped() -> None:
    lab = trio()
    assert lab.step(Syscall(0, 999, encode(Sys.YIELD))) == []
    assert lab.step(BadFrame(0, 999, "?")) == []


@given(frame=st.binary(max_size=200))
def test_no_bytes_whatever_raise_or_reach_anybody_else(frame: bytes) -> None:
    lab = trio()
    lab["fs"].recv()
    feed(lab, frame)
    told = {effect.tcb for effect in lab.of(Resume)}
    assert told <= {lab["app"].number}
    assert len(lab.effects) <= 1


@given(
    call=st.integers(0, 255),
    flags=st.integers(0, 7),
    cptr=st.integers(0, 20) | st.integers(500, 520) | st.integers(0, 2**64 - 1),
    label=st.integers(0, 120) | st.integers(0, 2**64 - 1),
    body=st.binary(max_size=60),
    caps=st.lists(st.integers(0, 20) | st.integers(500, 520), max_size=3),
    tail=st.binary(min_size=40, max_size=40),
)
def test_no_well_formed_call_raises(
    call: int, flags: int, cptr: int, label: int, body: bytes, caps: list[int], tail: bytes
) -> None:
    lab = trio()
    sizes = (24, 8, 8)
    parts = b"".join(
        tail[sum(sizes[:bit]) : sum(sizes[: bit + 1])] for bit in range(3) if flags & 1 << bit
    )
    words = b"".join(cap.to_bytes(8, "little") for cap in caps)
    frame = REQUEST.pack(VERSION, call, flags, len(body), cptr, label, len(caps)) + parts
    feed(lab, frame + body + words)
