"""Which method answers which operation, declared where the method stands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from caplab.pd.resource.protocol import Protocol

F = TypeVar("F", bound=Callable[..., Any])
RDE, OBJECT = "rde", "object"
_MARK = "__operation__"


def on_rde(operation: str) -> Callable[[F], F]:
    """The method answers an operation that is asked through the RDE: allocating, for instance.

    `operation` is the name of the request's part. The method is called with a
    :class:`~caplab.pd.resource.Call` and that part, and returns a part of the reply, or None for
    the basic reply. A ResourceError that it raises is the answer.
    """
    return _marked(RDE, operation)


def on_object(operation: str) -> Callable[[F], F]:
    """The method answers an operation on a resource; otherwise as `on_rde`."""
    return _marked(OBJECT, operation)


def _marked(path: str, operation: str) -> Callable[[F], F]:
    def mark(method: F) -> F:
        setattr(method, _MARK, (path, operation))
        return method

    return mark


class Handlers(NamedTuple):
    """The names of a server's methods, by operation."""

    rde: dict[str, str]
    object: dict[str, str]


def declared(server: type, protocol: Protocol[Any, Any]) -> Handlers:
    """What a class of servers declares, its base classes' included.

    Raises TypeError for an operation that the protocol does not have.
    """
    found = Handlers({}, {})
    for base in reversed(server.__mro__):
        for name, method in vars(base).items():
            path, operation = getattr(method, _MARK, (None, None))
            if path is None or operation is None:
                continue
            if operation not in protocol.operations:
                there = ", ".join(protocol.operations)
                raise TypeError(
                    f"{server.__name__}.{name} answers `{operation}`, which is none of the"
                    f" operations of {protocol.name}: {there}"
                )
            (found.rde if path == RDE else found.object)[operation] = name
    return found
