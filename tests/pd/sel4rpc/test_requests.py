"""libsel4rpc: what a child asks for, and what it gets."""

from typing import Any

import pytest

from caplab.kernel.abi import TIMER_CONTROL, TIMER_PORT, ObjectType, Status, TimerMode
from caplab.pd.cspace import SlotAllocator
from caplab.pd.env import Env
from caplab.pd.errors import IllegalOperation
from caplab.pd.objects import CNode, Memory, Untyped
from caplab.pd.sel4rpc import (
    NoSlots,
    NoSuchCookie,
    NotTheParents,
    OutsideRange,
    RpcClient,
    RpcMemory,
    RpcMessage,
    RpcServer,
)
from caplab.pd.sel4rpc.lender import Lender
from family import AT, FRAME, MACHINE, NTFN, UNTYPED, family, left, refused, refused_with, serving
from threaded_system import ThreadedSystem

# -- memory --------------------------------------------------------------------------------------


def test_the_request_of_the_seed_gets_untyped_memory_at_its_address(
    system: ThreadedSystem, child: RpcClient
) -> None:
    env = child.env
    request = RpcMessage(memory=RpcMemory(address=AT, size_bits=12, type=UNTYPED))
    slot = env.slots.alloc()
    answer = child.call(request, env.cnode, slot, 64)
    assert answer.slot == slot
    assert answer.cookie
    info = Untyped(env, slot).info()
    assert (info.address, info.size_bits, info.device, info.left) == (AT, 12, True, 4096)


def test_a_child_retypes_maps_writes_and_frees_and_the_parent_has_it_back(
    system: ThreadedSystem, child: RpcClient
) -> None:
    whole = left(system)
    loan = child.memory(14, address=AT + 0x4000)
    assert isinstance(loan.cap, Untyped)
    [frame] = loan.cap.retype(FRAME, size_bits=12)
    assert isinstance(frame, Memory)
    assert frame.address == AT + 0x4000
    with frame.map() as window:
        window.write(0, b"of a device")
        assert window.read(0, 11) == b"of a device"
    assert left(system) < whole
    child.free(loan)
    assert left(system) == whole
    assert not child.env.cnode.is_full(frame.slot)


@pytest.mark.parametrize("bits", [12, 13, 14, 15])
def test_any_aligned_part_of_a_range_can_be_had(
    system: ThreadedSystem, child: RpcClient, bits: int
) -> None:
    for at in range(AT, AT + 0x8000, 1 << bits):
        loan = child.memory(bits, address=at)
        assert Untyped(child.env, loan.cap.slot).info()[:2] == (at, bits)
        child.free(loan)
    assert left(system) == 0x8000


def test_address_0_is_anywhere_in_the_parents_own_memory(child: RpcClient) -> None:
    env = child.env
    loan = child.memory(13)
    info = Untyped(env, loan.cap.slot).info()
    assert (info.size_bits, info.device) == (13, False)
    for kind, bits in ((FRAME, 0), (FRAME, 13), (NTFN, 0), (ObjectType.ENDPOINT, 0)):
        made = child.memory(bits, kind)
        assert env.cnode.is_full(made.cap.slot)
    node = child.memory(6, ObjectType.CNODE).cap
    assert isinstance(node, CNode)
    node.copy_slot(63, loan.cap.slot, dest_depth=6)


def test_the_capability_lands_in_any_cnode_the_child_names(child: RpcClient) -> None:
    env = child.env
    [node] = env.untyped().retype(ObjectType.CNODE, size_bits=4)
    assert isinstance(node, CNode)
    request = RpcMessage(memory=RpcMemory(size_bits=12, type=FRAME))
    assert child.call(request, node, 9, 4).slot == 9
    slot = env.slots.alloc()
    env.cnode.move_slot(slot, 9, source=node, src_depth=4)
    with Memory(env, slot).map() as window:
        assert window.size == 4096


def test_an_address_outside_the_ranges_is_named(child: RpcClient) -> None:
    for address, bits in ((0x1000, 12), (AT + 0x8000, 12), (AT, 16), (AT - 0x1000, 12)):
        text = refused(OutsideRange, lambda a=address, b=bits: child.memory(b, address=a))
        assert f"{AT:#x}-{AT + 0x7FFF:#x}" in text
    refused_with(Status.ALIGNMENT_ERROR, lambda: child.memory(13, address=AT + 0x1000))


