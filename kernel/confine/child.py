"""What a forked process does to itself so that it can do nothing to others.

The order matters: each step must still be allowed by those before it. Capabilities are dropped
before Landlock, which then needs no_new_privs; the wish to die with the parent comes after every
change of credentials, because such a change forgets it; the filter is last.
"""

import os
from collections.abc import Callable
from contextlib import suppress
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
    drop_capabilities,
    let_debuggers_in,
    limit,
    limits,
    renounce,
)
from caplab.kernel.confine.seccomp import ALLOW, Seccomp
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
    """Folders in which it may open files it knows the names of, to read and write."""
    threads: int = 1
    debug: bool = False
    """It has a terminal that it may set, and others of its user may look into it."""


class Confinement:
    """The means, looked up once and before any fork."""

    def __init__(self, libc: Libc | None = None) -> None:
        self.libc = libc or Libc()
        self.landlock = Landlock(self.libc)
        self.seccomp = Seccomp(self.libc)
        self._filters: dict[bool, tuple[bytes, bytes]] = {}

    def prepare(self) -> None:
        """Make the filters that children will install; before any fork.

        A child that made its own would have hundreds of kilobytes of pages of its own for it.
        """
        if self.seccomp.available():
            for shared in (False, True):
                self._filters[shared] = self._filter(shared)

    def _filter(self, shared: bool, *, terminal: bool = False) -> tuple[bytes, bytes]:
        """The two phases, for any process that has or has not shared folders, or a terminal."""
        first = rules(ANY_PID, self._no_open(shared), terminal=terminal)
        return self.seccomp.code(first), self.seccomp.code(sealing(), ALLOW)

    def confine(self, plan: Plan) -> Seal:
        """Confine this process, which was forked and has one thread; how to finish it off.

        With namespaces of its own (`strict`) it is in them already. Raises OSError when a step
        fails: then the process must end.
        """
        strict = plan.level is Level.STRICT
        limit(limits(plan.threads, own_user=strict))
        if plan.debug:
            # No session of its own: its terminal would become the one that ends it.
            let_debuggers_in(self.libc)
        else:
            with suppress(PermissionError):  # it leads one already
                # Linux shares processors out among sessions first (autogroup), where it is told
                # to: a PD with many threads then has no more of them than its neighbours.
                os.setsid()
        if plan.level is Level.NONE:
            return lambda: None
        drop_capabilities(self.libc)
        self.libc.die_with_parent()
        # Without namespaces others of this user are kept out by nothing but their own
        # confinement, and `ps` could not read the memory of what is not dumpable.
        renounce(self.libc, dumpable=plan.debug or not strict)
        if self.landlock.version:
            self.landlock.restrict(self._paths(plan))
        if self.seccomp.available():
            shared = bool(plan.shared)
            ready = None if plan.debug else self._filters.get(shared)
            first, second = ready or self._filter(shared, terminal=plan.debug)
            self.seccomp.load(for_process(first, os.getpid()), all_threads=False)
            return lambda: self.seccomp.load(second, all_threads=True)
        return lambda: None

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
