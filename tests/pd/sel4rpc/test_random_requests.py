"""Whatever children ask for, delete, give back or leave behind: no byte is two children's, and in
the end all of it is the parent's again.
"""

import random
from itertools import pairwise
from typing import Any

import pytest

from caplab.kernel.abi import ObjectType
from caplab.pd.sel4rpc import Loan, RpcClient, RpcError
from family import AT, FRAME, UNTYPED, family, left
from threaded_system import ThreadedSystem

CHILDREN = ("ann", "ben", "cy")
STEPS = 150


def spans(system: ThreadedSystem, name: str) -> list[tuple[int, int]]:
    """What a child has of the parent's memory: first and last address of each part."""
    filled = (slot for slot in system.root.latest[name].cspace.slots.values() if slot.index < 512)
    made = [slot.cap.obj for slot in filled if slot.cap and slot.cap.type in (UNTYPED, FRAME)]
    return [(one.base, one.base + (1 << one.bits) - 1) for one in made]


def assert_nothing_is_shared(system: ThreadedSystem) -> None:
    owned = sorted((span, name) for name in CHILDREN for span in spans(system, name))
    for ((_, last), one), ((first, _), other) in pairwise(owned):
        assert last < first, f"{one} and {other} share memory at {first:#x}"


def step(draw: random.Random, rpc: RpcClient, loans: list[Loan[Any]]) -> None:
    """One thing that a child does; refusals are part of it."""
    what = draw.choice(("at", "at", "anywhere", "anywhere", "free", "delete", "stale"))
    if what in ("at", "anywhere"):
        bits = draw.choice((12, 12, 13, 14, 15, 20))
        kind = draw.choice((UNTYPED, FRAME))
        address = AT + draw.randrange(8) * 4096 if what == "at" else 0
        try:
            loans.append(rpc.memory(bits, kind, address))
        except RpcError as refused:
            if refused.code not in (5, 9, 10, 64):
                raise
    elif loans:
        loan = loans.pop(draw.randrange(len(loans)))
        if what == "free":
            rpc.free(loan)
        else:
            loan.cap.delete()
            if what == "stale":
                rpc.free(loan.cookie)


@pytest.mark.parametrize("seed", range(4))
def test_no_byte_is_two_childrens_and_all_of_it_comes_back(seed: int) -> None:
    draw = random.Random(seed)
    with family(*CHILDREN) as system:
        clients = {name: RpcClient(system.env(name).endpoint("parent")) for name in CHILDREN}
        loans: dict[str, list[Loan[Any]]] = {name: [] for name in CHILDREN}
        for number in range(STEPS):
            name = draw.choice(list(clients))
            step(draw, clients[name], loans[name])
            assert_nothing_is_shared(system)
            if number == STEPS // 2:
                system.operate(op="kill", pd="cy")
                del clients["cy"]
        for name, rpc in clients.items():
            for loan in loans[name]:
                rpc.free(loan)
        ann = clients["ann"]
        whole = ann.memory(15, ObjectType.UNTYPED, AT)
        for loan in [whole, ann.memory(21), ann.memory(20)]:
            ann.free(loan)
        assert left(system) == 0x8000
