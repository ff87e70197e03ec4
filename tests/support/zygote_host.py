"""A zygote as its kernel sees it, and a ROUTER that answers its PDs as a test says."""

import os
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self

import msgpack
import zmq

from caplab.kernel.abi import ANSWER, HEADER_SIZE, REQUEST, VERSION, Status, Sys
from caplab.kernel.host import outside, pd_view
from caplab.kernel.host.launcher import start_kernel
from caplab.kernel.host.segments import GRANTED, GRANTED_READ_ONLY
from caplab.kernel.host.spawn_channel import SpawnChannel
from caplab.pd.window import SHM_DIR

PATIENCE = 10.0
"""Seconds after which a test gives up on an event; nothing waits this long when all is well."""


class Call:
    """One request that reached the fake kernel."""

    def __init__(self, frame: bytes, who: bytes) -> None:
        _, self.call, self.flags, length, self.cptr, self.label, self.ncaps = REQUEST.unpack_from(
            frame
        )
        self.body = frame[HEADER_SIZE : HEADER_SIZE + length] if not self.flags else b""
        self.frame = frame
        self.who = who


def reply(
    call: int, status: int = Status.OK, body: bytes = b"", label: int = 0, badge: int = 0
) -> bytes:
    return ANSWER.pack(VERSION, call, status, len(body), badge, label, 0, 0, 0) + body


Handler = Callable[[Call], bytes | None]


def say_ok(call: Call) -> bytes | None:
    """OK to everything but Park, which waits for ever."""
    return None if call.call == Sys.PARK else reply(call.call)


class RouterKernel:
    """Answers each frame with what `handler` returns; None leaves the caller waiting."""

    def __init__(self, folder: Path, handler: Handler = say_ok) -> None:
        self.address = f"ipc://{folder}/kernel.sock"
        self.handler = handler
        self.calls: list[Call] = []
        self._arrived = threading.Condition()
        self._context = zmq.Context()
        self._router = self._context.socket(zmq.ROUTER)
        self._router.bind(self.address)
        self._doorbell = self._context.socket(zmq.PULL)
        self._doorbell.bind("inproc://stop")
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        poller = zmq.Poller()
        poller.register(self._router, zmq.POLLIN)
        poller.register(self._doorbell, zmq.POLLIN)
        while True:
            ready = dict(poller.poll())
            if self._doorbell in ready:
                return
            who, frame = self._router.recv_multipart()
            call = Call(frame, who)
            with self._arrived:
                self.calls.append(call)
                self._arrived.notify_all()
            answer = self.handler(call)
            if answer is not None:
                self._router.send_multipart([who, answer])

    def wait_for(self, call: int, count: int = 1) -> list[Call]:
        """The calls of one kind, once there are so many."""

        def found() -> list[Call]:
            return [each for each in self.calls if each.call == call]

        with self._arrived:
            assert self._arrived.wait_for(lambda: len(found()) >= count, PATIENCE), self.calls
            return found()

    def close(self) -> None:
        bell = self._context.socket(zmq.PUSH)
        bell.connect("inproc://stop")
        bell.send(b"")
        self._thread.join()
        for each in (bell, self._doorbell, self._router):
            each.close(0)
        self._context.term()


class Child:
    """A process that the zygote reported."""

    def __init__(
        self, host: "ZygoteHost", pid: int, pidfd: int, output: int, channel: SpawnChannel
    ) -> None:
        self.host, self.pid, self.pidfd, self.output = host, pid, pidfd, output
        self.channel = channel

    def text(self) -> str:
        """All its output, to the end."""
        with os.fdopen(self.output, "rb") as pipe:
            return pipe.read().decode()

    def wait_ended(self) -> None:
        """Until the process itself is gone (its pidfd says so)."""
        assert select.select([self.pidfd], [], [], PATIENCE)[0], f"pid {self.pid} lives on"

    def status(self) -> int:
        """The wait status that the zygote reports for it."""
        return self.host.expect("exited")[0]["status"]