def test_what_somebody_has_is_not_given_again(system: ThreadedSystem, child: RpcClient) -> None:
    sibling = RpcClient(system.env("sibling").endpoint("parent"))
    loan = child.memory(12, address=AT + 0x1000)
    for address, bits in ((AT + 0x1000, 12), (AT, 13), (AT, 15)):
        refused_with(Status.REVOKE_FIRST, lambda a=address, b=bits: sibling.memory(b, address=a))
    sibling.memory(12, address=AT)
    refused_with(Status.REVOKE_FIRST, lambda: sibling.memory(4, address=AT + 0x1800))
    loan.cap.delete()  # nobody says so: the parent asks the kernel
    sibling.memory(11, address=AT + 0x1800)


def test_the_errors_of_the_parents_retype_reach_the_child_as_they_are(child: RpcClient) -> None:
    refused_with(Status.INVALID_ARGUMENT, lambda: child.memory(12, ObjectType.REPLY))
    refused_with(Status.INVALID_ARGUMENT, lambda: child.memory(0, NTFN, address=AT))
    refused_with(Status.RANGE_ERROR, lambda: child.memory(22, FRAME))
    refused_with(Status.RANGE_ERROR, lambda: child.memory(48))
    refused_with(Status.RANGE_ERROR, lambda: child.memory(2**32 - 1))
    refused_with(Status.RANGE_ERROR, lambda: child.memory(2**32 - 1, address=AT))
    refused_with(Status.INVALID_ARGUMENT, lambda: child.memory(2))
    said = refused_with(Status.NOT_ENOUGH_MEMORY, lambda: child.memory(23))
    assert "parent has no 8388608 bytes" in said


@pytest.mark.parametrize(("first", "second"), [(12, 15), (15, 12), (13, 13)])
def test_who_has_deleted_a_loan_cannot_free_what_another_has_of_it_now(
    system: ThreadedSystem, child: RpcClient, first: int, second: int
) -> None:
    sibling = RpcClient(system.env("sibling").endpoint("parent"))
    for address in (AT, 0):
        old = child.memory(first, address=address)
        old.cap.delete()
        new = sibling.memory(second, address=address)
        more = [sibling.memory(12, FRAME) for _ in range(8)]  # in slots that are free again
        child.free(old.cookie)
        for loan in (new, *more):
            assert sibling.env.cnode.is_full(loan.cap.slot)
            sibling.free(loan)
    assert left(system) == 0x8000


def test_a_parent_that_lends_and_takes_for_ever_keeps_no_account_of_it(
    system: ThreadedSystem,
) -> None:
    lender = Lender(system.env("sibling"))
    for number in range(100):
        slot, cookie = lender.lend(UNTYPED, 12, 0, badge=2)
        lender._env.cnode.delete_slot(slot)
        lender._env.slots.free(slot)
        if number % 2:
            lender.take_back(cookie, 2)
    assert len(lender.loans) <= 1
    assert sum(map(len, lender._of_size.values())) == len(lender.loans)


def test_memory_that_the_parent_took_away_itself_is_lent_no_more() -> None:
    def revokes(server: RpcServer, data: Any, request: RpcMessage) -> None:
        if request.WhichOneof("msg") == "ioport":
            server.env.untyped().revoke()
            server.reply()
        else:
            server.pass_on(request)

    with family("child", "sibling", handler=revokes) as system:
        child = RpcClient(system.env("child").endpoint("parent"))
        loans = [child.memory(12) for _ in range(3)]
        child.free(loans[0])
        child.call(RpcMessage(ioport={}))  # type: ignore[arg-type]
        child.free(loans[1])
        for _ in range(4):
            child.memory(12)
        system.operate(op="kill", pd="child")
        RpcClient(system.env("sibling").endpoint("parent")).memory(21)


def test_what_a_child_deletes_without_a_word_is_lent_again(child: RpcClient) -> None:
    for _ in range(8):  # of 4 MiB
        child.memory(21).cap.delete()
    loans = [child.memory(21), child.memory(20)]
    refused_with(Status.NOT_ENOUGH_MEMORY, lambda: child.memory(21))
    for loan in loans:
        loan.cap.delete()
    child.memory(21)


def test_freed_memory_of_one_size_serves_another(child: RpcClient) -> None:
    for bits in (21, 12, 20, 13, 21):
        for loan in [child.memory(bits) for _ in range(1 if bits > 20 else 2)]:
            child.free(loan)


