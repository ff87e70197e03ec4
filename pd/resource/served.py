"""The spaces a server serves, and one request to it."""

from __future__ import annotations

from typing import Generic, TypeVar

from caplab.kernel.abi import Badge, badge_parts
from caplab.pd.errors import Revoked
from caplab.pd.ipc import Message
from caplab.pd.objects import Capability, Space
from caplab.pd.resource.errors import MissingCapability, NoSuchObject, OtherSpace

T = TypeVar("T")
C = TypeVar("C", bound=Capability)


class Served(Generic[T]):
    """A space, and what the server keeps for each of its objects.

    The root task knows who holds what; the server knows what it is. `objects` has the values by
    number.
    """

    def __init__(self, space: Space) -> None:
        self.space = space
        told = space.info()
        self.number: int = told["space"]
        self.type: int = told["type"]
        self.objects: dict[int, T] = {}

    def create(self, value: T, object: int | None = None) -> int:
        """Make a resource that nobody holds yet, and keep `value` for it; its number.

        Errors: DeleteFirst (the number is in use), RangeError, NotEnoughMemory
        """
        number = self.space.create(object)
        self.objects[number] = value
        return number

    def allocate(self, value: T, client: int) -> tuple[int, int]:
        """Make a resource and give it to a PD: its number, and the slot in the PD's CSpace.

        Nothing is left of it when it cannot be given. Errors: PdDead, NotEnoughMemory
        """
        number = self.create(value)
        try:
            slot, _ = self.space.give(number, client)
        except BaseException:
            self.delete(number)
            raise
        return number, slot

    def delete(self, object: int) -> T:
        """Delete a resource: nobody holds it any more. What was kept for it.

        Errors: NoSuchObject
        """
        if object not in self.objects:
            raise NoSuchObject(f"there is no object {object}")
        try:
            self.space.drop(object)
        except Revoked:  # by whoever takes the whole space away
            pass
        return self.objects.pop(object)


class Call(Generic[T]):
    """One request: who asks, of which space and object, and what came along."""

    def __init__(self, badge: Badge, served: Served[T], message: Message, slot: Capability) -> None:
        self.served = served
        self.client = badge.client
        """Number of the PD that holds the capability, as `Space.give` takes it."""
        self.object = badge.object
        """Number of the resource; for a request through the RDE, BADGE_OBJ_ID_NULL."""
        self.message = message
        self.taken = False
        """Whether the handler kept the capability that came along."""
        self._slot = slot

    @property
    def value(self) -> T:
        """What the server keeps for the object. Errors: NoSuchObject"""
        try:
            return self.served.objects[self.object]
        except KeyError:
            raise NoSuchObject(f"object {self.object} is gone") from None

    def take(self, kind: type[C]) -> C:
        """Keep the capability that came along; it is the server's to delete.

        What no handler takes is deleted after the answer. Errors: MissingCapability (none came, or
        one that turned out to name a resource of this server: see `resource`)
        """
        if not self.message.slots:
            raise MissingCapability(f"the message was to bring a {kind.__name__} capability")
        self.taken = True
        return kind(self._slot.env, self._slot.slot)

    def resource(self, index: int = 0) -> int:
        """The number of a resource of the same space, whose capability came along.

        Errors: MissingCapability (none came, or none of this server's), OtherSpace, NoSuchObject
        """
        message = self.message
        if index >= len(message.caps) or not message.unwrapped >> index & 1:
            raise MissingCapability("the message was to bring a resource of this server")
        parts = badge_parts(message.caps[index])
        if (parts.type, parts.space) != (self.served.type, self.served.number):
            raise OtherSpace(f"the resource is of space {parts.space}, not {self.served.number}")
        if parts.object not in self.served.objects:
            raise NoSuchObject(f"there is no object {parts.object}")
        return parts.object
