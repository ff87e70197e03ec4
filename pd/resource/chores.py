"""The work of a resource server: what the root task asks of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Generic, TypeVar

from caplab.kernel.abi import BODY_MAX
from caplab.pd.errors import CapError
from caplab.pd.objects import Row, Work

if TYPE_CHECKING:
    from caplab.pd.resource.served import Served
    from caplab.pd.resource.server import ResourceServer

T = TypeVar("T")
SLICE = 128
"""Rows of a model that are written between two looks at who waits."""
EXTRA_MAX = 200
"""Bytes of a description that a model keeps."""
MAPS_MAX = 4000
"""Maps of one resource that a model keeps."""
_ROOM = BODY_MAX - 2048
_ROW, _MAP = 16, 14
"""Bytes that a row and a map in it take at most, as they travel, besides the description."""
assert _ROW + EXTRA_MAX + MAPS_MAX * _MAP < _ROOM


class Chores(Generic[T]):
    """Fetches work and does it; a model is written slice by slice, between requests."""

    def __init__(self, server: ResourceServer[T]) -> None:
        self._server = server
        self._writing: deque[tuple[Work, Iterator[list[Row]]]] = deque()

    @property
    def pending(self) -> bool:
        """Whether there is a model to go on writing."""
        return bool(self._writing)

    def fetch(self) -> None:
        """Do what there is to do. Asking again also says that what was fetched is done, so it
        waits until the models of this batch are written.
        """
        while not self._writing and (items := self._server.env.pd.get_work()):
            for item in items:
                self._do(item)

    def slice(self) -> None:
        """Write some more rows of the model that was asked for first."""
        item, slices = self._writing[0]
        rows = next(slices, None)
        try:
            self._server.env.pd.finish_work(item, rows or [], more=rows is not None)
        except CapError:  # nobody waits for it any more
            rows = None
        if rows is None:
            self._writing.popleft()
            self.fetch()

    def _do(self, item: Work) -> None:
        server = self._server
        served = server.spaces.get(item.space)
        if item.kind == "client-gone":
            server.client_gone(served, item.pd)
        elif served is None:
            return  # of a space that went before; an extraction is answered by asking again
        elif item.kind == "extract":
            self._writing.append((item, self._slices(served)))
        elif item.kind == "free":
            server.freed(served, item.object, item.pd, item.count, item.left)
        elif item.kind == "destroy":
            del server.spaces[item.space]
            server.destroyed(served)

    def _slices(self, served: Served[T]) -> Iterator[list[Row]]:
        """What the server says of its objects, as much at a time as a body holds."""
        rows: list[Row] = []
        room = _ROOM
        for row in self._rows(served):
            size = _ROW + len(row[1].encode()) + len(row[2]) * _MAP
            if len(rows) == SLICE or size > room:
                yield rows
                rows, room = [], _ROOM
            rows.append(row)
            room -= size
        yield rows

    def _rows(self, served: Served[T]) -> Iterator[Row]:
        """A row of each object that there is now, and still when its turn comes."""
        for number in list(served.objects):
            if number in served.objects:
                value = served.objects[number]
                extra = self._server.describe(value).encode()[:EXTRA_MAX].decode(errors="ignore")
                yield number, extra, list(self._server.maps(value))[:MAPS_MAX]
