"""Every argument of everything in the table, one at a time: out of range, of the wrong type, huge,
negative, missing, superfluous. Whatever comes, it is done, or refused by an error that the
docstring names, and then nothing has changed.
"""

from typing import Any

import pytest

from arguments import (
    REFUSED,
    WILD_BODIES,
    WILD_SLOTS,
    WILD_VALUES,
    WILD_WORDS,
    Bench,
    body_of,
    documented,
    refused,
)
from caplab.kernel.abi import BODY_MAX, MSG_BYTES, SLOT_CNODE, WORD, ObjectType, Status, Sys
from caplab.kernel.core.syscalls import INVOCATIONS, ROWS, Invocation, Syscall
from everything import BADGED, ENDPOINT, FREE, HUGE, world
from good_calls import GOOD
from lab import Answer

invocation = pytest.mark.parametrize("row", INVOCATIONS, ids=lambda row: row.name)
syscall = pytest.mark.parametrize("row", ROWS.values(), ids=lambda row: row.number.name)
MESSAGES = (ObjectType.ENDPOINT, ObjectType.NOTIFICATION, ObjectType.REPLY)


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench()


def status(answer: Answer | None) -> Status:
    """Of an answer; a call that waits for something has not been refused."""
    return Status.OK if answer is None else Status(answer.status)


# -- the descriptions ------------------------------------------------------------------------


@invocation
def test_every_argument_of_the_table_is_described(row: Invocation) -> None:
    """A new row is fuzzed as the others are: this fails until `arguments.py` knows it."""
    good = GOOD[row.name]
    assert tuple(good.given) == row.words
    assert len(good.caps) == len(row.caps)
    assert bool(good.rest) == bool(row.rest)
    for argument in (*row.words, *row.caps, *filter(None, [row.rest])):
        assert refused(row.name, argument) is not None, argument


def test_nothing_is_described_that_is_not_in_the_table() -> None:
    assert GOOD.keys() == {row.name for row in INVOCATIONS}
    known = {(row.name, name) for row in INVOCATIONS for name in (*row.words, *row.caps, row.rest)}
    for key in REFUSED:
        name, _, argument = key.rpartition(".")
        assert any(argument == one and name in ("", of) for of, one in known), key


def test_the_world_has_an_object_of_every_kind() -> None:
    _, boss = world()
    found = {slot.cap.type for slot in boss.pd.cspace.slots.values() if slot.cap}
    assert found >= {*MESSAGES, *(row.object for row in INVOCATIONS)}


@invocation
def test_the_call_that_all_others_are_made_from_is_done(row: Invocation, bench: Bench) -> None:
    assert status(bench.try_good(row)) == Status.OK


# -- one argument at a time --------------------------------------------------------------------


@invocation
def test_a_value_that_an_argument_may_not_have_is_refused(row: Invocation, bench: Bench) -> None:
    for argument in (*row.words, *row.caps):
        for value in refused(row.name, argument) or ():
            assert status(bench.try_good(row, **{argument: value})), (argument, value)


@invocation
def test_any_value_of_an_argument_is_taken_or_refused(row: Invocation, bench: Bench) -> None:
    wild = WILD_WORDS if row.body == "words" else WILD_VALUES
    for argument in row.words:
        for value in wild:
            bench.try_good(row, **{argument: value})
    for cap in row.caps:
        for value in WILD_SLOTS:
            bench.try_good(row, **{cap: value})


@invocation
def test_an_argument_that_is_missing_is_refused(row: Invocation, bench: Bench) -> None:
    good = GOOD[row.name]
    body = body_of(row, good.given, good.rest)
    for count in range(len(good.caps)):
        more = {"caps": good.caps[:count], "slot": good.receive}
        assert status(bench.call(row, good.on, body, **more)), count
    if row.body == "words":
        assert isinstance(body, list)
        whole = b"".join(WORD.pack(word) for word in body)
        for length in range(0, len(whole), 4):
            answer = bench.call(row, good.on, whole[:length], caps=good.caps)
            assert status(answer) == Status.TRUNCATED_MESSAGE, length


