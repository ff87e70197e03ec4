"""Whatever an invocation is given, it answers with an error its docstring names, or does it."""

import re
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caplab.kernel.abi import (
    SLOT_CNODE,
    SLOT_PD,
    SLOT_TCB,
    ObjectType,
    Status,
    Sys,
    resource_badge,
)
from caplab.kernel.core.invariants import violations
from caplab.kernel.core.syscalls import INVOCATIONS, ROWS, Invocation
from caplab.kernel.core.syscalls import Syscall as Row
from lab import Lab, Thread, ok

BY_NAME = {row.name.replace("_", ""): row for row in INVOCATIONS}
BY_CALL = {row.number.name.replace("_", ""): row for row in ROWS.values()}


def documented(row: Row | Invocation, seen: frozenset[str] = frozenset()) -> set[str]:
    """The errors a docstring names, those it takes over with `as X` included."""
    text = row.handler.__doc__ or ""
    errors = text.partition("Errors:")[2].partition("Differs:")[0]
    found = set(re.findall(r"\b[A-Z][A-Z_]+\b", errors)) & {status.name for status in Status}
    for word in re.findall(r"\bas ([A-Z]\w+)", errors):
        key = word.replace("_", "")
        other = BY_NAME.get(key.lower()) or BY_CALL[key.upper()]
        if key not in seen:
            found |= documented(other, seen | {key})
    return found


def world() -> tuple[Lab, Thread]:
    """A PD that has a capability of every kind."""
    lab = Lab(
        {
            "boss": {
                "rdes": ["pd", "domain", "resspc"],
                "devices": ["uart0", "uart1"],
                "threads": 2,
                "serves": {"space": "LOT"},
                "manages": ["other", "dead"],
                "uses": {"fs": "fs"},
            },
            "fs": {"serves": "endpoint"},
            "other": {"uses": {"boss": "fs"}},
            "dead": {},
        },
        uarts=["uart0", "uart1"],
        checked=False,
    )
    boss = lab["boss"]
    boss.alloc(ObjectType.ENDPOINT, 20)
    boss.alloc(ObjectType.NOTIFICATION, 21)
    boss.alloc(ObjectType.FRAME, 22)
    ok(boss.invoke("device_claim", "uart0", slot=23))
    ok(boss.mint(20, 24, badge=9))
    ok(boss.invoke("pd_create", "rde:pd", name="child", run="x", receive=25))
    other = lab["other"]
    other.call("boss", caps=[SLOT_CNODE, SLOT_TCB])
    ok(lab["fs"].recv(slot=40))
    make_spaces(lab, boss)
    boss.call("fs", slot=26)
    lab.die("dead")
    return lab, boss


def make_spaces(lab: Lab, boss: Thread) -> None:
    """Two spaces of its own, one of another PD, resources and holds."""
    ok(boss.invoke("resspc_connect", "rde:resspc", caps=[20], type_name="CAR", receive=27))
    for number in (1, 2):
        ok(boss.invoke("resspc_create", "space", object=number))
    ok(boss.invoke("resspc_give", "space", object=1, pd=lab.pd("other").number))
    ok(boss.invoke("resspc_give", "space", object=2, pd=lab.pd("boss").number))
    ok(boss.invoke("resspc_issue", "space", pd=lab.pd("boss").number))


def targets(boss: Thread, row: Invocation) -> list[int]:
    slots = boss.pd.cspace.slots
    return [i for i in sorted(slots) if slots[i].cap and slots[i].cap.type == row.object]


small = st.integers(0, 30) | st.sampled_from([64, 511, 512, 1023, 1024, 2**64 - 1])
slot = st.sampled_from([0, 1, 2, 3, 4, 20, 21, 22, 23, 24, 25, 26, 99, 512, 513, 5000])
text = st.sampled_from(
    ["pd", "child", "new", "uart0", "uart1", "endpoint", "segv", "exit:3", "", "é"]
)
value = (
    st.none()
    | st.booleans()
    | st.integers(-2, 40)
    | st.sampled_from([512, 4096, 2**63, 2**64 - 1, -(2**63)])
    | text
    | st.binary(max_size=4)
    | st.lists(text | st.integers(0, 3), max_size=2)
    | st.dictionaries(text | st.integers(0, 3), st.integers(0, 3), max_size=2)
    | st.floats()
)


