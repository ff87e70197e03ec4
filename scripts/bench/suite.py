"""What can be measured, and measuring it."""

import time
from collections.abc import Callable, Sequence
from importlib import import_module

from caplab.kernel.host.errors import HostError
from caplab.scripts.bench.machine import machine
from caplab.scripts.bench.report import Report
from caplab.scripts.bench.rounds import Budget, Say, Setup, measure
from caplab.scripts.bench.rows import Row

BENCHES = {
    "ipc": "a brokered Call beside a bare relay, on one core and on two",
    "boot": "fifty PDs beside fifty Pythons: how fast they start, what memory they take",
    "confinement": "calls, starts and ends of confined PDs beside those of PDs that are not",
    "idl": "a generated stub beside a raw Call, and beside protobuf",
    "kernel": "a Call among many, long work, many clients, recording: each beside its yardstick",
    "l4": "Codezero's IPC beside a raw Call, a request of sel4rpc beside the calls by hand",
    "serial": "a megabyte printed beside a line alone, a key's echo, twenty clients at once",
    "resources": "a server's death and its blocked callers, the model state and others' calls",
}
"""Each a module of this folder with `setups(full)`, imported when it is asked for."""
SAMPLE_SECONDS = 33.0
"""After which a sample begins no further round, so that it ends within 40 s."""


def bench(name: str, *, full: bool, say: Say) -> Report:
    """Measure NAME. A sample has a time limit, `full` takes what it needs.

    Raises HostError: no such bench (status 2), or a process of it failed.
    """
    if name not in BENCHES:
        known = ", ".join(BENCHES)
        raise HostError("no-such-bench", f"There is no bench {name}.", f"Try {known}.", status=2)
    setups: Callable[[bool], Sequence[Setup]]
    setups = import_module(f"caplab.scripts.bench.{name}").setups
    host = machine()
    budget = Budget(None if full else SAMPLE_SECONDS, time.monotonic)
    return Report(name, not full, host, measured(setups(full), budget, say))


def measured(setups: Sequence[Setup], budget: Budget, say: Say) -> list[Row]:
    """The rows of all cases, one case after the other; each may take its part of what is left."""
    rows = []
    for number, setup in enumerate(setups):
        share = budget.share(len(setups) - number)
        with setup as case:
            rows += measure(case, share, say)
    return rows
