"""Memory objects without names, on real processes: `confinement: basic`."""

from pathlib import Path

import pytest

from kernel_process import KernelProcess, pd, program

SHARES = """
from multiprocessing.shared_memory import SharedMemory
import os
from caplab.kernel.abi import Rights
from caplab.pd.objects import Memory

def main(env):
    memory = env.memory()
    name = memory.map().name
    assert not os.path.exists("/dev/shm/" + name)
    shared = SharedMemory(name=name)
    shared.buf[:5] = b"hello"
    shared.close()
    reading = Memory(env, env.slots.alloc())
    env.cnode.mint_slot(reading.slot, memory.slot, 0, Rights.READ | Rights.GRANT)
    other = env.endpoint("other")
    print(other.call(1, caps=[memory]).data.decode(), flush=True)
    print(other.call(2, caps=[reading]).data.decode(), flush=True)
    print(memory.map().read(0, 5).decode(), flush=True)
"""
LOOKS = """
from caplab.pd.objects import Memory

def main(env):
    server = env.endpoint("server")
    for _ in range(2):
        memory = Memory(env, env.slots.alloc())
        server.recv(receive=memory.slot)
        with memory.map() as window:
            seen = window.read(0, 5).decode()
            try:
                window.write(0, b"J")
            except PermissionError as error:
                seen += f" {error.strerror}"
        memory.delete()
        env.reply(data=seen.encode())
    server.recv()
"""


@pytest.mark.parametrize("semantics", ["lab", "sel4"])
def test_memory_is_shared_by_descriptors_and_reading_only_is_enforced(
    tmp_path: Path, semantics: str
) -> None:
    spec = {
        "name": "handed",
        "semantics": semantics,
        "confinement": "basic",
        "pds": [
            pd("looker", **program(tmp_path, LOOKS, "looks"), serves="endpoint", role="server"),
            pd("sharer", **program(tmp_path, SHARES, "shares"), uses={"other": "looker"}),
        ],
    }
    with KernelProcess(spec, options=["--paranoid"]) as kernel:
        logs = dict((kernel.log(), kernel.log()))
        assert kernel.ask("wait")["failed"] == []
        with open(logs["sharer"], "rb", closefd=False) as said:
            assert said.read().decode().splitlines() == [
                "hello",
                "Jello granted for reading only",
                "Jello",
            ]
        kernel.ask("down")
        assert kernel.wait() == 0
        assert kernel.printed == b""