PLAUSIBLE: dict[str, st.SearchStrategy[Any]] = {
    "slot": st.sampled_from([30, 30, None, 20, 700]),
    "rights": st.integers(0, 15),
    "name": st.sampled_from(["new", "new", None, "pd", "child"]),
    "run": st.just("x"),
    "how": st.sampled_from(["segv", "exit:3", "hang", "no"]),
    "type_name": st.sampled_from(["LOT", "NEW", "pd", "no such", ""]),
    "client": st.sampled_from([None, 1, 4, 5, 77, -1]),
    "pd": st.sampled_from([1, 1, 2, 3, 4, 5, 77]),
    "pd_depth": st.sampled_from([None, 0, 3, "all", -2, "none"]),
    "space_depth": st.sampled_from([None, 0, 3, "all", -2]),
    "space": st.sampled_from([None, 16, 17, 18]),
    "object": st.sampled_from([1, 1, 2, None, 3, 0, 2**24 - 1, resource_badge(10, 16, 1, 1)])
    | st.sampled_from([resource_badge(11, 17, 1, 1), resource_badge(10, 17, 1, 1), 2**64 - 1]),
    "badge": st.sampled_from([None, 5, 0, 2**64 - 1, -1]),
    "threads": st.sampled_from([None, 1, 2, 33]),
    "serves": st.sampled_from([None, "endpoint", "x", {"space": "LOT"}, {"space": "pd"}]),
    "devices": st.sampled_from([None, ["uart0"], ["disk"]]),
    "signal": st.sampled_from([None, 9, 15, 18, 0, 65]),
    "after": st.sampled_from([None, 1, 100]),
    "pages": st.sampled_from([None, 1, 5000]),
    "args": st.sampled_from([None, {}, {"a": 1}]),
    "path": st.sampled_from([None, [], ["/x"]]),
    "faults": st.none() | slot,
    "untyped": st.none() | slot,
    "count": st.just(2),
    "resume": st.integers(0, 1),
}


def call(row: Invocation, draw: Any) -> tuple[bytes | list[int], list[int]]:
    """Mostly what makes sense, so that every check behind the first is reached too."""
    caps = draw(st.lists(slot, min_size=len(row.caps), max_size=3))
    if row.caps and draw(st.booleans()):
        caps[0] = SLOT_CNODE if row.caps[0] == "src_root" else 21
    wild = draw(st.integers(0, 4)) == 0
    if row.body == "words":
        if wild:
            return draw(st.lists(small, max_size=7)), caps
        depth = st.sampled_from([64, 64, 64, 10, 65])
        kinds = st.sampled_from([2, 3, 7, 1])
        words = {"dest_depth": depth, "src_depth": depth, "depth": depth, **PLAUSIBLE}
        words["type"] = kinds
        given = [(draw(words.get(word, slot)) or 0) % 2**64 for word in row.words]
        return given + (draw(st.lists(small, max_size=3)) if row.rest else []), caps
    if wild and draw(st.booleans()):
        return draw(st.binary(max_size=12)), caps
    types = {"type": st.sampled_from(["LOT", "CAR", "pd", "resspc", "mo", "no"])}
    body = {word: draw((PLAUSIBLE | types)[word]) for word in row.words}
    if wild:
        names = st.lists(st.sampled_from([*row.words, "stray"]), max_size=2, unique=True)
        body.update({name: draw(value) for name in draw(names)})
    return msgpack.packb(body), caps


@pytest.mark.parametrize("row", INVOCATIONS, ids=lambda row: row.name)
@settings(max_examples=15)
@given(data=st.data())
def test_every_answer_is_a_documented_one(row: Invocation, data: Any) -> None:
    lab, boss = world()
    second = lab["boss.1"]
    cptr = data.draw(st.sampled_from(targets(second, row)))
    body, caps = call(row, data.draw)
    receive = data.draw(st.none() | st.sampled_from([30, 20, 600, (1, 30, 64), (0, 30, 3)]))
    answer = second.syscall(Sys.CALL, cptr, body, caps=caps, label=int(row.label), slot=receive)
    lab.work()
    assert violations(lab.k) == []
    if answer is not None and answer.status != Status.OK:
        assert Status(answer.status).name in documented(row)
    assert boss.pd.alive


def test_as_another_call_means_its_errors() -> None:
    assert documented(BY_NAME["cnodemint"]) >= documented(BY_NAME["cnodecopy"])
    assert "RANGE_ERROR" in documented(BY_CALL["REPLYRECV"])


def test_the_world_of_these_tests_has_every_kind_of_object() -> None:
    _, boss = world()
    for row in INVOCATIONS:
        assert targets(boss, row), row.name
    assert boss.cap(SLOT_PD) is not None
