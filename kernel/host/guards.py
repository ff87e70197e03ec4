"""Who looks after what PDs do to the kernel's process and to each other, beside what they call."""

from collections.abc import Callable

from caplab.kernel.core.kernel import Kernel
from caplab.kernel.host.doorbell import Doorbell
from caplab.kernel.host.flood import FloodWatch
from caplab.kernel.host.gauge import Gauge
from caplab.kernel.host.hogs import Hogs
from caplab.kernel.host.loop import Loop
from caplab.kernel.host.processes import Processes
from caplab.kernel.host.watchdog import Watchdog

Look = Callable[[float], float]
"""Given the time, sees how things are, in the helper thread; in how many seconds to look again."""


def guards(kernel: Kernel, loop: Loop, processes: Processes, doorbell: Doorbell) -> list[Look]:
    """All there are."""
    post = doorbell.post

    def blame(pid: int, reason: str) -> None:
        """A live PD, by the process that its connections tell, has broken the rules."""
        for pd in [pd for pd, known in loop.pids.items() if known == pid]:
            loop.blame(pd, reason)

    gauge = Gauge(lambda: len(kernel.tcbs), loop.links.of)
    watchdog = Watchdog(
        gauge, kernel.tcbs.values, lambda pd: loop.pids.get(pd, 0), loop.blame, post
    )
    floods = FloodWatch(
        gauge, lambda: list(kernel.tcbs.values()), lambda: kernel.event, blame, post
    )
    hogs = Hogs(lambda: dict(loop.pids), processes.threads, post, doorbell.call)
    return [watchdog.look, floods.look, hogs.look]
