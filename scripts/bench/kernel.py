"""`bench kernel`: that much costs no more than little, long work delays nobody, and the budgets.

Each part is a case of its own, in systems of its own: see `crowd.py`, `jobs.py`, `throng.py` and
`ipc.py`.
"""

from caplab.scripts.bench import crowd, ipc, jobs, throng
from caplab.scripts.bench.rounds import Setup
from caplab.scripts.bench.stage import places


def setups(full: bool) -> list[Setup]:
    """A sample has a smaller crowd and shorter work; the names of its rows say how much."""
    # Of ten processes on one core either side gets a third more or less, as the host chooses who
    # is next: many clients are measured where the kernel has a core of its own, if there is one.
    return [
        *ipc.setups(full),
        throng.throng(places()[-1], full),
        crowd.recorded(full),
        jobs.revoking(full),
        *(jobs.delays(job, full) for job in jobs.JOBS),
        crowd.crowded(crowd.FULL if full else crowd.SAMPLE, full),
    ]
