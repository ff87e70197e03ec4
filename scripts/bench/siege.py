"""What others notice of an attacker: a victim's calls beside the same calls in quiet, and how much
memory the attackers make the kernel take.

One system has all attackers in it, each waiting until it is let loose. Then its victim is timed in
quiet, and while that one attacks with all its might; then it is killed, and the next one's turn
comes. The rows show the worst of all attacks.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from statistics import median
from typing import NamedTuple

from caplab.clients.hostile.table import ATTACKS
from caplab.kernel.boot.system import System
from caplab.kernel.host.errors import RequestRefused
from caplab.scripts.bench import stage
from caplab.scripts.bench.children import PATIENCE
from caplab.scripts.bench.rounds import ROUNDS, Case
from caplab.scripts.bench.rows import Goal, Pair

SLOWER = 10
STALL = 1000
"""Milliseconds that no call may take."""
GROWTH = 128
QUIET, UNDER_ATTACK = 0.3, 1.0
"""Seconds: of what is stopped within a moment, the moment and the calm after it."""
LOUD = (
    "message-flood",
    "endless-parts",
    "unread-answers",
    "ping-flood",
    "hidden-flood",
    "output-flood",
    "memory",
    "no-more-pages",
)
"""Attacks that cost the host most: what a sample is made of."""
PROGRAMS = "caplab.scripts.bench.besieged"


COMPANY = frozenset(("transfer", "shrinking-window"))
"""Attacks on servers that only the gallery has."""


def all_attacks() -> list[str]:
    """Those that need nobody to prepare something for them."""
    return [one.name for one in ATTACKS if not one.stage and one.name not in COMPANY]


class Taken(NamedTuple):
    """A victim's calls, in microseconds."""

    p99: float
    longest: float


class Siege:
    """Each round lets every attacker loose once, in a fresh system."""

    rounds = ROUNDS

    def __init__(self, attacks: Sequence[str]) -> None:
        quiet = "the same in quiet, the median of the times before each attack"
        self.goals: tuple[Goal, ...] = (
            Goal(
                f"a victim's p99 under the worst of {len(attacks)} attacks",
                "µs",
                "<=",
                SLOWER,
                quiet,
            ),
            Goal("its longest call under any of them", "ms", "<=", STALL),
            Goal("what the kernel's memory grows by", "MiB", "<=", GROWTH),
        )
        self._attacks = attacks

    def round(self, yardstick_first: bool) -> list[Pair]:
        """The quiet comes before each attack in any case: afterwards it might be none."""
        with stage.booted(
            "siege", besieged(self._attacks), ("uart0", "uart1"), confinement="strict"
        ) as system:
            for uart in ("uart0", "uart1"):
                system.console[uart].expect(r"ready\n", PATIENCE)
            kernel = system.info()["kernel_pid"]
            resident = kibibytes(kernel, "VmRSS")
            found = [under_attack(system, name) for name in self._attacks]
            grown = (kibibytes(kernel, "VmHWM") - resident) / 1024
        # One quiet for all: the largest of many quotients would be a matter of luck.
        quiet = median(before.p99 for before, _ in found)
        worst = max(during.p99 for _, during in found)
        longest = max(during.longest for _, during in found)
        return [Pair(worst, quiet), Pair(longest / 1000), Pair(grown)]


def besieged(attacks: Sequence[str]) -> dict[str, dict[str, object]]:
    """A victim and its server, the attackers, and the gate that they wait at."""
    pds: dict[str, dict[str, object]] = {
        "echo": {"run": f"{stage.PROGRAMS}:echo", "serves": "endpoint"},
        "victim": {"run": f"{PROGRAMS}:victim", "uses": ["echo"], "devices": ["uart0"]},
        "gate": {
            "run": f"{PROGRAMS}:gate",
            "args": {"attackers": len(attacks), "uart": "uart1"},
            "serves": "endpoint",
            "devices": ["uart1"],
        },
    }
    for name in attacks:
        pds[pd_of(name)] = {
            "run": f"{PROGRAMS}:attacker",
            "args": {"attack": name},
            "uses": {"gate": "gate", "victim": "echo", "gallery": "gate"},
        }
    return pds


def pd_of(attack: str) -> str:
    """The attacker's name."""
    return f"by-{attack}"


def under_attack(system: System, attack: str) -> tuple[Taken, Taken]:
    """The victim's calls before the attack and while it lasts; then the attacker is gone."""
    quiet = taken(system, QUIET)
    system.console["uart1"].send(f"{attack}\n".encode())
    system.console["uart1"].expect(r"loose\n", PATIENCE)
    during = taken(system, UNDER_ATTACK)
    end(system, pd_of(attack))
    return quiet, during


def end(system: System, pd: str) -> None:
    """Kill a PD, if it has not ended by itself; it may do so at any moment."""
    try:
        if system.pd(pd).alive:
            system.kill(pd)
    except RequestRefused as refused:
        if refused.code != "not-running":
            raise


def taken(system: System, seconds: float) -> Taken:
    """How long the victim's calls take for so many seconds."""
    console = system.console["uart0"]
    console.send(f"{seconds}\n".encode())
    found = console.expect(r"took ([0-9.]+) ([0-9.]+)\n", PATIENCE)
    return Taken(float(found[1]), float(found[2]))


def kibibytes(pid: int, name: str) -> int:
    """What Linux says of a process's memory: `VmRSS` now, `VmHWM` the most there ever was."""
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(f"{name}:"))


@contextmanager
def siege(attacks: Sequence[str]) -> Iterator[Case]:
    yield Siege(attacks)