def test_many_loans_of_one_size_are_told_apart(child: RpcClient) -> None:
    loans = [child.memory(12, FRAME) for _ in range(20)]
    addresses = [Memory(child.env, loan.cap.slot).address for loan in loans]
    assert len(set(addresses)) == 20
    child.free(loans[7])
    again = child.memory(12, FRAME)
    assert Memory(child.env, again.cap.slot).address == addresses[7]


def test_a_full_cspace_of_the_parents_is_an_answer() -> None:
    def cramped(env: Env) -> None:
        env.slots = SlotAllocator(lambda slot: env.cnode.is_full(slot), end=50)
        serving()(env)

    parent = {"name": "parent", "main": cramped, "serves": "endpoint", "role": "server"}
    with ThreadedSystem(
        parent, {"name": "child", "uses": {"parent": "parent"}}, uarts=()
    ) as system:
        child = RpcClient(system.env("child").endpoint("parent"))
        loans: list[int] = []

        def more() -> None:
            for _ in range(50):
                loans.append(child.memory(12, FRAME).cookie)  # noqa: PERF401  # those that are given

        refused(NoSlots, more)
        assert len(loans) > 10
        child.free(loans[0])
        child.memory(12, FRAME)
        refused(NoSlots, lambda: child.memory(12, FRAME))


def test_a_range_that_cannot_be_divided_for_want_of_slots_is_whole_again() -> None:
    def cramped(env: Env) -> None:
        env.slots = SlotAllocator(lambda slot: env.cnode.is_full(slot), end=24)
        serving()(env)

    parent = {"name": "parent", "main": cramped, "serves": "endpoint", "role": "server"}
    parent |= {"devices": ["ranges"]}
    child_pd = {"name": "child", "uses": {"parent": "parent"}}
    with ThreadedSystem(parent, child_pd, uarts=(), **MACHINE) as system:
        child = RpcClient(system.env("child").endpoint("parent"))
        refused(NoSlots, lambda: child.memory(4, address=AT))
        assert left(system) == 0x8000
        child.memory(15, address=AT)


def test_memory_is_freed_by_whom_it_was_lent_to_and_twice_is_no_error(
    system: ThreadedSystem, child: RpcClient
) -> None:
    sibling = RpcClient(system.env("sibling").endpoint("parent"))
    loan = child.memory(12)
    refused(NoSuchCookie, lambda: sibling.free(loan.cookie))
    for never in (0, loan.cookie + 1, 2**64 - 1):
        refused(NoSuchCookie, lambda n=never: child.free(n))
    child.free(loan.cookie)
    child.free(loan.cookie)
    assert not child.env.cnode.is_full(loan.cap.slot)


def test_freeing_takes_away_what_was_passed_on(system: ThreadedSystem, child: RpcClient) -> None:
    loan = child.memory(12, FRAME)
    copy = loan.cap.copy()
    child.free(loan)
    assert not child.env.cnode.is_full(copy.slot)


def test_the_death_of_a_child_gives_its_memory_back(system: ThreadedSystem) -> None:
    whole = left(system)
    child = RpcClient(system.env("child").endpoint("parent"))
    sibling = RpcClient(system.env("sibling").endpoint("parent"))
    child.memory(13, address=AT + 0x2000)
    child.memory(20)
    child.memory(21)
    kept = sibling.memory(12, address=AT)
    report = system.operate(op="kill", pd="child")  # answered when the parent has seen to it
    assert not report["pending"]
    refused_with(Status.REVOKE_FIRST, lambda: sibling.memory(15, address=AT))
    sibling.free(kept)
    assert left(system) == whole
    sibling.memory(15, address=AT)
    sibling.memory(21)


def test_wherever_a_child_is_killed_all_it_had_is_the_parents_again() -> None:
    def asks(env: Env) -> None:
        rpc = RpcClient(env.endpoint("parent"))
        loan = rpc.memory(14, address=AT)
        rpc.irq(3)
        rpc.ioport(TIMER_PORT, TIMER_PORT + 15)
        rpc.memory(21)
        rpc.free(loan)
        rpc.memory(15, address=AT)
        env.notification().wait()

    for calls in range(1, 13):
        parent = {"name": "parent", "main": serving(), "serves": "endpoint", "role": "server"}
        parent |= {"devices": ["irqs", "ioports", "ranges"]}
        child = {"name": "child", "main": asks, "uses": {"parent": "parent"}}
        arms = [{"pd": "child", "action": "kill", "how": "9", "after": calls}]
        sibling = {"name": "sibling", "uses": {"parent": "parent"}}
        with ThreadedSystem(parent, child, sibling, uarts=(), arms=arms, **MACHINE) as system:
            system.until(lambda pd=system.root.latest["child"]: pd.state == "dead")
            rpc = RpcClient(system.env("sibling").endpoint("parent"))
            rpc.memory(15, address=AT)
            rpc.memory(21)
            rpc.irq(3)
            rpc.ioport(TIMER_PORT, TIMER_PORT + 15)