@invocation
def test_a_named_argument_left_out_is_as_good_as_nothing(row: Invocation, bench: Bench) -> None:
    good = GOOD[row.name]
    for argument in row.words if row.body == "msgpack" else ():
        given = {name: value for name, value in good.given.items() if name != argument}
        more = {"caps": good.caps, "slot": good.receive}
        left_out = bench.call(row, good.on, body_of(row, given), **more)
        assert status(left_out) == status(bench.try_good(row, **{argument: None})), argument


@invocation
def test_what_is_too_much_is_ignored_or_refused(row: Invocation, bench: Bench) -> None:
    """Words and capabilities beyond those of the table are ignored, as in seL4."""
    good = GOOD[row.name]
    given: dict[str, Any] = dict(good.given)
    more = {"caps": good.caps, "slot": good.receive}
    if row.body == "words":
        body = body_of(row, given, (*good.rest, 0, 1, HUGE))
        assert status(bench.call(row, good.on, body, **more)) == Status.OK
    elif row.words:
        answer = bench.call(row, good.on, body_of(row, {**given, "stray": 1}), **more)
        assert status(answer) == Status.INVALID_ARGUMENT
    filled = (*good.caps, SLOT_CNODE, 99, HUGE)[:3]
    body = body_of(row, given, good.rest)
    assert status(bench.call(row, good.on, body, caps=filled, slot=good.receive)) == Status.OK


@invocation
def test_a_body_that_is_no_map_is_refused(row: Invocation, bench: Bench) -> None:
    if row.body != "msgpack" or not row.words:
        return
    good = GOOD[row.name]
    for body in WILD_BODIES[2:]:
        answer = bench.call(row, good.on, body, caps=good.caps, slot=good.receive)
        assert status(answer) in (Status.TRUNCATED_MESSAGE, Status.INVALID_ARGUMENT), body[:9]
    for body in WILD_BODIES[:2]:
        bench.call(row, good.on, body, caps=good.caps, slot=good.receive)


@invocation
def test_a_body_as_long_as_any_may_be_is_no_breach(row: Invocation, bench: Bench) -> None:
    good = GOOD[row.name]
    for byte in (b"\0", b"\xff"):
        bench.call(row, good.on, byte * BODY_MAX, caps=good.caps, slot=good.receive)


@invocation
def test_on_an_object_of_another_type_it_is_an_illegal_operation(
    row: Invocation, bench: Bench
) -> None:
    good = GOOD[row.name]
    slots = bench.ready().pd.cspace.slots
    for index in sorted(slots):
        cap = slots[index].cap
        if cap is not None and cap.type not in (row.object, *MESSAGES):
            body = body_of(row, good.given, good.rest)
            more = {"caps": good.caps, "label": int(row.label)}
            answer = bench.call(ROWS[Sys.CALL], index, body, **more)
            assert status(answer) == Status.ILLEGAL_OPERATION, index


PATHS = (
    *((0, FREE, depth) for depth in (0, 1, 63, 65, 2**63, HUGE)),
    *((0, index, 64) for index in (0, 1, ENDPOINT, 512, 5000, HUGE)),
    *((root, FREE, 64) for root in (1, ENDPOINT, 27, 99, HUGE)),
)
"""Of receive slots: root, index and depth."""


def test_a_pd_is_given_to_an_empty_slot_of_the_own_half(bench: Bench) -> None:
    row = next(row for row in INVOCATIONS if row.name == "pd_create")
    good = GOOD[row.name]
    for path in (None, *PATHS):
        assert status(bench.call(row, good.on, body_of(row, good.given), slot=path)), path


@invocation
def test_a_receive_slot_that_is_none_is_no_breach(row: Invocation, bench: Bench) -> None:
    good = GOOD[row.name]
    for path in PATHS:
        bench.call(row, good.on, body_of(row, good.given, good.rest), caps=good.caps, slot=path)


@pytest.mark.parametrize("kind", [Sys.SEND, Sys.NB_SEND])
def test_sent_it_is_refused_by_the_same_errors(kind: Sys, bench: Bench) -> None:
    for row in INVOCATIONS:
        good = GOOD[row.name]
        for argument in row.words:
            for value in (refused(row.name, argument) or ())[:2]:
                body = body_of(row, {**good.given, argument: value}, good.rest)
                more = {"caps": good.caps, "slot": good.receive, "kind": kind}
                assert status(bench.call(row, good.on, body, **more)), (row.name, argument, value)


