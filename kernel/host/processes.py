"""The processes of PDs: asked of the zygote, known by pidfd, signalled only through it.

A PD has a child here from its Spawn until it is reaped. Whatever is sent to it before the zygote
has reported it waits for that, so no signal is lost and none can reach a stranger: a pidfd names
one process and never another with the same number.
"""

import os
import resource
import select
import signal
import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgpack

from caplab.kernel.abi import BODY_MAX
from caplab.kernel.core.effects import Continue, Kill, Spawn, Stop
from caplab.kernel.host import outside
from caplab.kernel.host.first_process import needs_sigkill
from caplab.kernel.host.hogs import Threads
from caplab.kernel.host.pd_view import SOCKET
from caplab.kernel.host.spawn_channel import SpawnChannel

FIRST_DEVICE_FD = 4
"""Where a child finds its first device; 3 is the spawn channel."""
NEVER_RAN = 127 << 8
"""Wait status of a PD that could not be made: exit code 127, which is a shell's word for it."""

DESCRIPTORS_KEPT = 64
"""Descriptors that are not PDs': sockets, lines, operators, what is on its way."""
DESCRIPTORS_PER_PD = 3
"""A pidfd, a spawn channel and a window; besides them each TCB has a connection."""

Send = Callable[[dict[str, Any], Sequence[int]], None]


class CannotSpawn(OSError):
    """The process could not be asked for; the message says why."""


class Fault(NamedTuple):
    """A memory fault: of which TCB, where, and whether it read, wrote or fetched."""

    tcb: int
    address: int
    access: str


class Child:
    """One PD's process, from Spawn to Exited."""

    def __init__(self, name: str, tcbs: Sequence[int], *, strict: bool = False) -> None:
        self.name = name
        self.strict = strict
        """Whether it is the first process of a pid namespace."""
        self.tcbs = tcbs
        self.descriptors = DESCRIPTORS_PER_PD + len(tcbs)
        """How many of the kernel's it will need."""
        self.channel: SpawnChannel | None = None
        self.traced = False
        """Whether the zygote was to trace it."""
        self.deaf = False
        """Whether it did not take something that it was handed."""
        self.pid = 0
        """As others know it, `/proc` among them."""
        self.pidfd = -1
        self.waiting: list[int] = []
        """Signals for when it is reported."""
        self.meant = 0
        """The signal that it was to die of, where SIGKILL had to be sent for it."""

    def tcb(self, tid: int) -> int:
        """The TCB that a thread of the process is; of one that is none the first."""
        index = self.channel.tcb(tid) if self.channel is not None else None
        return self.tcbs[index if index is not None and 0 <= index < len(self.tcbs) else 0]

    def close(self) -> None:
        if self.pidfd >= 0:
            os.close(self.pidfd)
        if self.channel is not None:
            self.channel.close()


