"""The user's side of a TCB: which PD a thread belongs to, and its own way to the kernel."""

from __future__ import annotations

from contextvars import ContextVar
from threading import get_ident
from typing import TYPE_CHECKING

from caplab.pd.errors import NotATcb

if TYPE_CHECKING:
    from caplab.pd.env import Env
    from caplab.pd.transport import Transport


class Utcb:
    """One TCB as its PD sees it (the user-level thread control block of L4).

    `call` is the transport's, kept here so that a system call finds it in one step.
    """

    __slots__ = ("call", "env", "thread", "transport")

    def __init__(self, env: Env | None, transport: Transport) -> None:
        self.env = env
        self.transport = transport
        self.call = transport.call
        self.thread: int | None = None
        """The thread that makes its calls, once there is one."""

    def enter(self) -> None:
        """Make the calling thread the one that runs this TCB."""
        self.thread = get_ident()
        current.set(self)


class _NoKernel:
    """The transport of a thread that is no TCB."""

    def call(self, frame: bytes, /) -> bytes:
        raise NotATcb("this thread is not a TCB of any PD")


# One record for all threads that are no TCB: it holds nothing and refuses every call.
current: ContextVar[Utcb] = ContextVar("current", default=Utcb(None, _NoKernel()))  # noqa: B039
"""The TCB that the running thread is."""


def utcb_of(env: Env, first: Utcb) -> Utcb:
    """The TCB through which the running thread may call for `env`.

    Usually the one the thread runs. A thread that runs none, or one of another PD, may use the
    first TCB as long as no other thread does: so a test drives two PDs by hand.
    """
    here = current.get()
    if here.env is env:
        return here
    me = get_ident()
    if first.thread is None:
        first.thread = me
    if first.thread != me:
        raise NotATcb(
            f"this thread is not a TCB of {env.name}: only a TCB can make system calls;"
            " start it with env.thread(), which needs `threads: N` in the manifest"
        )
    return first
