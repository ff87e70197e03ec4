"""The client's side of an interface, as far as it is the same for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from typing import ClassVar, Protocol, Self, TypeVar

from caplab.pd.errors import FailedLookup
from caplab.pd.idl.errors import IdlError, MissingCapability, WrongVersion, refused
from caplab.pd.idl.interface import IDENTIFY, Component, Interface
from caplab.pd.idl.transfer import Caps
from caplab.pd.ipc import Data, Message
from caplab.pd.objects import Capability, Endpoint
from caplab.pd.objects.capability import Receive

C = TypeVar("C", bound="Client")
_IDENTIFY = Struct("<QQ")
_VERSION = Struct("<Q")


class Way(Protocol):
    """What calls go through: an endpoint, or before the first one what asks for the version."""

    def call(
        self,
        label: int = 0,
        data: Data = b"",
        *,
        caps: Sequence[Capability | int] = (),
        receive: Receive | None = None,
        timeout: float | None = None,
    ) -> Message: ...

    def send(
        self,
        label: int = 0,
        data: Data = b"",
        *,
        caps: Sequence[Capability | int] = (),
        timeout: float | None = None,
    ) -> None: ...


class Client:
    """A component elsewhere, reached through `endpoint`.

    A context manager: at the end of the block a capability that was an answer is deleted; one that
    goes by a name stays. Before the first call of each interface it asks the server which version
    it speaks.
    Errors of every method: what the interface declares, WireError, PeerDied, IpcTimeout.
    """

    iface: ClassVar[Interface]

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._seen: dict[type[Client], Client] = {}
        for part in self.iface.leaves:
            setattr(self, f"_{part.name}", Contact(self, part))

    def part(self, kind: type[C]) -> C:
        """The same object as one interface that its own is made of."""
        found = self._seen.get(kind)
        if found is None:
            found = self._seen[kind] = kind(self.endpoint)
        assert isinstance(found, kind)
        return found

    def receiving(self) -> Reception:
        """A slot for the capability that the answer brings."""
        return Reception(self.endpoint)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        if self.endpoint.renewal is None:
            self.endpoint.delete()

    def __repr__(self) -> str:
        return f"<client of {self.iface.name} through {self.endpoint!r}>"


class Contact:
    """Stands in for the endpoint until the server has said which version it speaks."""

    __slots__ = ("_client", "_iface")

    def __init__(self, client: Client, iface: Interface) -> None:
        self._client = client
        self._iface = iface

    def call(
        self,
        label: int = 0,
        data: Data = b"",
        *,
        caps: Sequence[Capability | int] = (),
        receive: Receive | None = None,
        timeout: float | None = None,
    ) -> Message:
        """Ask for the version, and call."""
        endpoint = self._greet(timeout)
        return endpoint.call(label, data, caps=caps, receive=receive, timeout=timeout)

    def send(
        self,
        label: int = 0,
        data: Data = b"",
        *,
        caps: Sequence[Capability | int] = (),
        timeout: float | None = None,
    ) -> None:
        """Ask for the version, and send."""
        self._greet(timeout).send(label, data, caps=caps, timeout=timeout)

    def _greet(self, timeout: float | None) -> Endpoint:
        iface, endpoint = self._iface, self._client.endpoint
        question = _IDENTIFY.pack(IDENTIFY, iface.version)
        answer = endpoint.call(iface.protocol, question, timeout=timeout)
        if answer.label:
            raise refused(IdlError, answer.label, answer.data)
        if answer.data != _VERSION.pack(iface.version):
            raise WrongVersion(f"what answers is no server of {iface.name}")
        setattr(self._client, f"_{iface.name}", endpoint)
        return endpoint


class Reception:
    """A slot of the own CSpace, until it is known whether a capability has come into it."""

    __slots__ = ("_endpoint", "slot")

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self.slot = endpoint.env.slots.alloc()

    def caps(self, message: Message) -> Caps:
        """What has come."""
        return Caps(self._endpoint.env, self.slot if message.slots else 0)

    def __enter__(self) -> Reception:
        return self

    def __exit__(self, kind: object, *exc: object) -> None:
        """Give the slot back, unless what has come into it was taken."""
        if kind is not None:
            self.drop()

    def drop(self) -> None:
        """Delete what has come, if anything has, and free the slot."""
        env = self._endpoint.env
        try:
            env.cnode.delete_slot(self.slot)
        except FailedLookup:  # the CSpace itself is another by now
            pass
        env.slots.free(self.slot)


def cap_of(name: str, obj: Component | Endpoint) -> Endpoint:
    """What is sent for an object of an interface: the capability that leads to it."""
    if isinstance(obj, Endpoint):
        return obj
    if isinstance(obj, Client):
        return obj.endpoint
    raise MissingCapability(
        f"`{name}` is a {type(obj).__name__} of this PD: only a server's loop can send one;"
        " send the client of one"
    )
