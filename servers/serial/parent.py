"""The Parent: whoever starts a serial server and hands out capabilities to it.

Usually the root task is it (`uses: {console: serial}`). A PD becomes the Parent of a server of its
own with :class:`SerialParent`. The Parent keeps a master copy of the endpoint, without Read, and
the allocator of badges; so it, and nobody else, decides who is a client.

Differs: a client's capability never carries Read, and its badge is never given to another; there,
    clients get all rights, and a badge is free again when its client disconnects
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import overload

from caplab.kernel.abi import Rights
from caplab.pd.env import Env
from caplab.pd.errors import InvalidArgument as BadArgument
from caplab.pd.objects import Child, CNode, Endpoint, PdCap, PdService, Tcb
from caplab.servers.serial.badges import PARENT_BADGE, BadgeAllocator, rights_of
from caplab.servers.serial.errors import BindFailed, InvalidArgument
from caplab.servers.serial.exchange import request
from caplab.servers.serial.protocol import Function
from caplab.servers.serial.server import SerialServer

Console = Mapping[str, bool] | None
"""What `console:` says of a client in a manifest: `escapes`, `prefix` and `focus`."""
CLIENT_RIGHTS = Rights.WRITE | Rights.GRANT | Rights.GRANT_REPLY
"""What a client's capability carries: never Read, so that no client can be the server."""
_DEVICES_ARGUMENT = 4
"""Position of `devices` among the arguments of PD_Create."""


class SerialParent:
    """A running serial server, seen by the PD that started it.

    `server` is the thread or the PD that serves. Errors of every method: InvalidArgument (1) when
    something that must be given is None. `console` is what the manifest would say of the client.
    """

    def __init__(
        self, env: Env, server: Tcb | PdCap, master: Endpoint, allocator: BadgeAllocator
    ) -> None:
        self.env = env
        self.server = server
        self._master = master
        self._badges = allocator

    @classmethod
    def spawn_thread(
        cls,
        env: Env | None,
        device: str = "uart0",
        *,
        colour: bool = True,
        timeout: float | None = None,
    ) -> SerialParent:
        """Start the server on a spare TCB of the own PD. serial_server_parent_spawn_thread.

        The PD needs `threads: 2` and the device. The server takes over the PD's work
        notification (`env.work`). Blocks until the server has bound its device.

        Errors: BindFailed (12, with `.why`), InvalidArgument, NoSpareTcb
        """
        if env is None:
            raise InvalidArgument
        endpoint = env.endpoint()
        master = endpoint.copy(CLIENT_RIGHTS)
        allocator = BadgeAllocator()
        server = SerialServer(env, endpoint, device, colour=colour, allocated=allocator.allocated)

        def serve(_env: Env, _argument: int) -> None:
            server.run()
            if server.bound and server.tcb is not None:
                server.tcb.suspend()  # killed; after a failure to bind the TCB is spare again

        try:
            server.tcb = env.thread(serve)
        except BaseException:
            master.delete()
            endpoint.delete()
            raise
        return cls._synchronised(env, server.tcb, master, allocator, timeout)

    @classmethod
    def spawn_pd(
        cls,
        env: Env | None,
        name: str = "serial",
        device: str = "uart0",
        *,
        colour: bool = True,
        timeout: float | None = None,
    ) -> SerialParent:
        """Start the server as a PD of its own. The own PD needs `rdes: [pd]` and the device.

        Blocks until the server has bound its device.

        Errors: BindFailed (12, with `.why`), InvalidArgument, MissingCap, DeleteFirst (a PD of
        that name lives)
        """
        if env is None:
            raise InvalidArgument
        child, master = _create(env.rde("pd"), name, device, colour)
        child.start()
        try:
            return cls._synchronised(env, child, master, BadgeAllocator(), timeout)
        except BaseException:
            child.kill()
            child.delete()
            raise

    @classmethod
    def _synchronised(
        cls,
        env: Env,
        server: Tcb | PdCap,
        master: Endpoint,
        allocator: BadgeAllocator,
        timeout: float | None,
    ) -> SerialParent:
        """Ask for SPAWN_SYNC, with the badge that only the Parent has, and hear how it went."""
        own = master.mint(PARENT_BADGE, CLIENT_RIGHTS)
        try:
            request(own, Function.SPAWN_SYNC, timeout=timeout)
        except BaseException:
            master.delete()
            raise
        finally:
            own.delete()
        return cls(env, server, master, allocator)

    @overload
    def mint_endpoint(
        self, client: Env | None = None, *, may_kill: bool = True, console: Console = None
    ) -> Endpoint: ...
    @overload
    def mint_endpoint(
        self, client: PdCap, *, may_kill: bool = True, console: Console = None
    ) -> int: ...
    def mint_endpoint(
        self,
        client: PdCap | Env | None = None,
        *,
        may_kill: bool = True,
        console: Console = None,
    ) -> Endpoint | int:
        """Mint a client's capability into a free slot of its CSpace.

        serial_server_parent_vka_mint_endpoint. For another PD, which may be running: the slot,
        which somebody must tell it. Without a client: for the own PD, as an endpoint to connect
        through.
        """
        badge = self._badges.allocate(may_kill, rights_of(console))
        if isinstance(client, PdCap):
            return client.install(self._master, rights=CLIENT_RIGHTS, badge=badge)
        return self._master.mint(badge, CLIENT_RIGHTS)

    def mint_endpoint_into(
        self,
        client: PdCap | CNode | None,
        slot: int | None,
        *,
        may_kill: bool = True,
        console: Console = None,
    ) -> None:
        """Mint a client's capability into the slot that was chosen for it.

        serial_server_allocate_client_badged_ep. `client` is the PD, or a CNode that is at hand.

        Errors: DeleteFirst (the slot is full), FailedLookup (no such slot)
        """
        if client is None or slot is None:
            raise InvalidArgument
        badge = self._badges.allocate(may_kill, rights_of(console))
        if isinstance(client, CNode):
            client.mint_slot(slot, self._master.slot, badge, CLIENT_RIGHTS)
        else:
            client.install(self._master, slot=slot, rights=CLIENT_RIGHTS, badge=badge)

    def mint_endpoint_to_process(
        self,
        child: PdCap | None,
        name: str = "console",
        *,
        may_kill: bool = True,
        console: Console = None,
    ) -> int:
        """Mint a client's capability into a PD that is not started yet, under a name of its `env`.

        serial_server_parent_mint_endpoint_to_process. It takes a slot of the upper half.

        Errors: DeleteFirst (the name is taken)
        """
        if child is None or not name:
            raise InvalidArgument
        badge = self._badges.allocate(may_kill, rights_of(console))
        return child.install(self._master, name, rights=CLIENT_RIGHTS, badge=badge)


def _create(service: PdService, name: str, device: str, colour: bool) -> tuple[Child, Endpoint]:
    """The PD of a server, not started, and the master copy of its endpoint."""
    args = {"colour": colour, "device": device, "parent": True}
    try:
        child = service.create(name, "servers.serial", args, devices=[device], serves="endpoint")
    except BadArgument as refused:
        if refused.words[:1] == (_DEVICES_ARGUMENT,):
            raise BindFailed.missing(device) from None
        raise
    assert child.endpoint is not None
    return child, child.endpoint
