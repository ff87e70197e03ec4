"""A recorded run lived through again, with no process in sight: what `caplab replay` shows.

The kernel is a pure function of its events, so a log of them is the whole run. Here the CLI has a
kernel of its own, which nobody else ever talks to.
"""

from pathlib import Path
from typing import Any, NamedTuple

from caplab.kernel.core.kernel import Kernel
from caplab.kernel.host.errors import RequestRefused, SystemFailed
from caplab.kernel.host.record import Check, Log, LogError, replay
from caplab.kernel.root import look
from caplab.kernel.root.task import RootTask


class Rebuilt(NamedTuple):
    """The state a log leads to, as plain data."""

    system: str
    semantics: str
    event: int
    """How many events have happened."""
    seconds: float
    """From the boot to the last of them."""
    jobs: int
    pds: list[dict[str, Any]]
    """The rows of `ps`, each with `holds`: how many capabilities of each type."""
    checks: list[Check]
    """The state hashes on the way, recorded and replayed."""
    hash: str
    """Of this very state."""

    @property
    def whole(self) -> bool:
        """The log's own end was reached."""
        return bool(self.checks) and self.checks[-1].last

    @property
    def first_difference(self) -> Check | None:
        return next((check for check in self.checks if not check.agrees), None)


def rebuild(path: Path, until: int | None = None) -> Rebuilt:
    """Live through a log, up to `until` events of it.

    Raises:
        RequestRefused: this is no log, or it is damaged.
        SystemFailed: an event stops the kernel, as it may have done when it was recorded.
    """
    root = RootTask()
    kernel = Kernel(root)
    try:
        if not path.is_file():
            raise LogError(f"{path}: there is no such file")
        log = Log(path)
        _, checks = replay(log, lambda: kernel, until)
    except (LogError, OSError) as error:
        fix = "`caplab up --record LOG` writes one."
        raise RequestRefused("not-a-log", f"{error}.", fix) from error
    except Exception as bug:  # whatever a kernel may stop of
        raise SystemFailed(
            f"Event {kernel.event} of {path} stops the kernel: {type(bug).__name__}: {bug}.",
            f"`--until {kernel.event - 1}` shows the state before it.",
            "kernel-failed",
        ) from bug
    began = next((event.now for event in log if not isinstance(event, Check)), 0)
    return Rebuilt(
        str(log.spec.get("name")),
        "lab" if kernel.lab else "sel4",
        kernel.event,
        (kernel.now - began) / 1e9 if kernel.event else 0.0,
        len(kernel.jobs),
        [{**look.row(one), "holds": look.holdings(one)} for one in root.latest.values()],
        checks,
        kernel.state_hash(),
    )
