"""What changes with the root of a thread's CSpace, and what must not."""

from caplab.kernel.abi import SLOT_CNODE, SLOT_TCB, ObjectType, Status
from caplab.kernel.core import reach
from caplab.kernel.core.cap import guard_word
from lab import Lab, Thread, ok, pair

CNODE = ObjectType.CNODE


def set_space(thread: Thread, root: int, guard: int = 0, tcb: int = SLOT_TCB) -> None:
    words = {"fault_ep": 0, "cspace_root_data": guard, "vspace_root_data": 0}
    ok(thread.invoke("tcb_set_space", tcb, caps=[root, SLOT_CNODE], **words))


def second_level(fs: Thread, slot: int = 20) -> int:
    """A CNode of 16 slots, whose second leads on to the thread's first CSpace."""
    ok(fs.retype(CNODE, slot, 4))
    words = {"dest_index": 1, "dest_depth": 4, "src_index": SLOT_CNODE, "src_depth": 64}
    more = {"rights": 15, "badge": guard_word(0, 48)}
    ok(fs.invoke("cnode_mint", slot, caps=[SLOT_CNODE], **words, **more))
    return slot


def test_who_waits_on_a_server_waits_on_while_its_only_thread_gets_a_new_root() -> None:
    """Between the old root and the new there is no moment in which it reaches nothing."""
    lab = pair()
    fs, app = lab["fs"], lab["app"]
    server = fs.slot("server")
    assert app.call("fs", b"x") is None
    set_space(fs, SLOT_CNODE)
    assert app.blocked
    set_space(fs, second_level(fs), guard_word(0, 2))
    assert app.blocked
    assert ok(fs.recv(1 << 58 | server)).body == b"x"


def test_a_root_that_reaches_no_read_any_more_makes_the_endpoint_deaf() -> None:
    lab = pair()
    fs, app = lab["fs"], lab["app"]
    ok(fs.retype(CNODE, 20, 4))
    assert app.call("fs") is None
    set_space(fs, 20, guard_word(0, 60))
    assert app.woken().status == Status.REVOKED


def test_the_root_of_a_thread_is_part_of_the_state() -> None:
    lab = Lab({"app": {"threads": 2}})
    app = lab["app"]
    ok(app.retype(CNODE, 20, 4))
    seen = {lab.k.state_hash()}
    for guard in (guard_word(0, 60), guard_word(1, 60)):
        set_space(app, 20, guard, app.slot("tcb.1"))
        seen.add(lab.k.state_hash())
    assert len(seen) == 3


def test_what_is_reached_again_counts_its_reads_again() -> None:
    lab = pair()
    fs = lab["fs"]
    node = second_level(fs)
    words = {"dest_index": 2, "dest_depth": 4, "src_index": fs.slot("server"), "src_depth": 64}
    ok(fs.invoke("cnode_copy", node, caps=[SLOT_CNODE], rights=15, **words))
    endpoint = fs.cap("server").obj
    assert endpoint.readers == 2
    nodes = fs.pd.cspace.nodes
    held = nodes.pop(node)
    reach.refresh(lab.k, lab.k.cause(Status.REVOKED, fs.pd))
    assert endpoint.readers == 1
    nodes[node] = held
    reach.refresh(lab.k, None)
    assert endpoint.readers == 2
