"""An answer that is given later. Source: L4's ENOREPLY."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from caplab.pd.errors import CapError, ServiceError
from caplab.pd.idl.errors import body_of, label_of
from caplab.pd.objects import Endpoint

if TYPE_CHECKING:
    from caplab.pd.idl.interface import Op
    from caplab.pd.ipc_server.server import IpcServer


class Later:
    """Answers one request, once, from whatever thread of the PD.

    What the operation itself returns is of no account once `IpcServer.defer` was called:
    `return later.nothing` says so and satisfies a type checker.
    """

    def __init__(self, server: IpcServer, op: Op, slot: int) -> None:
        self._server, self._op, self._slot = server, op, slot

    @property
    def nothing(self) -> Any:
        """What an operation returns that has deferred its answer."""
        return None

    def reply(self, result: Any = None) -> bool:
        """Answer with what the operation would have returned; False when nobody waits any more.

        Errors: ValueError, when it was answered already
        """
        caps = self._server.caps()
        try:
            data = self._op.encode(result, caps)
        except ServiceError as refusal:
            return self.fail(refusal)
        return self._send(0, data, caps.sent)

    def fail(self, error: ServiceError) -> bool:
        """Refuse; False when nobody waits any more."""
        return self._send(label_of(error), body_of(error), [])

    def refuse(self, label: int, data: bytes) -> bool:
        """Refuse with an answer that was made already."""
        return self._send(label, data, [])

    def _send(self, label: int, data: bytes, caps: list[Any]) -> bool:
        slot, self._slot = self._slot, -1
        if slot < 0:
            raise ValueError("this request was answered already")
        if not slot:  # it was sent, not called
            return False
        env = self._server.env
        try:
            # A reply blocks nobody, and where the caller is gone nobody is to be told.
            return Endpoint(env, slot).nb_send(label, data, caps=caps)
        except CapError:  # the caller is gone, or waits no more
            return False
        finally:
            env.slots.free(slot)
            self._server.sent(caps)
