"""Interfaces as data, and the classes that generated ones are made of."""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeVar

from caplab.kernel.abi import WORD

if TYPE_CHECKING:
    from caplab.pd.env import Env
    from caplab.pd.idl.errors import IdlError
    from caplab.pd.idl.transfer import Caps
    from caplab.pd.objects import Endpoint

C = TypeVar("C")
IDENTIFY = (1 << 64) - 1
"""The opcode that every interface answers: its word is the version of who asks."""


class Op(NamedTuple):
    """One operation, as a server's loop needs it: from a message to arguments, and back."""

    name: str
    """The name of the method that does it."""
    opcode: int
    decode: Callable[[bytes, Caps], tuple[Any, ...]]
    encode: Callable[[Any, Caps], bytes]
    oneway: bool = False
    takes: bool = False
    """A capability comes with the request."""
    gives: bool = False
    """A capability goes with the answer."""

    @property
    def key(self) -> bytes:
        """The first word of its requests."""
        return WORD.pack(self.opcode)


@dataclass(frozen=True, eq=False)
class Interface:
    """What both ends agree on: `Calc.iface` of a generated class.

    `protocol` is the label of its messages, `version` a number that changes with its text.
    `kind` is the class that objects of it are of, `triple` the same in the other style, made of
    `ref` and `iface`. A compound has `parts` and no operations of its own.
    """

    name: str
    protocol: int
    version: int
    kind: type[Component]
    triple: type[Any]
    errors: type[IdlError]
    """What all errors that it declares are."""
    skeleton: str = ""
    """The module with the server's side of the operations."""
    parts: tuple[Interface, ...] = ()

    @property
    def leaves(self) -> Iterator[Interface]:
        """The interfaces with operations that it is made of, itself if it is one."""
        if not self.parts:
            yield self
        for part in self.parts:
            yield from part.leaves

    @property
    def operations(self) -> tuple[Op, ...]:
        """The operations; only a server imports what does them."""
        found: tuple[Op, ...] = import_module(self.skeleton).OPERATIONS
        return found

    def __repr__(self) -> str:
        return f"<interface {self.name}, protocol {self.protocol:#x}>"


class Component(ABC):
    """What answers an interface: an object here, or a client of one elsewhere."""

    iface: ClassVar[Interface]

    @classmethod
    def serve(
        cls, env: Env, obj: Component | tuple[Any, Any], name: str = "server", *, threads: int = 1
    ) -> None:
        """Answer calls on the endpoint of that name, for ever: see `ipc_server_loop_for`."""
        from caplab.pd.ipc_server import ipc_server_loop_for  # a client has no use for it

        ipc_server_loop_for(env, cls.iface, obj, name, threads=threads)

    def released(self) -> None:  # noqa: B027  # most have nothing to do then
        """No capability leads to it any more: a server forgets it. It was sent with an answer, or
        exported (:meth:`caplab.pd.ipc_server.IpcServer.export`).
        """


class Ref:
    """The state of an object in the seed's first style: `ptr` if it is here, else `cap`, an
    endpoint that leads to it.
    """

    __slots__ = ("_remote", "cap", "ptr")

    def __init__(self, ptr: Any = None, cap: Endpoint | None = None) -> None:
        self.ptr = ptr
        self.cap = cap
        self._remote: Any = None

    def remote(self, kind: Callable[[Endpoint], C]) -> C:
        """The client that `cap` leads through, one and the same for all calls."""
        if self._remote is None:
            if self.cap is None:
                raise ValueError("a function of a client's table needs a ref with a cap")
            self._remote = kind(self.cap)
        found: C = self._remote
        return found

    def __repr__(self) -> str:
        return f"{type(self).__name__}(ptr={self.ptr!r}, cap={self.cap!r})"
