"""CSPACE: a CSpace as deep as a word is wide."""

from caplab.kernel.abi import SLOT_CNODE, WORD_BITS, ObjectType, Status
from lab import Thread, ok
from sel4 import FREE, Helpers, Program, endpoint, helpers, one, retype, set_space

NODES = 200
READY, SUCCESS = 0x12374153, 0x12374151


def deep_cspace(test: Thread, ep: int) -> int:
    """64 CNodes of one bit each, chained through alternating slots; the endpoint lies at the end
    of the chain. The pointer to it."""
    ok(retype(test, ObjectType.CNODE, NODES, 1, count=WORD_BITS))
    pointer, turn = 0, 0
    for level in range(WORD_BITS):
        source = NODES + level + 1 if level < WORD_BITS - 1 else ep
        copy = {"dest_index": turn, "dest_depth": 1, "src_index": source, "src_depth": 64}
        ok(test.invoke("cnode_copy", NODES + level, caps=[SLOT_CNODE], rights=15, **copy))
        pointer = pointer << 1 | turn
        turn ^= 1
    return pointer


def explorer(thread: Thread, ready: int, pointer: int) -> Program:
    """Says it is ready, and in its new CSpace finds the endpoint and nothing else."""
    yield lambda: thread.send(ready, [READY])
    for wrong in (*range(WORD_BITS), *(pointer ^ 1 << bit for bit in range(WORD_BITS))):
        answer = yield lambda wrong=wrong: thread.call(wrong)
        assert answer.label == Status.INVALID_CAPABILITY
    yield lambda: thread.send(pointer, [SUCCESS])


def test_a_cspace_of_sixty_four_levels_is_resolved_bit_by_bit() -> None:
    """CSPACE0001: in a CSpace of 64 one-bit CNodes, given to a live thread, the one pointer that
    leads to the endpoint works, and each that differs in one bit is an empty slot (label 2)."""
    test = one(threads=2)
    (helper,) = helpers(test)
    ep = endpoint(test, FREE)
    pointer = deep_cspace(test, ep)
    run = Helpers()
    run.start(helper, explorer(helper, ep, pointer))
    run.run()
    assert test.tcb.state != helper.tcb.state
    ok(set_space(test, test.slot("tcb.1"), NODES))
    assert ok(test.recv(ep)).words == (READY,)
    run.run()
    assert ok(test.recv(ep)).words == (SUCCESS,)
    run.finish()
