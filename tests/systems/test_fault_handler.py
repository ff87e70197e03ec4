"""The fault-handlers tutorial on real processes: a handler fills the slot that its client calls."""

from pathlib import Path

import caplab

FIXER = """
from caplab.kernel.abi import FaultLabel, Rights
from caplab.pd.objects import CNode, Tcb

CLIENT = Rights.WRITE | Rights.GRANT | Rights.GRANT_REPLY
HANDLER = 40

def main(env):
    server = env.endpoint("server")
    cspace = CNode(env, env.slots.alloc())
    server.recv(receive=cspace.slot)
    env.reply()
    tcb = Tcb(env, env.slots.alloc())
    server.recv(receive=tcb.slot)
    cspace.mint_slot(HANDLER, server.slot, 0xBEEF, CLIENT)
    tcb.set_space(cspace, fault_ep=HANDLER)
    env.reply()
    fault = server.recv()
    assert fault.label == FaultLabel.CAP_FAULT, fault
    print(f"fault {fault.label} badge {fault.badge:#x} at {fault.words[1]}", flush=True)
    cspace.mint_slot(fault.words[1], server.slot, 7, CLIENT)
    env.reply()
    call = server.recv()
    print(f"call {call.label} badge {call.badge} says {call.data.decode()}", flush=True)
    env.reply(data=b"mended")
    server.recv()
"""
CLIENT = """
from caplab.pd.objects import Endpoint

def main(env):
    fixer = env.endpoint("fixer")
    fixer.call(caps=[env.cnode])
    fixer.call(caps=[env.tcb])
    answer = Endpoint(env, 41).call(9, b"hello")
    print(answer.data.decode(), flush=True)
"""
WATCHER = """
from caplab.kernel.abi import FaultLabel

def main(env):
    server = env.endpoint("server")
    fault = server.recv()
    print(f"{FaultLabel(fault.label).name} of {len(fault.words)} words", flush=True)
"""
RAISER = """
def main(env):
    raise ValueError("it cannot go on")
"""


def manifest(folder: Path, fixer: str, client: str, key: str) -> Path:
    (folder / "fixer.py").write_text(fixer)
    (folder / "client.py").write_text(client)
    path = folder / "faults.yaml"
    path.write_text(f"""
pds:
  fixer: {{run: ./fixer.py, serves: endpoint}}
  client: {{run: ./client.py, {key}}}
""")
    return path


def test_a_handler_fills_the_missing_slot_and_the_call_completes(tmp_path: Path) -> None:
    path = manifest(tmp_path, FIXER, CLIENT, "uses: [fixer]")
    with caplab.System(path, paranoid=True) as system:
        assert system.wait(30)["failed"] == []
        said = system.logs("fixer").decode().splitlines()
        assert said == ["fault 1 badge 0xbeef at 41", "call 9 badge 7 says hello"]
        assert system.logs("client") == b"mended\n"


def test_an_exception_waits_for_its_handler_and_ends_with_it(tmp_path: Path) -> None:
    path = manifest(tmp_path, WATCHER, RAISER, "faults: fixer")
    with caplab.System(path, paranoid=True) as system:
        (failed,) = system.wait(30)["failed"]
        assert (failed["pd"], failed["state"]) == ("client", "faulted")
        assert system.logs("fixer") == b"USER_EXCEPTION of 5 words\n"
        row = system.assert_nothing_left_of("client")
        assert row.reason == "ValueError: it cannot go on"


PARENT = """
from caplab.kernel.abi import FaultLabel
from caplab.pd.errors import OutOfUntyped

def main(env):
    server, service = env.endpoint(), env.rde("pd")
    child = service.create(
        "child", "./raiser.py", faults=server.mint(0xBEEF), untyped=512 << 10
    )
    try:
        service.create("second", "./raiser.py", untyped=1 << 20)
    except OutOfUntyped:
        print("no memory for a second", flush=True)
    child.start()
    fault = server.recv()
    print(f"{FaultLabel(fault.label).name} badge {fault.badge:#x}", flush=True)
    child.kill()
    service.create("second", "./raiser.py", untyped=512 << 10)
    print("memory for a second", flush=True)
"""


def test_a_parent_handles_its_childs_fault_and_gets_its_memory_back(tmp_path: Path) -> None:
    (tmp_path / "parent.py").write_text(PARENT)
    (tmp_path / "raiser.py").write_text(RAISER)
    path = tmp_path / "parent.yaml"
    path.write_text("pds: {parent: {run: ./parent.py, rdes: [pd], untyped: 1040KiB}}")
    with caplab.System(path, paranoid=True) as system:
        assert [row["pd"] for row in system.wait(30)["failed"]] == ["child"]
        assert system.logs("parent").decode().splitlines() == [
            "no memory for a second",
            "USER_EXCEPTION badge 0xbeef",
            "memory for a second",
        ]