# -- interrupts and ports ------------------------------------------------------------------------


def test_a_line_that_was_granted_really_fires_and_is_masked_until_it_is_acknowledged(
    system: ThreadedSystem, child: RpcClient
) -> None:
    irq = child.irq(3)
    bell = child.env.notification()
    irq.set_notification(bell)
    told = system.operate(op="irq", irq=3)
    assert (told["pd"], told["delivered"]) == ("child", True)
    assert bell.wait() == 0
    system.operate(op="irq", irq=3)
    assert bell.poll() is None
    irq.ack()
    assert bell.wait() == 0


@pytest.mark.parametrize("ask", ["irq", "trigger", "ioapic", "msi"])
def test_each_kind_of_irq_request_grants_the_line(child: RpcClient, ask: str) -> None:
    irq = {
        "irq": lambda: child.irq(40),
        "trigger": lambda: child.irq(40, trigger=1),
        "ioapic": lambda: child.irq_ioapic(40, 5, 1, 1),
        "msi": lambda: child.irq_msi(40, 1, 2, 3, 4),
    }[ask]()
    bell = child.env.notification()
    irq.set_notification(bell)
    said = refused_with(Status.REVOKE_FIRST, lambda: child.irq(40))
    assert "child holds it" in said
    irq.delete()
    child.irq(40).delete()


def test_the_errors_of_irq_requests_reach_the_child(child: RpcClient) -> None:
    refused_with(Status.INVALID_ARGUMENT, lambda: child.irq(4))
    refused_with(Status.RANGE_ERROR, lambda: child.irq(128))
    refused_with(Status.RANGE_ERROR, lambda: child.irq(3, trigger=2))
    refused_with(Status.RANGE_ERROR, lambda: child.irq_ioapic(3, 24))
    refused_with(Status.RANGE_ERROR, lambda: child.irq_msi(3, 0, 32, 0))
    refused_with(Status.INVALID_ARGUMENT, lambda: child.irq_msi(4, 0, 0, 0))


def test_a_child_programs_the_timer_through_ports_and_hears_its_interrupt(
    system: ThreadedSystem, child: RpcClient
) -> None:
    irq, ports = child.irq(16), child.ioport(TIMER_PORT, TIMER_PORT + 15)
    bell = child.env.notification()
    irq.set_notification(bell)
    ports.out16(TIMER_PORT, 2000)
    ports.out8(TIMER_PORT + TIMER_CONTROL, TimerMode.ONE_SHOT)
    assert bell.poll() is None
    system.advance(0.003)
    assert bell.wait() == 0
    assert (ports.in16(TIMER_PORT), ports.in8(TIMER_PORT)) == (2000, 0xD0)
    with pytest.raises(IllegalOperation):
        ports.in32(TIMER_PORT + 13)


def test_the_errors_of_port_requests_reach_the_child(child: RpcClient) -> None:
    child.ioport(0x3F8, 0x3FF)
    refused_with(Status.REVOKE_FIRST, lambda: child.ioport(0x3FF, 0x3FF))
    refused_with(Status.INVALID_ARGUMENT, lambda: child.ioport(2, 1))
    refused_with(Status.RANGE_ERROR, lambda: child.ioport(0, 0x10000))


def test_a_parent_without_devices_says_so() -> None:
    parent = {"name": "parent", "main": serving(), "serves": "endpoint", "role": "server"}
    child = {"name": "child", "uses": {"parent": "parent"}}
    with ThreadedSystem(parent, child, uarts=()) as system:
        rpc = RpcClient(system.env("child").endpoint("parent"))
        assert "devices: [irqs]" in refused(NotTheParents, lambda: rpc.irq(3))
        assert "devices: [ioports]" in refused(NotTheParents, lambda: rpc.ioport(1, 1))
        assert "no device memory" in refused(OutsideRange, lambda: rpc.memory(12, address=AT))
        rpc.memory(12)
