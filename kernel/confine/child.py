"""What a forked process does to itself so that it can do nothing to others.

The order matters: each step must still be allowed by those before it. Capabilities are dropped
before Landlock, which then needs no_new_privs; the wish to die with the parent comes after every
change of credentials, because such a change forgets it; the filter is last.
"""

import os
from collections.abc import Callable
from typing import NamedTuple

from caplab.kernel.confine.landlock import (
    IOCTL_DEVICE,
    READ,
    READ_FILE,
    TRUNCATE,
    TRUNCATE_SINCE,
    WRITE_FILE,
    Landlock,
)
from caplab.kernel.confine.level import Level
from caplab.kernel.confine.libc import Libc
from caplab.kernel.confine.limits import (
    Limit,
    drop_capabilities,
    let_debuggers_in,
    limit,
    limits,
    renounce,
)
from caplab.kernel.confine.seccomp import ALLOW, Filter, Seccomp
from caplab.kernel.confine.seccomp_rules import ANY_PID, for_process, rules, sealing

Seal = Callable[[], None]
"""Takes away what was needed to connect; called once, when that is done."""

DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom", "/dev/full")


class Plan(NamedTuple):
    """How one process is confined."""

    level: Level
    readable: tuple[str, ...] = ()
    """Files and folders it may read: the interpreter, libraries, caplab, its code roots."""
    shared: tuple[str, ...] = ()
    """Folders beneath which it may open files it knows the names of, to read and write."""
    threads: int = 1
    debug: bool = False
    """It has a terminal that it may set, and others of its user may look into it."""
    pid: int = 0
    """Its process number as it will see it, where that is known before it is forked."""
    rules: int = -1
    """A descriptor, in the process itself, of what `Confinement.rules` made for this plan."""


class Filters(NamedTuple):
    """The two phases of a process."""

    first: Filter
    second: Filter


class Confinement:
    """The means, looked up once and before any fork.

    Whatever `confine` needs and a plan tells beforehand, `prepare` makes, in the parent: a child
    that made it would do so each time, and have pages of its own for it.
    """

    def __init__(self, libc: Libc | None = None) -> None:
        self.libc = libc or Libc()
        self.landlock = Landlock(self.libc)
        self.seccomp = Seccomp(self.libc)
        self._filtering = self.seccomp.available()
        self._code: dict[tuple[bool, bool], tuple[bytes, bytes]] = {}
        """Of each phase, for any process that has or has not shared folders, and a terminal."""
        self._filters: dict[tuple[bool, bool, int], Filters] = {}
        self._limits: dict[tuple[int, bool], list[Limit]] = {}

    def prepare(self, plan: Plan) -> None:
        """Make what children of this plan share; before their fork."""
        self._limits_of(plan)
        if plan.level is Level.NONE:
            return
        self.libc.capabilities  # noqa: B018  # counted once
        if self._filtering:
            self._code_of(bool(plan.shared), plan.debug)
            if plan.pid:
                self._filters_of(plan)

    def rules(self, plan: Plan) -> int:
        """A new descriptor of the Landlock rules of a plan; -1 where there are none.

        Made in the parent, they hold for what is at the paths there and now.
        """
        if plan.level is Level.NONE or not self.landlock.version:
            return -1
        return self.landlock.ruleset(self._paths(plan))

    def confine(self, plan: Plan) -> Seal:
        """Confine this process, which was forked and has one thread; how to finish it off.

        With namespaces of its own (`strict`) it is in them already. Raises OSError when a step
        fails: then the process must end.
        """
        limit(self._limits_of(plan))
        if plan.debug:
            let_debuggers_in(self.libc)
        if plan.level is Level.NONE:
            return lambda: None
        drop_capabilities(self.libc)
        self.libc.die_with_parent()
        # Without namespaces others of this user are kept out by nothing but their own
        # confinement, and `ps` could not read the memory of what is not dumpable.
        renounce(self.libc, dumpable=plan.debug or plan.level is not Level.STRICT)
        if plan.rules >= 0:
            self.landlock.enforce(plan.rules)
            os.close(plan.rules)
        elif self.landlock.version:
            self.landlock.restrict(self._paths(plan))
        if not self._filtering:
            return lambda: None
        first, second = self._filters_of(plan)
        self.seccomp.load(first, all_threads=False)
        return lambda: self.seccomp.load(second, all_threads=True)

    def _limits_of(self, plan: Plan) -> list[Limit]:
        key = (plan.threads, plan.level is Level.STRICT)
        if key not in self._limits:
            self._limits[key] = limits(plan.threads, own_user=key[1])
        return self._limits[key]

    def _filters_of(self, plan: Plan) -> Filters:
        """For the process with the plan's number, or this one."""
        shared, pid = bool(plan.shared), plan.pid or os.getpid()
        key = (shared, plan.debug, pid)
        if key not in self._filters:
            first, second = self._code_of(shared, plan.debug)
            self._filters[key] = Filters(Filter(for_process(first, pid)), Filter(second))
        return self._filters[key]

    def _code_of(self, shared: bool, terminal: bool) -> tuple[bytes, bytes]:
        key = (shared, terminal)
        if key not in self._code:
            first = rules(ANY_PID, self._no_open(shared), terminal=terminal)
            self._code[key] = self.seccomp.code(first), self.seccomp.code(sealing(), ALLOW)
        return self._code[key]

    @staticmethod
    def _paths(plan: Plan) -> list[tuple[str, int]]:
        device = READ_FILE | WRITE_FILE | TRUNCATE | IOCTL_DEVICE
        return [
            *((path, READ) for path in plan.readable),
            *((path, READ_FILE | WRITE_FILE) for path in plan.shared),
            *((path, device) for path in DEVICES),
        ]

    def _no_open(self, shared: bool) -> int:
        """Flags of open(2) that the filter must refuse, because Landlock does not."""
        if self.landlock.version >= TRUNCATE_SINCE:
            return 0
        if self.landlock.version:
            return os.O_TRUNC
        # A filter does not see paths: nothing is opened for writing, not even /dev/null, unless
        # there are shared folders.
        return os.O_TRUNC | os.O_CREAT | (0 if shared else os.O_ACCMODE)
