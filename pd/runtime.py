"""The life of a PD, from its spawn channel to its exit status.

`run` is the process side: it owns stdout, `sys.path` and the end of the process. `execute` runs a
program on a first TCB and says how it ended; it needs no process, so tests run PDs as threads.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

from caplab.pd import stubs
from caplab.pd.debugger import hook
from caplab.pd.env import Env
from caplab.pd.errors import Stop
from caplab.pd.faults import describe
from caplab.pd.handed import open_handed
from caplab.pd.loader import run_main
from caplab.pd.mappings import Mappings
from caplab.pd.modules import search_path
from caplab.pd.spawn import introduce, receive
from caplab.pd.transport import connect

FAILED = 1
"""Exit status of a PD that died of an exception."""
PATIENCE = 0.5
"""Seconds that a stopped PD waits for its other TCBs to leave their `with` blocks."""

Ended = Callable[[int], None]


def run(fd: int, seal: Callable[[], None]) -> int:
    """Be the PD that the spawn channel describes, until its first TCB returns; the exit status.

    `seal` takes away the right to connect; not a line of the user's runs before it.
    """
    info = receive(fd)
    if info.handed:
        open_handed(fd)
    sys.path[:] = search_path(info.path)
    env = Env(info, connect(info.address, info.ids), mappings=Mappings(attached=True))
    seal()
    sys.breakpointhook = hook(env)
    return execute(env, run_main, end_process)


def end_process(status: int) -> None:
    """End this process from any of its threads."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def execute(env: Env, main: Callable[[Env], Any], end: Ended) -> int:
    """Run `main(env)` as the first TCB, the spare ones parked; the exit status it comes to.

    0 after `return None` or Stop, the int that was returned, the code of `env.exit`, 1 after a
    fault. `end(status)` is called on its own thread by a spare TCB that ends the PD.
    """
    env.first.enter()
    introduce(env.info, 0)
    env.threads.park_all(lambda exc: end(outcome(env, exc)))
    try:
        status = exit_status(main(env))
        env.leave()
        return status
    except BaseException as exc:  # noqa: BLE001  # Stop, SystemExit and every bug of the program
        if isinstance(exc, Stop):
            with env.prompt:  # who sits there has no time limit
                env.threads.join(PATIENCE)
        if isinstance(exc, Stop | SystemExit):
            env.leave()
        return outcome(env, exc)


def exit_status(returned: Any) -> int:
    """What a returned value means: nothing is success, a number is the status."""
    if returned is None:
        return 0
    if isinstance(returned, int) and 0 <= returned <= 0xFF:
        return returned
    raise TypeError(f"main returned {returned!r}: return nothing, or an exit status from 0 to 255")


def outcome(env: Env, exc: BaseException) -> int:
    """The exit status of a TCB that an exception left; a fault is announced first."""
    if isinstance(exc, Stop):
        return 0
    if isinstance(exc, SystemExit):
        code = exc.code
        if code is None or isinstance(code, int):
            return (code or 0) & 0xFF
        print(code, file=sys.stderr)
        return FAILED
    text = describe(exc, env.info)
    sys.stderr.write(text)
    sys.stderr.flush()
    try:
        stubs.fault(env.utcb().transport, text.encode(errors="backslashreplace"))
    except (Stop, Exception):  # noqa: BLE001  # it dies all the same
        pass
    return FAILED
