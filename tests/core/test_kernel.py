"""The kernel's own face to its host: what it wants, and what it never forgives itself."""

import pytest

from caplab.kernel.abi import ObjectType
from caplab.kernel.core.cap import Cap
from caplab.kernel.core.endpoint import Endpoint
from caplab.kernel.core.outcome import KernelBug
from lab import Lab, ok, pair


def test_an_idle_kernel_wants_nothing() -> None:
    lab = pair()
    ok(lab["app"].nb_send("fs"))
    assert not lab.k.restless


def test_a_time_limit_a_job_and_the_end_make_it_restless() -> None:
    lab = Lab({"app": {}})
    app = lab["app"]
    app.recv(3, timeout=1)
    app.call(300)
    app.wait(4, timeout=1)
    assert lab.k.restless
    lab.pass_time(1)
    app.woken()
    assert not lab.k.restless
    app.alloc(ObjectType.ENDPOINT, 20)
    for slot in range(21, 321):
        ok(app.copy(20, slot))
    app.revoke(20)
    assert lab.k.restless
    lab.work()
    assert not lab.k.restless
    lab.ask("down")
    lab.die("app", 0)
    assert lab.k.restless


def test_filling_a_full_slot_is_the_kernels_own_mistake() -> None:
    lab = pair()
    cspace = lab.pd("app").cspace
    with pytest.raises(KernelBug, match="slot 1 is full"):
        lab.k.put(cspace.slot(1), Cap(2, Endpoint(9), 0), None, "test")
    with pytest.raises(KernelBug, match="slot 99 is empty"):
        lab.k.move(cspace.slot(99), cspace.slot(98), lab.pd("app"))
