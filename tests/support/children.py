"""Running a piece of a test in a forked child, because what it does to its process is for good."""

import errno
import os
import pickle
import signal
import traceback
from collections.abc import Callable
from typing import Any, NamedTuple

from caplab.kernel.confine.child import Confinement, Plan


class Outcome(NamedTuple):
    """How a child ended."""

    value: Any = None
    """What the body returned; of an OSError it raised, the error number under `error`."""
    error: int = 0
    signal: int = 0
    trace: str = ""
    """Of any other exception."""


def in_child(body: Callable[[], Any]) -> Outcome:
    """What becomes of `body()` in a child of its own."""
    readable, writable = os.pipe()
    pid = os.fork()
    if pid == 0:
        outcome = Outcome()
        try:
            outcome = Outcome(value=body())
        except OSError as error:
            outcome = Outcome(error=error.errno or -1, trace=traceback.format_exc())
        except BaseException:  # noqa: BLE001  # nothing may unwind into pytest
            outcome = Outcome(trace=traceback.format_exc())
        finally:
            os.write(writable, pickle.dumps(outcome))
            os._exit(0)
    os.close(writable)
    with os.fdopen(readable, "rb") as stream:
        said = stream.read()
    status = os.waitpid(pid, 0)[1]
    if os.WIFSIGNALED(status):
        return Outcome(signal=signal.Signals(os.WTERMSIG(status)))
    outcome = pickle.loads(said)
    assert isinstance(outcome, Outcome)
    return outcome


def refused(outcome: Outcome) -> bool:
    """Whether confinement said no."""
    return outcome.error in (errno.EPERM, errno.EACCES)


def confined(plan: Plan, body: Callable[[], Any]) -> Outcome:
    """What becomes of `body()` in a child that is confined by `plan`, and sealed."""
    means = Confinement()

    def confined_body() -> Any:
        means.confine(plan)()
        return body()

    return in_child(confined_body)
