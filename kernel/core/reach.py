"""Which CNodes a live TCB reaches: only there does a Read capability keep an endpoint from being
deaf."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caplab.kernel.core import endpoint
from caplab.kernel.core.cap import Cause
from caplab.kernel.core.states import DEAD

if TYPE_CHECKING:
    from caplab.kernel.core.cnode import CNode
    from caplab.kernel.core.kernel import Kernel


def refresh(k: Kernel, cause: Cause | None) -> None:
    """Look again, after an edge between CNodes or the root of a TCB has changed.

    `cause` is why what is lost is lost; None where nothing can be.
    """
    reached: dict[CNode, None] = {}
    alive = (tcb for tcb in k.tcbs.values() if tcb.state != DEAD)
    found = [cnode for tcb in alive for cnode in tcb.hidden.nodes.values()]
    while found:
        cnode = found.pop()
        if cnode not in reached and not cnode.dying:
            reached[cnode] = None
            found += cnode.nodes.values()
    for cnode in list(k.cnodes):
        if cnode.live != (cnode in reached):
            _switch(k, cnode, cause)


def lost(k: Kernel, cause: Cause) -> None:
    """An edge is gone: look at once, or after the slice of the job that deletes."""
    if k.sweep is None:
        refresh(k, cause)
    else:
        k.sweep.lost = True


def catch_up(k: Kernel) -> None:
    """Look now for what the job at work has cut off, before anything else is to blame."""
    if k.sweep is not None and k.sweep.lost:
        k.sweep.lost = False
        refresh(k, k.sweep.cause)


def _switch(k: Kernel, cnode: CNode, cause: Cause | None) -> None:
    cnode.live = not cnode.live
    if cnode.live:
        for one in cnode.reads.values():
            one.readers += 1
        return
    assert cause is not None, "nothing is lost without a cause"
    for one in list(cnode.reads.values()):
        endpoint.unread(k, one, cause)
