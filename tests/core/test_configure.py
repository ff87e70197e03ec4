"""TCB_Configure: CSpace, fault handler and buffer of a TCB in one call."""

from typing import Any

import pytest

from caplab.kernel.abi import SLOT_CNODE, SLOT_PD, ObjectType, Status
from lab import Answer, Lab, Thread, ok, refused


def system() -> tuple[Lab, Thread, Thread]:
    lab = Lab({"app": {"threads": 2}})
    app = lab["app"]
    app.alloc(ObjectType.FRAME, 20)
    return lab, app, lab["app.1"]


def configure(app: Thread, caps: Any = (SLOT_CNODE, SLOT_PD, 20), **words: int) -> Answer | None:
    given = {"fault_ep": 0, "cspace_root_data": 0, "vspace_root_data": 0, "buffer": 0, **words}
    return app.invoke("tcb_configure", "tcb.1", caps=caps, **given)


def test_a_tcb_gets_its_cspace_and_its_fault_handler() -> None:
    lab, app, spare = system()
    ok(configure(app, fault_ep=77, buffer=0x1000))
    assert lab.k.tcbs[spare.number].fault_ep == 77
    assert spare.tcb.root == app.tcb.root


def test_a_guard_is_given_with_the_cspace() -> None:
    _, app, spare = system()
    ok(configure(app, cspace_root_data=3))
    assert spare.tcb.slots == {}  # a pointer is no slot number any more
    refused(Status.ILLEGAL_OPERATION, configure, app, cspace_root_data=63)


@pytest.mark.parametrize("caps", [(), (SLOT_CNODE,), (SLOT_CNODE, SLOT_PD)])
def test_it_takes_three_capabilities(caps: tuple[int, ...]) -> None:
    _, app, _ = system()
    refused(Status.TRUNCATED_MESSAGE, configure, app, caps)


def test_it_takes_four_words() -> None:
    _, app, _ = system()
    refused(Status.TRUNCATED_MESSAGE, app.call, "tcb.1", [0, 0, 0], label=23)


@pytest.mark.parametrize("root", [0, SLOT_PD, 99, 5000])
def test_a_cspace_that_is_none_is_refused(root: int) -> None:
    """THREADS0004: seL4 answers 3."""
    _, app, _ = system()
    refused(Status.ILLEGAL_OPERATION, configure, app, (root, SLOT_PD, 20), fault_ep=7)


@pytest.mark.parametrize("page", [0, SLOT_PD, 99, 5000])
def test_a_buffer_lies_in_a_page(page: int) -> None:
    _, app, _ = system()
    refused(Status.ILLEGAL_OPERATION, configure, app, (SLOT_CNODE, SLOT_PD, page), buffer=0x1000)
    ok(configure(app, (SLOT_CNODE, SLOT_PD, page)))


def test_a_buffer_is_aligned() -> None:
    _, app, _ = system()
    refused(Status.ALIGNMENT_ERROR, configure, app, buffer=0x1200)


def test_a_thread_that_has_ended_is_not_configured() -> None:
    lab = Lab({"fs": {"serves": "endpoint"}, "app": {"uses": {"fs": "fs"}}})
    fs, app = lab["fs"], lab["app"]
    fs.alloc(ObjectType.FRAME, 20)
    app.call("fs", caps=[1])
    ok(fs.recv(slot=30))
    lab.die("app")
    given = {"fault_ep": 1, "cspace_root_data": 0, "vspace_root_data": 0, "buffer": 0}
    caps = [SLOT_CNODE, SLOT_PD, 20]
    refused(Status.ILLEGAL_OPERATION, fs.invoke, "tcb_configure", 30, caps=caps, **given)
