"""Work as servers see it: fetched in batches, and finished."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import msgpack

from caplab.kernel.abi import Status
from caplab.kernel.core.outcome import Outcome, Result, error
from caplab.kernel.root import bodies, death, extract, focus, work

if TYPE_CHECKING:
    from caplab.kernel.core.cap import Cap
    from caplab.kernel.core.kernel import Kernel
    from caplab.kernel.core.tcb import TCB
    from caplab.kernel.root.pd import PD
    from caplab.kernel.root.task import RootTask

_NONE = type(None)


def get(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Fetch at most 16 items of work; asking shows that what the caller fetched before is done.

    Object: PD, the caller's own
    Answer: items: maps with id, kind and space (0: none), extraction first: `extract`: say with
        PD_Finish_Work what the space is made of; `focus` with device and numbers: give the input of
        that UART to the first of these clients that is connected (none: leave it), show on the UART
        whose it is now, and say with PD_Finish_Work who there are; `free` with object, pd and
        count: that PD holds it no more, and `left` PDs do; `destroy`: the space was taken away;
        `client-gone` with badge, endpoint (its slot, or 0) and pd (0, or the PD that it was given
        to)
    Errors: INVALID_CAPABILITY (another PD's)
    """
    if cap.obj is not caller.pd:
        return error(Status.INVALID_CAPABILITY, 0)
    items, finished = work.fetch(cap.obj, caller)
    for item in finished:
        death.settle(k, item)
    return Result(body=msgpack.packb({"items": items}))


def finish(k: Kernel, caller: TCB, cap: Cap) -> Outcome:
    """Say that an item of work is done, and for an extraction what the space is made of.

    An item that is not finished so is done when the TCB that fetched it asks for more work.

    Object:    PD, the caller's own
    Arguments: id: the item's; rows, for `extract`: lists of an object (0: the space itself), a text
        for the model's EXTRA (200 characters of it are kept), and a list of the resources it maps
        to, each as space and object;
        rows, for `focus`, of each connected client: the own slot of the endpoint, its badge, and 1
        or 0 for reading and for having the focus; more: 1 if more rows follow, under the same id
    Errors:    TRUNCATED_MESSAGE, INVALID_ARGUMENT (rows where none are asked for, or more
        without rows), INVALID_CAPABILITY (another PD's), NOT_MANAGER (another server's item),
        FAILED_LOOKUP (no such item, or it was not fetched, or it is done)
    """
    kinds: dict[str, bodies.Kind] = {"id": int, "rows": (list, _NONE), "more": (int, _NONE)}
    arguments = bodies.unpack(caller, kinds)
    if isinstance(arguments, Result):
        return arguments
    if cap.obj is not caller.pd:
        return error(Status.INVALID_CAPABILITY, 0)
    pd: PD = cap.obj
    item = pd.fetched.get(arguments["id"])
    if item is None:
        return error(_why_not(cast("RootTask", k.root), arguments["id"]))
    rows = arguments["rows"]
    if rows is not None and item.kind not in ("extract", "focus"):
        return error(Status.INVALID_ARGUMENT, 1)
    if arguments["more"] not in (None, 0, 1) or (arguments["more"] and rows is None):
        return error(Status.INVALID_ARGUMENT, 2)
    root = cast("RootTask", k.root)
    if item.kind == "focus":
        believed = rows is None or focus.said(root, item, rows)
    else:
        believed = extract.said(root, item, rows or [])
    if not arguments["more"] or not believed:
        del pd.fetched[item.number]
        death.settle(k, item)
    return Result(body=msgpack.packb({}))


def _why_not(root: RootTask, number: int) -> Status:
    others = any(number in pd.fetched for pd in root.pds.values())
    return Status.NOT_MANAGER if others else Status.FAILED_LOOKUP
