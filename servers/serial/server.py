"""The serial server: many clients, one UART or several.

One thread in one loop: it receives a request or the news that something was typed or a client is
gone, handles it to its end, and answers. That alone serialises access to the devices; there is no
lock. Source: seed 002, libsel4serialserver.

Differs: every request is answered; there, an unknown function, an unknown badge and a request
    without a connection are not, and their callers hang. Killing it needs a connection and a
    capability that may, and gives the endpoint up, so that later callers are told. A client
    whose last capability is gone is dropped. Reading, rings and several UARTs are new
"""

from __future__ import annotations

from collections.abc import Callable

from caplab.kernel.abi import WORK_BIT
from caplab.pd.env import Env
from caplab.pd.errors import IpcTimeout, Stop
from caplab.pd.ipc import Message
from caplab.pd.objects import Endpoint, Tcb, Work
from caplab.servers.serial import badges
from caplab.servers.serial.console import Console
from caplab.servers.serial.device import bind_all
from caplab.servers.serial.errors import BindFailed, UnknownFunction
from caplab.servers.serial.requests import Answer, Requests


def main(env: Env, colour: bool = True, device: str = "", parent: bool = False) -> None:
    """Serve `device` (all the PD has, if none is named) until somebody kills the server; suspend.

    With `colour` each client prints in its own. With `parent` the devices are bound when the Parent
    asks for it (SPAWN_SYNC) and the Parent hears what became of it; else at once, and a failure
    ends the PD with BindFailed.
    """
    server = SerialServer(env, env.endpoint("server"), device, colour=colour)
    server.tcb = env.tcb
    if not parent:
        server.bind()
    server.run()
    env.tcb.suspend()


class SerialServer:
    """The server, as a thread of whatever PD it runs in.

    `allocated` says which badges belong to clients; a Parent in the same PD passes its own
    allocator's knowledge, else every badge a Parent can have minted will do.
    """

    def __init__(
        self,
        env: Env,
        endpoint: Endpoint,
        device: str,
        *,
        colour: bool = True,
        allocated: Callable[[int], bool] = badges.well_formed,
    ) -> None:
        self.env = env
        self.endpoint = endpoint
        self.tcb: Tcb | None = None
        """The thread that serves; a Parent sets it before it asks for SPAWN_SYNC."""
        self._device = device
        self._colour = colour
        self._requests = Requests(env, endpoint, allocated, self._spawn_sync)
        self._ended = False

    @property
    def bound(self) -> bool:
        """Whether it got its devices."""
        return bool(self._consoles)

    @property
    def _consoles(self) -> list[Console]:
        return self._requests.consoles

    def bind(self) -> None:
        """Claim the devices for the thread that serves. Raises BindFailed."""
        assert self.tcb is not None, "the Parent names the thread before it asks for SPAWN_SYNC"
        found = bind_all(self.env, self._device, self.tcb)
        self._requests.consoles = [Console(self.env, uart, self._colour) for uart in found]

    def run(self) -> None:
        """Serve until killed, or until binding fails; then let go of everything."""
        answer: Answer | None = None
        try:
            while not self._over:
                message = self._next(answer)
                answer = None
                if message is None:
                    self._expire()
                elif message.notification:
                    self._notified(message.badge)
                else:
                    answer = self._requests.handle(message)
                if self._requests.rings.busy:
                    alone = answer is None
                    if answer is not None:  # its caller can go on while rings are printed
                        self.env.reply(answer.label, answer.data, caps=answer.caps)
                        answer = None
                    self._requests.rings.turns(self.env.now, alone=alone)
                for console in self._consoles:
                    console.pump()
        except Stop:
            self._requests.print_the_rest()
            raise
        if answer is not None:
            self.env.reply(answer.label, answer.data, caps=answer.caps)
        self._close()

    @property
    def _over(self) -> bool:
        return self._ended or self._requests.killed

    def _next(self, answer: Answer | None) -> Message | None:
        """Answer, then wait for what comes next; None when there is something to do without."""
        slot = self._requests.admission.slot
        if self._requests.rings.busy and answer is None:
            return self.endpoint.nb_recv(receive=slot)
        limits = [console.next_timeout() for console in self._consoles]
        timeout = min((limit for limit in limits if limit is not None), default=None)
        try:
            if answer is None:
                return self.endpoint.recv(receive=slot, timeout=timeout)
            label, data, caps = answer
            return self.endpoint.reply_recv(label, data, caps=caps, receive=slot, timeout=timeout)
        except IpcTimeout:
            return None

    def _expire(self) -> None:
        for console in self._consoles:
            console.reading.expire()

    def _notified(self, word: int) -> None:
        """What the kernel tells, and clients with rings."""
        for console in self._consoles:
            if word & console.uart.bit:
                console.interrupt()
        self._requests.rings.rung(word)
        if word & WORK_BIT:
            # Asking again, until there is none, also says that what was fetched is done.
            while work := self.env.pd.get_work():
                for item in work:
                    self._work(item)

    def _work(self, item: Work) -> None:
        if item.kind == "client-gone" and item.endpoint in (0, self.endpoint.slot):
            self._requests.drop(item.badge)
        elif item.kind == "focus":
            self.env.pd.finish_work(item, self._requests.focus(item.device, item.numbers))

    def _spawn_sync(self, badge: int) -> None:
        """The Parent waits for the devices to be bound."""
        if badge != badges.PARENT_BADGE:
            raise UnknownFunction
        if not self.bound:
            try:
                self.bind()
            except BindFailed:
                self._ended = True
                raise

    def _close(self) -> None:
        """Drop every connection, release the devices, stop listening.

        With Read gone, whoever calls from now on is told who took it away.
        """
        self._requests.close()
        if self._consoles:
            assert self.tcb is not None
            self.tcb.unbind_notification()
        for console in self._consoles:
            console.uart.give_back()
        self.endpoint.delete()