class ZygoteHost:
    """Runs a zygote; closes its channel at the end and reaps it.

    At the level `strict` it is process 1 of a machine of its own, where a kernel would be.
    """

    def __init__(
        self, folder: Path, level: str = "none", kernel: RouterKernel | None = None
    ) -> None:
        self.folder = folder
        self.level = level
        if level == "strict":
            assert kernel is not None
            self._begin_machine(kernel)
        else:
            self._begin()
        self.channel.settimeout(PATIENCE)
        self._pidfds: list[int] = []
        self._channels: list[SpawnChannel] = []

    def _begin(self) -> None:
        self.channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "caplab.kernel.host.zygote", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            cwd=self.folder,
        )
        theirs.close()
        self._wait: Callable[[], object] = partial(self.process.wait, PATIENCE)

    def _begin_machine(self, kernel: RouterKernel) -> None:
        command = [sys.executable, "-m", "caplab.kernel.host.zygote"]
        pid, self.channel, printed = start_kernel(command, machine=True)
        # Held, because the zygote moves to another root.
        shm = os.open(f"/proc/{pid}/root/dev/shm", os.O_PATH | os.O_DIRECTORY)
        self._wait = partial(end_machine, pid, [printed, shm])
        self.shm = Path(f"/proc/self/fd/{shm}")
        socket_path = kernel.address.removeprefix("ipc://")
        os.chmod(socket_path, 0o666)
        self.send({"op": "confine", "read": [str(self.folder)], "socket": socket_path})

    def _address(self, kernel: RouterKernel) -> str:
        """Where a PD finds the kernel's socket."""
        return f"ipc://{pd_view.SOCKET}" if self.level == "strict" else kernel.address

    def shm_of(self, pd: int) -> Path:
        """Where a PD's segments are put; made, as a kernel does before it spawns the PD."""
        if self.level != "strict":
            return Path(SHM_DIR)
        for kind in (GRANTED, GRANTED_READ_ONLY):
            (self.shm / kind / str(pd)).mkdir(parents=True, exist_ok=True)
        return self.shm / GRANTED / str(pd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.channel.close()
        self._wait()
        for fd in self._pidfds:
            os.close(fd)
        for channel in self._channels:
            channel.close()

    def send(self, message: Mapping[str, Any] | bytes, fds: Sequence[int] = ()) -> None:
        data = message if isinstance(message, bytes) else msgpack.packb(message)
        socket.send_fds(self.channel, [data], fds)

    def expect(self, op: str) -> tuple[dict[str, Any], list[int]]:
        """The next message, which must be of this kind."""
        data, fds, _, _ = socket.recv_fds(self.channel, 65536, 4)
        assert data, "the zygote closed its channel"
        message = msgpack.unpackb(data)
        self._pidfds += fds
        assert message["op"] == op, message
        return message, fds

    def spawn(self, info: Mapping[str, Any], devices: Sequence[int] = (), number: int = 1) -> Child:
        """Start a PD with this spawn information; `traced` in it is for the zygote."""
        self.shm_of(number)
        channel = SpawnChannel(msgpack.packb(info))
        self._channels.append(channel)
        out, output = os.pipe()
        try:
            request = {"op": "spawn", "pd": number, "name": info.get("name", "pd")}
            request["traced"] = info.get("traced", False)
            read = [*info["path"], info["run"]["file"]]
            confined = {"level": self.level, "read": read, "threads": len(info["ids"])}
            self.send({**request, **confined}, [channel.theirs, output, *devices])
        finally:
            os.close(channel.theirs)
            os.close(output)
        message, fds = self.expect("started")
        assert message["pd"] == number
        return Child(self, outside.pid_of(fds[0]), fds[0], out, channel)

    def run_with_devices(
        self, kernel: RouterKernel, source: str, devices: Mapping[str, int]
    ) -> Child:
        """Start a PD that has these descriptors as registers."""
        numbers = {name: 4 + i for i, name in enumerate(devices)}
        return self.run(kernel, source, list(devices.values()), devices=numbers)

    def run(
        self, kernel: RouterKernel, source: str, registers: Sequence[int] = (), **info: Any
    ) -> Child:
        """Start a PD whose program is `source`."""
        file = self.folder / "program.py"
        file.write_text(source)
        program = {"module": "program", "function": "main", "file": str(file)}
        number = info.pop("number", 1)
        ids = [b"\1" + bytes([n]) * 15 for n in range(1, info.pop("threads", 1) + 1)]
        return self.spawn(
            {
                "pd": number,
                "name": "pd",
                "generation": 1,
                "address": self._address(kernel),
                "ids": ids,
                "run": program,
                "args": {},
                "path": [str(self.folder)],
                "devices": {},
                "seed": 7,
                "semantics": "lab",
            }
            | info,
            registers,
            number,
        )


def end_machine(pid: int, descriptors: Sequence[int]) -> None:
    """Wait until everybody in it has ended, which its channel's end makes them do."""
    os.waitpid(pid, 0)
    for descriptor in descriptors:
        os.close(descriptor)
