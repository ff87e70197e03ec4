"""The child's side: one call, and what comes with its answer."""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

from caplab.kernel.abi import WORD, WORD_BITS, ObjectType, Status
from caplab.pd.objects import (
    Capability,
    CNode,
    Endpoint,
    IoPort,
    Irq,
    Memory,
    Notification,
    Tcb,
    Untyped,
)
from caplab.pd.sel4rpc.errors import Malformed, RpcError
from caplab.pd.sel4rpc.rpc_pb2 import (
    FREE,
    RpcIoPort,
    RpcIrq,
    RpcIrqIoapic,
    RpcIrqMsi,
    RpcIrqSimple,
    RpcMemory,
    RpcMessage,
)
from caplab.pd.sel4rpc.wire import MAGIC, decode, encode

C = TypeVar("C", bound=Capability, covariant=True)
_CLASSES: dict[int, type[Capability]] = {
    each.type: each for each in (CNode, Endpoint, Memory, Notification, Tcb, Untyped)
}


class Answer(NamedTuple):
    """What the parent did."""

    cookie: int
    """Of memory: what gives it back."""
    slot: int
    """Where the capability landed; 0 when none was sent."""


class Loan(NamedTuple, Generic[C]):
    """Memory that the parent lent."""

    cap: C
    cookie: int


class RpcClient:
    """Asks a parent for capabilities. sel4rpc_client_init.

    The endpoint's capability needs Write, and Grant or GrantReply. Whatever the parent refuses is
    raised as RpcError with its number; `timeout` seconds raise IpcTimeout, the parent's death
    PeerDied.
    """

    def __init__(self, endpoint: Endpoint, magic: int = MAGIC) -> None:
        self.endpoint = endpoint
        self.env = endpoint.env
        self._mark = WORD.pack(magic)

    def call(
        self,
        request: RpcMessage,
        root: CNode | int = 0,
        cptr: int = 0,
        depth: int = WORD_BITS,
        *,
        timeout: float | None = None,
    ) -> Answer:
        """Send a request; the capability that comes with the answer goes to (root, cptr, depth).

        sel4rpc_call. `root` is a CNode, 0 the own CSpace; without `cptr` none is received.

        Errors: RpcError (DELETE_FIRST's number when the slot is full or is none: what was meant
        for it is the parent's again), Malformed (no parent answered), as Endpoint.call;
        ValueError for a request that does not fit a message

        Differs: a capability that did not land, and an answer that is none, are told; there, both
            look like success
        """
        at = root.slot if isinstance(root, CNode) else root
        path = (at, cptr, depth) if cptr or at else None
        message = self.endpoint.call(0, encode(request, self._mark), receive=path, timeout=timeout)
        said = decode(message.data)
        if said.WhichOneof("msg") != "ret":
            raise Malformed("the answer says nothing of how it went")
        done = said.ret
        if done.errorCode:
            raise RpcError.of(done.errorCode, done.reason)
        if done.caps and not message.caps:
            if done.cookie:
                self.free(done.cookie, timeout=timeout)
            text = f"slot {cptr} is full, or there is none: the capability did not land"
            raise RpcError.of(Status.DELETE_FIRST, text)
        return Answer(done.cookie, message.caps[0] if message.caps else 0)

    # -- requests, into slots of the own ---------------------------------------------------------

    def memory(
        self,
        size_bits: int,
        kind: ObjectType = ObjectType.UNTYPED,
        address: int = 0,
        *,
        timeout: float | None = None,
    ) -> Loan[Capability]:
        """An object of a kind, made of the parent's memory: at an address of its ranges, or, at
        address 0, anywhere. `size_bits` is what Retype takes.

        Errors: OutsideRange, RpcError with the number of the parent's Retype
        """
        request = RpcMessage(memory=RpcMemory(address=address, size_bits=size_bits, type=kind))
        slot, cookie = self._received(request, timeout)
        return Loan(_CLASSES.get(kind, Capability)(self.env, slot), cookie)

    def free(self, loan: Loan[Capability] | int, *, timeout: float | None = None) -> None:
        """Give memory back: it is destroyed, here and wherever it was passed on to.

        Given back twice is no error. Errors: NoSuchCookie
        """
        cookie = loan if isinstance(loan, int) else loan.cookie
        self.call(RpcMessage(memory=RpcMemory(address=cookie, action=FREE)), timeout=timeout)
        if isinstance(loan, Loan):
            loan.cap.delete()

    def irq(self, irq: int, trigger: int | None = None, *, timeout: float | None = None) -> Irq:
        """The handler of an interrupt line; with `trigger`, 0 for level and 1 for edge."""
        simple = RpcIrqSimple(irq=irq, setTrigger=trigger is not None, trigger=trigger or 0)
        return self._irq(RpcIrq(simple=simple), timeout)

    def irq_ioapic(
        self,
        vector: int,
        pin: int,
        level: int = 0,
        polarity: int = 0,
        *,
        timeout: float | None = None,
    ) -> Irq:
        """The handler of the line `vector`, which a pin of the I/O APIC raises."""
        ioapic = RpcIrqIoapic(pin=pin, level=level, polarity=polarity, vector=vector)
        return self._irq(RpcIrq(ioapic=ioapic), timeout)

    def irq_msi(
        self,
        vector: int,
        bus: int,
        device: int,
        function: int,
        handle: int = 0,
        *,
        timeout: float | None = None,
    ) -> Irq:
        """The handler of the line `vector`, which a PCI device's messages raise."""
        msi = RpcIrqMsi(
            pci_bus=bus, pci_dev=device, pci_func=function, handle=handle, vector=vector
        )
        return self._irq(RpcIrq(msi=msi), timeout)

    def ioport(self, first: int, last: int, *, timeout: float | None = None) -> IoPort:
        """The capability to the I/O ports from `first` to `last`."""
        slot, _ = self._received(RpcMessage(ioport=RpcIoPort(start=first, end=last)), timeout)
        return IoPort(self.env, slot)

    def _irq(self, wanted: RpcIrq, timeout: float | None) -> Irq:
        slot, _ = self._received(RpcMessage(irq=wanted), timeout)
        return Irq(self.env, slot)

    def _received(self, request: RpcMessage, timeout: float | None) -> tuple[int, int]:
        """The new slot that the capability landed in, and the cookie."""
        cookies: list[int] = []

        def put(slot: int) -> None:
            cookies.append(self.call(request, 0, slot, timeout=timeout).cookie)

        return self.env.slots.place(put), cookies[-1]
