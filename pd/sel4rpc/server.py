"""The parent's side: a request is handled, and answered exactly once, whatever it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

from caplab.kernel.abi import WORD
from caplab.pd.env import Env
from caplab.pd.errors import CapError, MissingCap, ServiceError, SlotsExhausted
from caplab.pd.ipc import Message
from caplab.pd.objects import Capability, IoPortControl, IrqControl
from caplab.pd.sel4rpc.errors import (
    NoSlots,
    NotAnswered,
    NotTheParents,
    UnknownRequest,
)
from caplab.pd.sel4rpc.lender import Lender
from caplab.pd.sel4rpc.rpc_pb2 import (
    ALLOCATE,
    FREE,
    RpcIoPort,
    RpcIrq,
    RpcMemory,
    RpcMessage,
    RpcReturn,
)
from caplab.pd.sel4rpc.wire import MAGIC, decode, encode, marked

Handler = Callable[["RpcServer", Any, RpcMessage], None]
REASON_MAX = 400
"""Characters of a refusal's text that travel."""


class RpcServer:
    """Serves the requests of children. sel4rpc_server_init.

    `handler(server, data, request)` is asked first. It answers with `reply`, passes the request on
    with `pass_on` (or `default_handler`), or raises: a ServiceError, or the CapError of a call it
    made, is the answer, with its number. Without a handler the default one does it all, from the
    parent's own untyped memory and what its `devices` name.

    The loop is the parent's own, and may receive other messages on the same endpoint:

        message = endpoint.recv()
        if message.notification:
            server.see_to_work()            # a child has ended
        elif not server.recv(message):
            ...                             # one of the parent's own

    `badge` is that of the child whose request is being handled.
    """

    def __init__(
        self, env: Env, handler: Handler | None = None, data: Any = None, *, magic: int = MAGIC
    ) -> None:
        self.env = env
        self.lender = Lender(env)
        self.badge = 0
        self._mark = WORD.pack(magic)
        self._handlers: list[tuple[Handler, Any]] = [(handler, data)] if handler else []
        self._turn = 0
        self._answered = False

    def add_handler(self, handler: Handler, data: Any = None) -> None:
        """Have one more handler, asked after those there are and before the default."""
        self._handlers.append((handler, data))

    # -- a request -------------------------------------------------------------------------------

    def recv(self, message: Message) -> bool:
        """Handle a message that the parent has received, if it is a request: False when it is not,
        and nothing was done. sel4rpc_server_recv.

        Differs: malformed bytes, an unknown request, and a handler that gives no answer are
            answered; there, each leaves the child waiting for ever
        """
        if message.notification or not marked(message.data, self._mark):
            return False
        self.badge, self._turn, self._answered = message.badge, 0, False
        try:
            self.pass_on(decode(message.data, WORD.size))
            if not self._answered:
                raise NotAnswered(f"{self.env.name} gave no answer to this request")
        except (CapError, ServiceError) as refused:
            self._refuse(refused.code, refused)
        except SlotsExhausted as full:
            self._refuse(NoSlots.code, full)
        return True

    def pass_on(self, request: RpcMessage) -> None:
        """Have the next handler see to the request; after the last, the default."""
        turn, self._turn = self._turn, self._turn + 1
        if turn < len(self._handlers):
            handler, data = self._handlers[turn]
            handler(self, data, request)
        else:
            self.default_handler(None, request)

    def reply(
        self,
        caps: Sequence[Capability | int] = (),
        error_code: int = 0,
        cookie: int = 0,
        reason: str = "",
    ) -> bool:
        """Answer the child; False when it does not wait any more. sel4rpc_server_reply.

        Errors: IllegalOperation (the endpoint was received from without Grant: nothing was sent,
        and the child waits still); RuntimeError, when it has been answered already
        """
        if self._answered:
            raise RuntimeError("this request has been answered already")
        told = RpcReturn(errorCode=error_code, cookie=cookie, reason=reason, caps=len(caps))
        heard = self.env.reply(0, encode(RpcMessage(ret=told)), caps=caps)
        self._answered = True
        return heard

    def give(self, slot: int, cookie: int = 0) -> None:
        """Answer with a capability of a slot of the own half, and delete the own copy of it."""
        try:
            self.reply([slot], cookie=cookie)
        finally:
            self.env.cnode.delete_slot(slot)
            self.env.slots.free(slot)

    def _refuse(self, code: int, why: Exception) -> None:
        if self._answered:
            raise why  # a mistake after the answer is the handler's own
        self.reply(error_code=code, reason=str(why)[:REASON_MAX])

    # -- the default -----------------------------------------------------------------------------

    def default_handler(self, data: Any, request: RpcMessage) -> None:
        """Give what is asked for. sel4rpc_default_handler.

        Raises UnknownRequest, and what goes wrong.
        """
        kind = request.WhichOneof("msg")
        if kind == "memory":
            self._memory(request.memory)
        elif kind == "irq":
            self._irq(request.irq)
        elif kind == "ioport":
            self._ioport(request.ioport)
        else:
            raise UnknownRequest("a request for memory, an irq or an ioport is known")

    def _memory(self, wanted: RpcMemory) -> None:
        if wanted.action == FREE:
            self.lender.take_back(wanted.address, self.badge)
            self.reply()
        elif wanted.action == ALLOCATE:
            slot, cookie = self.lender.lend(
                wanted.type, wanted.size_bits, wanted.address, self.badge
            )
            try:
                self.give(slot, cookie)
            except CapError:
                self.lender.take_back(cookie, self.badge)
                raise
        else:
            raise UnknownRequest(f"memory is allocated or freed, nothing else ({wanted.action})")

    def _irq(self, wanted: RpcIrq) -> None:
        kind = wanted.WhichOneof("type")
        control = self._irq_control
        if kind == "simple":
            trigger = wanted.simple.trigger if wanted.simple.setTrigger else None
            self.give(control.get(wanted.simple.irq, trigger=trigger).slot)
        elif kind == "ioapic":
            pin = wanted.ioapic
            made = control.get_ioapic(
                pin.vector, pin.pin, pin.level, pin.polarity, ioapic=pin.ioapic
            )
            self.give(made.slot)
        elif kind == "msi":
            msi = wanted.msi
            made = control.get_msi(msi.vector, msi.pci_bus, msi.pci_dev, msi.pci_func, msi.handle)
            self.give(made.slot)
        else:
            raise UnknownRequest("an irq is asked for as simple, ioapic or msi")

    def _ioport(self, wanted: RpcIoPort) -> None:
        self.give(self._port_control.issue(wanted.start, wanted.end).slot)

    @cached_property
    def _irq_control(self) -> IrqControl:
        try:
            return self.env.irqs()
        except MissingCap as missing:
            raise NotTheParents(str(missing)) from None

    @cached_property
    def _port_control(self) -> IoPortControl:
        try:
            return self.env.ioports()
        except MissingCap as missing:
            raise NotTheParents(str(missing)) from None

    # -- children that end -----------------------------------------------------------------------

    def see_to_work(self) -> list[int]:
        """Fetch the work that the PD was told of (a message that is a notification, when `env.work`
        is bound to the TCB that receives), and take back what children had that are gone: the
        badges of those.
        """
        gone: list[int] = []
        while items := self.env.pd.get_work():
            badges = [item.badge for item in items if item.kind == "client-gone"]
            for badge in badges:
                self.client_gone(badge)
            gone += badges
        return gone

    def client_gone(self, badge: int) -> int:
        """The last capability of a badge is gone: the memory it had is the parent's again, apart
        from what it had passed on. How many loans are over.
        """
        return self.lender.collect(badge)
