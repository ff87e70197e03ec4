"""A system whose PD `app` has a fault handler, and what goes wrong in it."""

from typing import Any

import pytest

from caplab.kernel.abi import (
    SLOT_CNODE,
    SLOT_TCB,
    FaultLabel,
    Sys,
)
from caplab.kernel.core.events import Faulted
from lab import Answer, Lab, Thread, ok

both = pytest.mark.parametrize("semantics", ["lab", "sel4"])
EMPTY = 300


def system(semantics: str = "lab", **app: Any) -> tuple[Lab, Thread, Thread]:
    """A PD `app`, two threads strong, and the handler of its faults."""
    lab = Lab(
        {
            "fixer": {"serves": "endpoint", "threads": 2},
            "fs": {"serves": "endpoint"},
            "app": {"faults": "fixer", "uses": {"fs": "fs"}, "threads": 2, **app},
            "boss": {"manages": ["app", "fixer"]},
        },
        semantics=semantics,
    )
    return lab, lab["fixer"], lab["app"]


def unhandled(semantics: str = "lab") -> tuple[Lab, Thread]:
    lab = Lab({"app": {"threads": 2}}, semantics=semantics)
    return lab, lab["app"]


def fault_in(app: Thread) -> Any:
    return app.tcb.fault


def touch(thread: Thread, address: int = 0x5000, access: str = "write") -> None:
    """The thread touches an address that is not there."""
    lab = thread.lab
    lab.step(Faulted(lab.now, thread.number, FaultLabel.VM_FAULT, address, access))


def unknown(thread: Thread, number: int = 0xC1, **more: Any) -> Answer | None:
    return thread.syscall(number, **more)  # type: ignore[arg-type]


def raise_in(thread: Thread, text: bytes = b"Traceback\nValueError: no") -> Answer | None:
    return thread.syscall(Sys.FAULT, 0, text, label=int(FaultLabel.USER_EXCEPTION))


def set_handler(app: Thread, fault_ep: int, tcb: int = SLOT_TCB) -> None:
    words = {"fault_ep": fault_ep, "cspace_root_data": 0, "vspace_root_data": 0}
    ok(app.invoke("tcb_set_space", tcb, caps=[SLOT_CNODE, SLOT_CNODE], **words))


def mend(lab: Lab, app: Thread, slot: int = EMPTY) -> None:
    """What a handler with the faulter's CNode does: fill the slot, by another thread here."""
    ok(lab["app.1"].copy("fs", slot))
