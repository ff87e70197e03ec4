"""TRIVIAL: the harness itself, and the allocator."""

import pytest

from caplab.kernel.abi import ObjectType, Status, Sys
from lab import ok, refused
from sel4 import endpoint, one, retype


def test_the_harness_tells_success_from_failure() -> None:
    """TRIVIAL0000: what is equal passes, and what is not fails."""
    test = one()
    assert ok(test.syscall(Sys.YIELD)).status == Status.OK
    with pytest.raises(AssertionError):
        ok(test.call(300))
    with pytest.raises(AssertionError):
        refused(Status.OK, test.call, 300)


def test_an_endpoint_can_be_made() -> None:
    """TRIVIAL0001: an endpoint can be allocated; its pointer is not null."""
    test = one()
    assert endpoint(test) != 0
    assert test.cap(100).type == ObjectType.ENDPOINT


def test_an_endpoint_can_be_made_and_freed_a_hundred_times() -> None:
    """TRIVIAL0002: an endpoint can be allocated and freed a hundred times, in the same memory."""
    test = one()
    first = None
    for _ in range(100):
        ok(retype(test, ObjectType.ENDPOINT, 100))
        where = test.cap(100).obj.base
        assert where == (first := first or where)
        ok(test.delete(100))
        assert test.cap(100) is None