# -- system calls ------------------------------------------------------------------------------


def calls(bench: Bench, row: Syscall, **more: Any) -> Answer | None:
    on = more.pop("on", BADGED if row.number in (Sys.CALL, Sys.SEND, Sys.NB_SEND) else ENDPOINT)
    body = more.pop("body", b"x" * 8)
    return bench.call(row, on, body, kind=row.number, **more)


@syscall
def test_a_system_call_on_any_pointer_is_done_or_refused(row: Syscall, bench: Bench) -> None:
    for cptr in WILD_SLOTS:
        answer = calls(bench, row, on=cptr, label=5)
        if row.takes_cap and cptr in (0, 99, 5000, HUGE):
            assert status(answer) in (Status.NEVER_EXISTED, Status.FAILED_LOOKUP), cptr


@syscall
def test_a_system_call_with_any_label_and_length_is_done_or_refused(
    row: Syscall, bench: Bench
) -> None:
    for label in WILD_WORDS:
        calls(bench, row, label=label)
    for length in (0, 1, 7, MSG_BYTES - 1, MSG_BYTES, MSG_BYTES + 1, BODY_MAX):
        answer = calls(bench, row, body=b"\xff" * length)
        if length > MSG_BYTES and row.number in (Sys.CALL, Sys.SEND, Sys.REPLY, Sys.REPLY_RECV):
            assert status(answer) == Status.RANGE_ERROR, length


@syscall
def test_a_system_call_with_any_capabilities_is_done_or_refused(row: Syscall, bench: Bench) -> None:
    sends = row.number in (Sys.CALL, Sys.SEND, Sys.NB_SEND, Sys.REPLY, Sys.REPLY_RECV)
    for cap in WILD_SLOTS if sends else WILD_SLOTS[::8]:
        for caps in ([cap], [ENDPOINT, cap], [cap, cap, cap]):
            calls(bench, row, caps=caps)


@syscall
def test_a_system_call_with_any_receive_slot_is_done_or_refused(row: Syscall, bench: Bench) -> None:
    for path in PATHS:
        calls(bench, row, slot=path)


@syscall
def test_a_system_call_with_any_time_limit_is_done_or_refused(row: Syscall, bench: Bench) -> None:
    for timeout in (0.0, -0.0, 5e-324, 1e-9, 1.0, 1e9, 1e10, 1e308, float("inf")):
        calls(bench, row, timeout=timeout)


@syscall
def test_a_system_call_with_any_renewal_is_done_or_refused(row: Syscall, bench: Bench) -> None:
    for renewal in (0, 1, 2**31, HUGE):
        answer = calls(bench, row, renewal=renewal)
        if renewal and row.takes_cap:
            assert status(answer) == Status.DIED_BEFORE_RECV


@pytest.mark.parametrize(
    "more",
    [
        {"caps": (1, 2, 3, 4)},
        {"caps": (1,) * 60},
        {"body": b"x" * (BODY_MAX + 1)},
        {"timeout": float("nan")},
        {"timeout": -1.0},
        {"timeout": float("-inf")},
    ],
)
@pytest.mark.parametrize("call", [*ROWS, 0, 15, 99, 255])
def test_what_no_frame_may_say_ends_the_pd_alone(call: int, more: dict[str, Any]) -> None:
    lab, boss = world()
    assert boss.syscall(call, **{"cptr": ENDPOINT, **more}) is None
    lab.die("boss")
    assert lab.ps("boss")["reason"].startswith("broke the ABI: ")
    assert lab.pd("fs").alive


@pytest.mark.parametrize("call", [0, max(Sys) + 1, 99, 255])
def test_a_system_call_that_does_not_exist_ends_the_pd_alone(call: int) -> None:
    lab, boss = world()
    assert boss.syscall(call, ENDPOINT, b"x", caps=[ENDPOINT], label=HUGE) is None
    lab.die("boss")
    assert lab.ps("boss")["reason"] == f"unknown system call {call}"


def test_as_another_call_means_its_errors() -> None:
    rows = {row.name: row for row in INVOCATIONS}
    assert documented(rows["cnode_mint"]) >= documented(rows["cnode_copy"])
    assert "RANGE_ERROR" in documented(ROWS[Sys.REPLY_RECV])