class Processes:
    """The PDs' processes; the core thread's.

    Args:
        to_zygote, to_launcher: send a message with descriptors, which are closed once they have
            gone. The launcher gets the reading end of what a PD prints.
        constants: what every spawn information holds: `address` and `semantics`.
        roots: the code roots of the manifest. A PD that another one made reads nothing else,
            whatever its maker has asked for.
        level: how PDs are confined that say nothing else.
    """

    def __init__(
        self,
        to_zygote: Send,
        to_launcher: Send,
        constants: dict[str, Any],
        roots: Collection[str] = (),
        level: str = "none",
    ) -> None:
        self._to_zygote = to_zygote
        self._to_launcher = to_launcher
        self._constants = constants
        self._roots = frozenset(roots)
        self._level = level
        self._children: dict[int, Child] = {}
        self._descriptors = DESCRIPTORS_KEPT

    def spawn(
        self,
        effect: Spawn,
        ids: Sequence[bytes],
        registers: dict[str, int],
        terminal: int | None = None,
    ) -> None:
        """Ask for a process. `registers` are the devices' descriptors by name, `terminal` that of
        a debug PD's; they are copied.

        Raises CannotSpawn.
        """
        spec = effect.spec
        info = {
            "pd": effect.pd,
            "name": spec["name"],
            "generation": spec["generation"],
            "ids": list(ids),
            "run": spec["run"],
            "args": spec["args"],
            "path": spec["path"],
            "console": spec.get("console") or {},
            "confinement": self._level_of(spec),
            "devices": {name: FIRST_DEVICE_FD + i for i, name in enumerate(registers)},
            "seed": spec.get("seed", int.from_bytes(os.urandom(7))),
            **self._constants,
        }
        given = list(registers.values())
        if terminal is not None:
            info["terminal"] = FIRST_DEVICE_FD + len(given)
            given.append(terminal)
        name = spec["name"]
        strict = self._level_of(spec) == "strict"
        if strict:  # one that is confined less sees the machine, and finds it where the kernel does
            info["address"] = f"ipc://{SOCKET}"
        child = Child(name, spec["tcbs"], strict=strict)
        descriptors: list[int] = []
        try:
            self._afford(child)
            child.channel = SpawnChannel(msgpack.packb(info))
            descriptors.append(child.channel.theirs)
            output, write_end = os.pipe()
            descriptors.append(write_end)
            self._to_launcher(
                {"log": name, "pd": effect.pd, "generation": spec["generation"]}, [output]
            )
            for descriptor in given:
                descriptors.append(os.dup(descriptor))  # noqa: PERF401  # closed below, if it fails
        except (OSError, ValueError) as error:
            for descriptor in descriptors:
                os.close(descriptor)
            child.close()
            raise CannotSpawn(f"{name} could not be started: {error}") from None
        self._children[effect.pd] = child
        self._descriptors += child.descriptors
        child.traced = spec.get("traced", False)
        request = {"op": "spawn", "pd": effect.pd, "name": name, "traced": child.traced}
        request.update(self._confined(spec))
        self._to_zygote(request, descriptors)

    def _confined(self, spec: dict[str, Any]) -> dict[str, Any]:
        """How the process is to be confined, and what it may read besides every PD's files."""
        program = spec["run"]["file"] if isinstance(spec["run"], dict) else None
        read = [root for root in spec["path"] if self._known(root)]
        return {
            "level": self._level_of(spec),
            "read": read if program is None else [*read, program],
            "threads": len(spec["tcbs"]),
            "debug": bool(spec.get("debug")),
        }

    def _level_of(self, spec: dict[str, Any]) -> str:
        return spec.get("confinement") or self._level

    def _known(self, path: str) -> bool:
        return any(Path(os.path.normpath(path)).is_relative_to(root) for root in self._roots)

    def started(self, pd: int, pid: int, pidfd: int) -> None:
        """The zygote has forked it."""
        child = self._children[pd]
        child.pid, child.pidfd = pid, pidfd
        for number in child.waiting:
            self._signal(child, number)
        child.waiting = []

    def exited(self, pd: int) -> None:
        """It is reaped, or was never made."""
        child = self._children.pop(pd, None)
        if child is not None:
            self._descriptors -= child.descriptors
            child.close()

    def hand(self, pd: int, message: dict[str, Any], descriptors: Sequence[int]) -> None:
        """Send a PD something over its spawn channel; the descriptors are copied."""
        child = self._children.get(pd)
        if child is None or child.channel is None:
            return  # it has ended
        try:
            child.channel.hand(message, descriptors)
        except (BrokenPipeError, ConnectionResetError):
            return  # it is ending
        except OSError as error:
            # It does not open what it has mapped; the next of these it will not find. Said once:
            # such a PD could fill the operator's screen with it.
            if child.deaf:
                return
            child.deaf = True
            print(f"kernel: {child.name} was not handed {message}: {error}", file=sys.stderr)

    def tcb(self, pd: int, tid: int) -> int | None:
        """The TCB that a thread of a PD is; None if the PD has ended."""
        child = self._children.get(pd)
        return child.tcb(tid) if child is not None else None

    def threads(self, pd: int) -> Threads | None:
        """Which threads of a PD's process are its TCBs; None if it has not said so of all."""
        child = self._children.get(pd)
        if child is None or child.channel is None or child.pid <= 0:
            return None
        tids = child.channel.threads(len(child.tcbs))
        return Threads(child.name, child.pid, tids) if len(tids) == len(child.tcbs) else None

    def traced(self, pd: int) -> int:
        """The pidfd of a traced PD; -1 if it is none, or has ended."""
        child = self._children.get(pd)
        return child.pidfd if child is not None and child.traced else -1

    def last_fault(self, pd: int, status: int) -> tuple[int, Fault | None]:
        """What a PD that ended with this wait status died of: the status, and the fault if it was
        one of memory.

        Believed are only words that fit the status. A SIGBUS that somebody sent ends a process
        with SIGSEGV, see `last_words.py`; the status returned is as it was meant.
        """
        child = self._children.get(pd)
        if child is not None and child.meant and status == signal.SIGKILL:
            return child.meant, None
        words = child.channel.last_words() if child is not None and child.channel else None
        if words is None or not os.WIFSIGNALED(status):
            return status, None
        if words.sent:
            meant = os.WTERMSIG(status) == signal.SIGSEGV
            return (words.signal if meant else status), None
        if words.access is None or words.signal != os.WTERMSIG(status):
            return status, None
        assert child is not None
        return status, Fault(child.tcb(words.tid), words.address, words.access)

    def ending(self, pd: int) -> bool:
        """Whether the process has ended, reaped or not, or cannot but end."""
        child = self._children.get(pd)
        if child is None or child.pidfd < 0:
            return child is None
        poll = select.poll()
        poll.register(child.pidfd, select.POLLIN)
        return bool(poll.poll(0)) or outside.exiting(child.pid)

    def kill(self, effect: Kill) -> None:
        self._send(effect.pd, effect.signal)

    def stop(self, effect: Stop) -> None:
        self._send(effect.pd, signal.SIGSTOP)

    def resume(self, effect: Continue) -> None:
        self._send(effect.pd, signal.SIGCONT)

    def names(self) -> list[str]:
        """The PDs that have a process or are about to."""
        return [child.name for child in self._children.values()]

    def kill_all(self) -> None:
        for child in self._children.values():
            if child.pidfd >= 0:
                self._signal(child, signal.SIGKILL)

    def _afford(self, child: Child) -> None:
        """A kernel without descriptors could not even hear that a PD has ended."""
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        if self._descriptors + child.descriptors > limit:
            raise ValueError(
                f"the kernel may have {limit} open files, and this would be one PD too many "
                "(ulimit -n)"
            )

    def _send(self, pd: int, number: int) -> None:
        child = self._children.get(pd)
        if child is None:
            return  # it has ended; Exited may be on its way through the kernel
        if child.pidfd < 0:
            child.waiting.append(number)
        else:
            self._signal(child, number)

    @staticmethod
    def _signal(child: Child, number: int) -> None:
        if child.strict and needs_sigkill(child.pid, number):
            child.meant, number = child.meant or number, signal.SIGKILL
        try:
            signal.pidfd_send_signal(child.pidfd, number)
        except ProcessLookupError:
            pass  # ended, not reaped
        except OSError as error:
            print(f"kernel: signal {number} for {child.name}: {error}", file=sys.stderr)


def filled_pipe(data: bytes) -> int:
    """The reading end of a pipe that holds `data` and then its end.

    It must fit into the pipe: nobody reads it yet. Raises ValueError when it is too long.
    """
    if len(data) > BODY_MAX:
        raise ValueError(
            f"what it is to be told has {len(data)} bytes, the most is {BODY_MAX}: shorten its args"
        )
    read_end, write_end = os.pipe()
    try:
        os.set_blocking(write_end, False)
        if os.write(write_end, data) < len(data):
            raise BlockingIOError("the system gives this user only short pipes now")
    except OSError:
        os.close(read_end)
        raise
    finally:
        os.close(write_end)
    return read_end
