"""Starting a resource server while the system runs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from caplab.pd.directory import SERVICES
from caplab.pd.env import Env
from caplab.pd.errors import CapError, MissingCap
from caplab.pd.objects import Capability, Child, Endpoint
from caplab.pd.objects.domain import CHILD_UNTYPED
from caplab.pd.resource.handshake import Ready, greet

NEEDED = ("resspc",)
"""What every server that is started so needs: it makes its space itself."""
PATIENCE = 10.0
"""Seconds until a server that is not ready counts as failed."""


class ServerFailed(Exception):
    """A server that was started did not get ready; nothing of it is left."""


def start_server(
    env: Env,
    run: str,
    *,
    rdes: Iterable[str] = (),
    name: str | None = None,
    timeout: float = PATIENCE,
    threads: int = 1,
    untyped: int = CHILD_UNTYPED,
    ads: Capability | None = None,
    **args: Any,
) -> Child:
    """Start a resource server as a PD of its own, and wait until it is ready.

    start_resource_server_pd. `run` is what the manifest's key takes; `rdes` are RDEs of the own PD
    that it gets ("mo", a server's type …), besides the one it makes its space with; `args` are
    the keyword arguments of its `main`. The PD needs `rdes: [pd, resspc]`. The child's `endpoint`
    is the RDE of the server's space. With `ads` (`env.rde("vmr")` is the own one) it shares that
    address space, and is a process all the same. It outlives the own PD, and keeps its name, unless
    `child.link()` lets it die with it. Blocks until the server has done its `init`, at
    most `timeout` seconds.

    Errors: ServerFailed (it ended before, or the time ran out), MissingCap (the own PD has no such
    RDE), DeleteFirst (a PD of that name lives: give it another `name`), OutOfUntyped
    """
    wanted = dict.fromkeys((*NEEDED, *rdes))
    service = env.rde("pd")
    _has(env, wanted)
    called = name or run.rstrip("/").rsplit("/", 1)[-1].rsplit(".", 1)[-1].removesuffix(".py")
    child = service.create(
        called, run, args, serves="endpoint", threads=threads, untyped=untyped, ads=ads
    )
    assert child.endpoint is not None
    try:
        for rde in wanted:
            child.share_rde(rde)
        child.start()
        ready = _ready(env, child, child.endpoint, timeout)
    except BaseException:
        _end(child)
        raise
    child.endpoint.delete()
    if not ready.slot:
        _end(child)
        raise MissingCap(f"{env.name} has no slot left for the RDE of {called}")
    child.endpoint = Endpoint(env, ready.slot, name=called)
    return child


def _has(env: Env, wanted: Iterable[str]) -> None:
    """Raises MissingCap when the own PD lacks one of these RDEs, before anything is made."""
    there = dict.fromkeys(row["type"] for row in env.pd.rdes())
    for rde in wanted:
        if rde not in there:
            line = f"rdes: [{rde}]" if rde in SERVICES else f"uses: [PD-THAT-SERVES-{rde}]"
            raise MissingCap(
                f"{env.name} has no RDE {rde!r} to share; it has: {', '.join(there) or 'none'}."
                f" Under `{env.name}:` in the manifest add: {line}"
            )


def _ready(env: Env, child: Child, master: Endpoint, timeout: float | None) -> Ready:
    try:
        return greet(master, env.info.pd, timeout)
    except TimeoutError:
        why = "the time limit ran out"
    except CapError as failed:
        row = child.info()
        why = f"it {row['state']}: {row['reason'] or failed}"
    raise ServerFailed(f"the server {child.name} did not get ready: {why}")


def _end(child: Child) -> None:
    if child.endpoint is not None:
        child.endpoint.delete()
    try:
        child.kill()
    except CapError:
        pass  # it has ended
    child.delete()
