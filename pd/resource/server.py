"""`ResourceServer`: the loop of a resource server, and what it does when the server says nothing.

One thread receives a request or the news that there is work, handles it to its end, and answers.
A request that is refused, malformed or unknown is answered; only a mistake of the server's own
ends it. Source: seed 000, resource_server_utils.

Differs: a malformed message is answered, where theirs ends the server; a server frees what its last
    holder let go of without a line of its own; extraction goes in slices, between requests
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, Generic, TypeVar

from caplab.kernel.abi import BADGE_OBJ_ID_NULL, WORK_BIT, Status, badge_parts
from caplab.pd.env import Env
from caplab.pd.errors import (
    Cancelled,
    IpcTimeout,
    MissingCap,
    NeverExisted,
    NeverHeld,
    NotEnoughMemory,
    PdDead,
    PeerDied,
    Revoked,
    ServiceError,
    SlotsExhausted,
)
from caplab.pd.ipc import Message
from caplab.pd.objects import Capability, Endpoint, Space
from caplab.pd.resource.chores import Chores
from caplab.pd.resource.errors import (
    Below,
    NeedsRde,
    NeedsResource,
    OtherSpace,
    ProtocolError,
    ReplyTooLong,
    ResourceError,
    UnknownMessage,
)
from caplab.pd.resource.handlers import Handlers, declared
from caplab.pd.resource.handshake import answered
from caplab.pd.resource.protocol import Protocol
from caplab.pd.resource.served import Call, Served

T = TypeVar("T")
CIRCUMSTANCES = (
    *(Cancelled, IpcTimeout, NeverExisted, NotEnoughMemory, PdDead, PeerDied, Revoked),
    *(ServiceError, SlotsExhausted),
)
"""What may go wrong under a handler without being its mistake: it is answered with Below."""


class ResourceServer(Generic[T]):
    """A server whose resources are of one type; `T` is what it keeps for each of them.

    A subclass sets `type_name` and `protocol`, and declares its operations with `on_rde` and
    `on_object`. It may say more: `init`, `describe` and `maps` (for the model), `released`,
    `freed`, `destroyed`, `client_gone`, `close`. `main` is then one line, `Server(env).run()`.

    `spaces` are the spaces it serves, by number; `default` is the first, which the manifest's
    `serves: {space: TYPE}` made, or else is made here (`rdes: [resspc]`) at the endpoint the PD
    serves.
    """

    type_name: ClassVar[str]
    protocol: ClassVar[Protocol[Any, Any]]
    _handlers: ClassVar[Handlers]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if hasattr(cls, "protocol"):
            cls._handlers = declared(cls, cls.protocol)

    def __init__(self, env: Env) -> None:
        self.env = env
        self.endpoint = env.endpoint("server")
        self.spaces: dict[int, Served[T]] = {}
        self._slot = Capability(env, env.slots.alloc())
        self._chores: Chores[T] = Chores(self)
        self.default = self._default()

    # -- what a server may say --------------------------------------------------------------------

    def init(self) -> None:
        """Work before the first request; the server counts as ready when it is done."""

    def describe(self, value: T) -> str:
        """What the model says of a resource (EXTRA)."""
        return ""

    def maps(self, value: T) -> Iterable[tuple[int, int]]:
        """The resources of other spaces that one rests on, each as space and object."""
        return ()

    def freed(self, served: Served[T], object: int, client: int, count: int, left: int) -> None:
        """A PD that held an object `count` times holds it no more; `left` PDs do.

        Unless a server says otherwise, a resource is deleted when its last holder is gone.
        """
        if not left and object in served.objects:
            self.released(served.delete(object))

    def released(self, value: T) -> None:
        """A resource was deleted because nobody held it any more: give back what it stood for."""

    def destroyed(self, served: Served[T]) -> None:
        """A cleanup policy took a space away, with everything in it.

        Unless a server says otherwise, everything in it was released.
        """
        for value in served.objects.values():
            self.released(value)

    def client_gone(self, served: Served[T] | None, client: int) -> None:
        """A PD has lost its RDE of a space (None: a capability that was no space's)."""

    def close(self) -> None:
        """The server ends: the system goes down, or it is killed politely."""

    # -- spaces -----------------------------------------------------------------------------------

    def new_space(self, client: int | None = None, **depths: Any) -> tuple[Served[T], int]:
        """One more space of the server's type, whose first RDE a PD gets: its slot there, or 0.

        resource_server_new_res_space. `pd_depth` and `space_depth` are its cleanup policy. Needs
        `rdes: [resspc]`. Errors: MissingCap, PdDead, FailedLookup, NotEnoughMemory
        """
        service = self.env.rde("resspc")
        space, slot = service.connect(self.type_name, self.endpoint, client=client, **depths)
        return self._enter(space), slot

    def build_on(self, name: str) -> int:
        """Map the default space onto the space whose RDE goes by a name here, of `uses` or
        `rde:TYPE`; its number. The policy of that space may then take this one away with it.

        Errors: MissingCap; NeverHeld when it is no RDE
        """
        slot = self.env.endpoint(name).slot
        number = next((row["space"] for row in self.env.pd.rdes() if row["slot"] == slot), 0)
        if not number:
            raise NeverHeld(Status.NEVER_HELD, "RESSPC_Map", slot, name=name)
        self.default.space.map(number)
        return number

    def _default(self) -> Served[T]:
        there = self.env.pd.names().get("space")
        if there is None:
            try:
                return self.new_space()[0]
            except MissingCap as missing:
                raise MissingCap(
                    f"{self.env.name} serves no space: under `{self.env.name}:` in the manifest"
                    f" write  serves: {{space: {self.type_name}}}  ({missing})"
                ) from None
        return self._enter(Space(self.env, there.slot, name="space"))

    def _enter(self, space: Space) -> Served[T]:
        served: Served[T] = Served(space)
        self.spaces[served.number] = served
        return served

    # -- the loop ---------------------------------------------------------------------------------

    def run(self) -> None:
        """Serve for ever. The thread that runs it is the one the PD's work is announced to."""
        self.env.tcb.bind_notification(self.env.work)
        self.init()
        try:
            answer: bytes | None = None
            while True:
                message = self._next(answer)
                answer = None
                if message is None:
                    self._chores.slice()
                elif not message.notification:
                    answer = self._answer(message)
                elif message.badge & WORK_BIT:
                    self._chores.fetch()
        finally:
            self.close()

    def _next(self, answer: bytes | None) -> Message | None:
        """Answer, then what comes next; None: nothing waits, and a chore is to be gone on with."""
        endpoint: Endpoint = self.endpoint
        slot = self._slot.slot
        if self._chores.pending:
            if answer is not None:
                self.env.reply(0, answer)
            return endpoint.nb_recv(receive=slot)
        if answer is not None:
            return endpoint.reply_recv(0, answer, receive=slot)
        return endpoint.recv(receive=slot)

    def _answer(self, message: Message) -> bytes:
        call: Call[T] | None = None
        try:
            if not message.badge:
                return answered(self.default, message)
            call = self._call(message)
            return self._handled(call, message)
        except ResourceError as refusal:
            return self.protocol.refused(self._ours(refusal))
        except CIRCUMSTANCES as lack:
            return self.protocol.refused(Below(f"{self.env.name}: {lack}"))
        finally:
            self._tidy(call, message)

    def _call(self, message: Message) -> Call[T]:
        badge = badge_parts(message.badge)
        served = self.spaces.get(badge.space)
        if served is None or served.type != badge.type:
            raise OtherSpace(f"{self.env.name} serves no space {badge.space}")
        return Call(badge, served, message, self._slot)

    def _handled(self, call: Call[T], message: Message) -> bytes:
        operation, part = self.protocol.decode(message.data)
        by_rde = call.object == BADGE_OBJ_ID_NULL
        own, other = self._handlers if by_rde else reversed(self._handlers)
        name = own.get(operation)
        if name is None:
            raise _misdirected(self.protocol.name, operation, by_rde, operation in other)
        if not by_rde:
            call.value  # noqa: B018  # refused before the handler is asked if it is gone
        reply = self.protocol.done(operation, getattr(self, name)(call, part))
        if reply is None:
            raise ReplyTooLong(f"the answer to `{operation}` does not fit a message")
        return reply

    def _ours(self, refusal: ResourceError) -> ResourceError:
        """A refusal of another service's, met while asking it, is not this one's by its number."""
        own = (self.protocol.errors, ProtocolError)
        return refusal if isinstance(refusal, own) else Below(f"{self.env.name}: {refusal}")

    def _tidy(self, call: Call[T] | None, message: Message) -> None:
        """Leave an empty receive slot for the next request."""
        if call is not None and call.taken:
            self._slot = Capability(self.env, self.env.slots.alloc())
        elif message.slots:
            self.env.cnode.delete_slot(self._slot.slot)


def _misdirected(name: str, operation: str, by_rde: bool, elsewhere: bool) -> ResourceError:
    if not elsewhere:
        return UnknownMessage(f"this server of {name} does not do `{operation}`")
    if by_rde:
        return NeedsResource(f"`{operation}` is asked of a resource, not through the RDE")
    return NeedsRde(f"`{operation}` is asked through the RDE, not of a resource")
