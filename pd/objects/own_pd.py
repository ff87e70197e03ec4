"""The own PD's root-task capability: names, and the work of a server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from caplab.kernel.abi import ObjectType, Status
from caplab.pd import invocations
from caplab.pd.objects.capability import Capability
from caplab.pd.objects.domain import PdCap

Row = tuple[int, str, Sequence[tuple[int, int]]]
"""What a server says of an object (0: the space itself) in a model: the object's number, a text,
of which 200 characters are kept, and the resources it maps to, each as space and object."""
ClientRow = tuple[int, int, int, int]
"""What a server says of a client for `focus`: the own slot of its endpoint, the client's badge, 1
or 0 for reading and for having the focus."""


@dataclass(frozen=True, slots=True)
class Work:
    """One thing the root task asks a server to do, announced on `env.work`."""

    kind: str
    """`extract`: say what a space is made of (:meth:`OwnPd.finish_work`); `focus`: give the input
    of the UART `device` to the first of `numbers` that is a client, and say who there are; `free`:
    a PD holds an object no more; `destroy`: a space was taken away; `client-gone`: no capability
    with this badge is left anywhere, or a PD has lost its RDE."""
    badge: int = 0
    endpoint: int = 0
    """The own slot of the endpoint it is about; 0 when it is not in this CSpace."""
    id: int = 0
    space: int = 0
    object: int = 0
    pd: int = 0
    """Number of the PD that held the object, or had the RDE or the badge."""
    count: int = 0
    """How often it held the object."""
    left: int = 0
    """How many PDs hold the object still."""
    device: str = ""
    numbers: Sequence[int] = ()


_WORK = tuple(field.name for field in fields(Work))


class Client(NamedTuple):
    """Who a badge of an own endpoint was given to."""

    pd: str
    """The PD's name."""
    console: Mapping[str, Any]
    """Its `console:` in the manifest; empty when there is none."""
    number: int
    generation: int
    which: int
    """Of the badges of this endpoint that it was given, from 0."""


class Found(NamedTuple):
    """A named capability of the own CSpace."""

    slot: int
    type: ObjectType
    origin: str
    """Name of the PD it came from."""
    renewal: int
    pd: int
    """Of an endpoint: the number of the PD that receives there; 0 for nobody."""


class OwnPd(PdCap):
    """The PD's own root-task capability (`env.pd`)."""

    __slots__ = ()

    def lookup(self, name: str) -> Found:
        """The capability that goes by a name. Errors: FailedLookup."""
        answer = invocations.pd_lookup(self.transport, self.slot, name=name)
        return _found(self._fields(answer, "PD_Lookup"))

    def names(self) -> dict[str, Found]:
        """Everything that has a name here."""
        answer = invocations.pd_lookup(self.transport, self.slot, name=None)
        rows = self._fields(answer, "PD_Lookup")["names"]
        return {name: _found(row) for name, row in rows.items()}

    def client(self, endpoint: Capability, badge: int) -> Client | None:
        """The PD that a badge of an own endpoint was given to; None when nobody knows."""
        answer = invocations.pd_client(self.transport, self.slot, endpoint.slot, badge=badge)
        if answer.status == Status.FAILED_LOOKUP:
            return None
        row = self._fields(answer, "PD_Client")
        return Client(**row)

    def get_work(self) -> list[Work]:
        """Up to 16 items of work, oldest first; empty when all is fetched."""
        answer = invocations.pd_get_work(self.transport, self.slot)
        items = self._fields(answer, "PD_GetWork")["items"]
        return [Work(**{key: item[key] for key in _WORK if key in item}) for item in items]

    def finish_work(
        self,
        item: Work,
        rows: Sequence[Row] | Sequence[ClientRow] | None = None,
        *,
        more: bool = False,
    ) -> None:
        """Say that an item is done; for `extract` with rows of the model, for `focus` of clients.

        pd_client_finish_work.

        What is not finished so is done when this TCB asks for more work. With `more`, further rows
        follow; a body holds 60 KiB. Errors: FailedLookup (no such item, or it is done),
        InvalidArgument (rows of what is no extraction)
        """
        listed = None if rows is None else [list(row) for row in rows]
        answer = invocations.pd_finish_work(
            self.transport, self.slot, id=item.id, rows=listed, more=int(more)
        )
        self.checked(answer, "PD_FinishWork")


def _found(row: Mapping[str, Any]) -> Found:
    return Found(row["slot"], ObjectType(row["type"]), row["from"], row["renewal"], row["pd"])
