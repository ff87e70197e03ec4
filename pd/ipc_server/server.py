"""`IpcServer`: the loop of a component server.

A message names an interface by its label and an operation by its first word; the capability it
came through says which object is meant. Whatever is wrong with it is answered, and the loop goes
on; a mistake of the component's own ends the PD. Source: seed 004, ipc_server_loop_for.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import get_ident
from typing import Any

from caplab.kernel.abi import Rights
from caplab.pd.env import Env
from caplab.pd.errors import (
    CapError,
    IllegalOperation,
    InvalidCapability,
    MissingCap,
)
from caplab.pd.idl.errors import NotHere
from caplab.pd.idl.interface import Interface
from caplab.pd.idl.transfer import Caps
from caplab.pd.ipc import Message
from caplab.pd.ipc_server.adapt import Entry, Table, table
from caplab.pd.ipc_server.later import Later
from caplab.pd.ipc_server.loop import Loop
from caplab.pd.ipc_server.objects import FIRST, Export, Objects
from caplab.pd.objects import Capability, Endpoint

CLIENT_RIGHTS = Rights.WRITE | Rights.GRANT | Rights.GRANT_REPLY
"""What the capability to an exported object carries."""


def ipc_server_loop_for(
    env: Env, iface: Interface, obj: Any, name: str = "server", *, threads: int = 1
) -> None:
    """Answer calls of an interface on the endpoint of that name, for ever.

    `obj` is of the interface's class, or a ref with a table of functions. With `threads`, so many
    TCBs of the PD receive, and as many clients are served at a time (`threads: N` in the manifest).
    Raises MissingCap (there is no such name, or it is no endpoint to receive on), TypeError (the
    object does not do an operation).
    """
    server = IpcServer(env, name)
    server.bind(iface, obj)
    server.run(threads=threads)


class IpcServer:
    """Objects behind one endpoint of the PD.

    What is bound answers whoever the manifest's `uses` leads here; an exported object answers
    whoever was sent the capability to it.
    """

    def __init__(self, env: Env, name: str = "server") -> None:
        self.env = env
        self.name = name
        self.endpoint = env.endpoint(name)
        self.objects = Objects()
        self.bound: dict[int, dict[bytes, Entry]] = {}
        self._ifaces: list[Interface] = []
        self._loops: dict[int, Loop] = {}
        self.takes = False
        """Whether an operation takes a capability, so that a slot must be ready for it."""

    # -- objects ----------------------------------------------------------------------------------

    def bind(self, iface: Interface, obj: Any) -> None:
        """Let an object answer an interface.

        Raises TypeError (it does not do an operation), ValueError (something answers already)
        """
        made = table(iface, obj)
        for protocol in made:
            if protocol in self.bound:
                raise ValueError(f"something answers {iface!r} already: export what comes second")
        self.bound.update(made)
        self._ifaces.append(iface)
        self._look(made)

    def export(self, iface: Interface, obj: Any, *, thread: bool = False) -> Endpoint:
        """A capability to an object, which a client may be sent; the object answers whoever has it.

        Sent with an answer it is deleted here, otherwise it is the caller's to delete; the object
        is forgotten, and told so by `released`, when the last one is gone. An object that is
        exported again keeps its badge. With `thread`, a TCB of its own serves it, so that its
        client waits for nobody else's (NoSpareTcb when none is left).
        """
        made = table(iface, obj)
        self._look(made)
        if thread:
            return self._session(iface, obj, made)
        badge = self.objects.enter(iface, obj, made)
        return self._minted(self.endpoint, badge)

    def _minted(self, master: Endpoint, badge: int) -> Export:
        return Export(self.env, master.mint(badge, CLIENT_RIGHTS).slot)

    def _session(self, iface: Interface, obj: Any, made: Table) -> Endpoint:
        own = self.env.endpoint()
        badge = self.objects.enter(iface, obj, made, own)
        client: Export | None = None
        try:
            client = self._minted(own, badge)
            self.env.thread(self._serve_session, badge)
        except BaseException:
            self.objects.leave(badge)
            for made_here in (client, own):
                if made_here is not None:
                    made_here.delete()
            raise
        return client

    def _look(self, made: Table) -> None:
        if any(entry.op.takes for ops in made.values() for entry in ops.values()):
            self.takes = True

    def _watch(self) -> None:
        """Have the first TCB told of work: that the last capability to an object is gone."""
        try:
            self.env.tcb.bind_notification(self.env.work)
        except IllegalOperation:  # the PD has it bound already, or uses it otherwise
            pass

    # -- what operations may ask for --------------------------------------------------------------

    def defer(self) -> Later:
        """Answer the request that this thread is at later, with what `Later.reply` is given.

        Errors: SlotsExhausted; RuntimeError outside of an operation
        """
        loop = self._request()
        if loop.later is not None or loop.entry is None:
            raise RuntimeError("this request is to be answered later already")

        def save(slot: int) -> None:
            self.env.cnode.save_caller(slot)

        try:
            slot = self.env.slots.place(save)
        except IllegalOperation:  # nobody waits for an answer
            slot = 0
        if slot and self.env.semantics == "sel4" and not self.env.cnode.is_full(slot):
            self.env.slots.free(slot)  # there nobody says so
            slot = 0
        loop.later = Later(self, loop.entry.op, slot)
        return loop.later

    def client(self) -> int:
        """Badge of the capability that the request of this thread came through."""
        return self._request().badge

    # -- the loop ---------------------------------------------------------------------------------

    def run(self, *, threads: int = 1) -> None:
        """Serve for ever, on this thread and so many more.

        Raises MissingCap when the endpoint is not one to receive on, NoSpareTcb.
        """
        self._watch()
        for _ in range(threads - 1):
            self.env.thread(self._serve_shared)
        try:
            self._serve(self.endpoint)
        except InvalidCapability as refused:
            if refused.slot != self.endpoint.slot:
                raise
            raise MissingCap(
                f"{self.name!r} is an endpoint that {self.env.name} may call and not receive on:"
                f" under `{self.env.name}:` in the manifest write  serves: endpoint  and serve"
                ' on "server"'
            ) from None

    def _serve_shared(self, env: Env, _: int) -> None:
        """Entry of the further threads."""
        self._serve(self.endpoint)

    def _serve_session(self, env: Env, badge: int) -> None:
        """Entry of a thread that serves one object, of this badge."""
        own = self.objects.own(badge)
        if own is None:
            return
        try:
            self._serve(own)
        except CapError:
            if own.slot in self.objects.sessions:
                raise
        # The last client is gone and the endpoint with it: the TCB is spare again.

    def _serve(self, endpoint: Endpoint) -> None:
        loop = self._loops[get_ident()] = Loop(self, endpoint)
        try:
            loop.run()
        finally:
            del self._loops[get_ident()]
            loop.end()

    def _request(self) -> Loop:
        """The loop of this thread, which is at a request."""
        loop = self._loops.get(get_ident())
        if loop is None or loop.entry is None:
            raise RuntimeError("there is no request here")
        return loop

    def caps(self, message: Message | None = None, slot: int | None = None) -> Caps:
        """What came with a message, and how objects of this server come and go."""
        got = message is not None and bool(message.slots)
        badge: int | None = None
        if message is not None and message.unwrapped & 1:
            badge = message.caps[0]
        return Caps(self.env, (slot or 0) if got else 0, badge, local=self._local, give=self._given)

    def _local(self, iface: Interface, badge: int) -> Any:
        """The own object that a capability leads to. Errors: NotHere"""
        found = self.objects.of(badge, iface) if badge >= FIRST else None
        if found is None:
            raise NotHere(f"that capability leads to no {iface.name} of {self.env.name}")
        return found

    def _given(self, iface: Interface, obj: Any) -> Capability:
        """What is sent for an object; a copy, which `sent` deletes."""
        remote = getattr(obj, "endpoint", obj)
        if isinstance(remote, Endpoint):
            return remote
        return self.export(iface, obj)

    def sent(self, caps: Sequence[Capability]) -> None:
        """They have gone: what was made for the journey is deleted."""
        for each in caps:
            if isinstance(each, Export):
                each.delete()

    def work(self) -> None:
        """Forget the objects that nobody can reach any more."""
        while items := self.env.pd.get_work():
            for item in items:
                if item.kind == "client-gone":
                    self._forget(item.badge)

    def _forget(self, badge: int) -> None:
        left = self.objects.leave(badge)
        if left is None:
            return
        if left.own is not None:
            left.own.delete()
        if hasattr(left.obj, "released"):
            left.obj.released()
