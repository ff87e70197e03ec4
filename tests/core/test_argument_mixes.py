"""Several arguments at once, drawn: what one check lets through meets the next. As in
`test_arguments.py` whatever comes is done, or refused by a documented error and nothing changed.
"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arguments import (
    WILD_BODIES,
    WILD_SLOTS,
    WILD_VALUES,
    WILD_WORDS,
    Bench,
    body_of,
    refused,
)
from caplab.kernel.abi import DOMAIN_DURATION_MAX, Sys
from caplab.kernel.core.syscalls import INVOCATIONS, ROWS, Invocation
from drawn import drawing
from good_calls import GOOD

pytestmark = pytest.mark.fuzz
invocation = pytest.mark.parametrize("row", INVOCATIONS, ids=lambda row: row.name)
KINDS = st.sampled_from([Sys.CALL, Sys.CALL, Sys.CALL, Sys.SEND, Sys.NB_SEND])

number = st.integers(0, 40) | st.sampled_from([*WILD_WORDS, DOMAIN_DURATION_MAX])
slot = st.sampled_from(WILD_SLOTS)
paths = st.none() | slot | st.tuples(slot, slot, st.sampled_from([64, 64, 4, 10, 0, 65, 2**64 - 1]))
value = st.recursive(
    st.sampled_from(WILD_VALUES) | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


def mixed(row: Invocation, draw: Any, bench: Bench) -> None:
    """One call: of the good one's arguments some are others."""
    good = GOOD[row.name]
    slots = bench.ready().pd.cspace.slots
    mine = [i for i in sorted(slots) if (cap := slots[i].cap) and cap.type == row.object]
    other = number if row.body == "words" else value
    given = dict(good.given)
    for name in draw(st.lists(st.sampled_from(row.words), max_size=3)) if row.words else ():
        given[name] = draw(other | st.sampled_from(refused(row.name, name) or (0,)))
    caps = [draw(st.sampled_from([cap, cap, cap]) | slot) for cap in good.caps]
    rest = (*good.rest, *draw(st.lists(number, max_size=2))) if row.rest else ()
    body = body_of(row, given, rest)
    if draw(st.integers(0, 15)) == 0:
        body = draw(st.sampled_from(WILD_BODIES) | st.binary(max_size=64))
    bench.call(
        row,
        draw(st.just(good.on) | st.sampled_from(mine)),
        body,
        caps=caps + draw(st.lists(slot, max_size=3 - len(caps))),
        slot=draw(st.just(good.receive) | paths),
        kind=draw(KINDS),
        timeout=draw(st.none() | st.sampled_from([0.0, 1.0, 1e300])),
    )


@pytest.fixture(scope="module", params=["lab", "sel4"])
def bench(request: pytest.FixtureRequest) -> Bench:
    return Bench(semantics=request.param)


@invocation
@drawing(15)
@given(data=st.data())
def test_arguments_in_any_mixture_are_taken_or_refused(
    row: Invocation, bench: Bench, data: Any
) -> None:
    mixed(row, data.draw, bench)


@drawing(100)
@given(data=st.data())
def test_system_calls_in_any_mixture_are_done_or_refused(bench: Bench, data: Any) -> None:
    system_call(data.draw, bench)


def system_call(draw: Any, bench: Bench) -> None:
    """One system call; its label is that of no invocation, whose errors would be others."""
    row = draw(st.sampled_from(list(ROWS.values())))
    bench.call(
        row,
        draw(slot),
        draw(st.sampled_from([b"", b"x" * 8, b"x" * 960, b"x" * 961])),
        kind=row.number,
        label=draw(st.sampled_from([0, 1, 5, 15, 2**31, 2**63, 2**64 - 1])),
        caps=draw(st.lists(slot, max_size=3)),
        slot=draw(paths),
        timeout=draw(st.none() | st.sampled_from([0.0, 1.0, 1e300])),
        renewal=draw(st.none() | st.sampled_from([0, 0, 1, 2**64 - 1])),
    )


@pytest.mark.slow
@pytest.mark.timeout(0)
@invocation
@drawing(3000, anew=True)
@given(data=st.data())
def test_arguments_in_any_mixture_for_long(row: Invocation, bench: Bench, data: Any) -> None:
    mixed(row, data.draw, bench)


@pytest.mark.slow
@pytest.mark.timeout(0)
@drawing(30000, anew=True)
@given(data=st.data())
def test_system_calls_in_any_mixture_for_long(bench: Bench, data: Any) -> None:
    system_call(data.draw, bench)
