"""THREADS and SCHED: what a TCB cannot be given, and resuming oneself."""

import pytest

from caplab.kernel.abi import SLOT_NULL, SLOT_TCB, Status
from lab import ok, refused
from sel4 import endpoint, one, set_space

NOT_CNODES = [SLOT_NULL, 100, 300]


@pytest.mark.parametrize("root", NOT_CNODES, ids=["null", "endpoint", "empty"])
def test_a_thread_cannot_be_given_a_cspace_that_is_none(root: int) -> None:
    """THREADS0005: SetSpace with a null CSpace, or with what is no CNode, is 3."""
    test = one(threads=2)
    endpoint(test, 100)
    refused(Status.ILLEGAL_OPERATION, set_space, test, test.slot("tcb.1"), root)


def test_resuming_oneself_is_harmless() -> None:
    """SCHED0002: TCB_Resume of the caller succeeds and changes nothing."""
    test = one()
    before = test.lab.k.state_hash()
    ok(test.invoke("tcb_resume", SLOT_TCB))
    assert test.lab.k.state_hash() == before
