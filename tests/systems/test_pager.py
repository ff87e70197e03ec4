"""Memory faults that somebody handles, on real processes: the access completes, or the PD ends."""

import os
import re
import signal
from pathlib import Path

import psutil
import pytest

import caplab
from caplab.kernel.boot.running import Row
from replays import identical

PAGER = """
from caplab.kernel.abi import PAGE_SIZE, FaultLabel
from caplab.pd.objects import Memory

def mend(env, text, writable=True):
    fault = env.endpoint("server").recv()
    assert fault.label == FaultLabel.VM_FAULT, fault
    address, status = fault.words[1], fault.words[3]
    env.log(f"{'write' if status & 2 else 'read'} at {address % PAGE_SIZE}")
    page = env.memory()
    with page.map() as window:
        window.write(0, text)
    page.map_in(env.managed()["toucher"], address - address % PAGE_SIZE, writable=writable)
    env.reply()
    return page

def mends(env):
    mend(env, b"first")
    mend(env, b"second")
    env.endpoint("server").recv()

def read_only(env):
    mend(env, b"first", writable=False)
    mend(env, b"second")
    env.endpoint("server").recv()

def again(env):
    # The page is the pager's: it takes it back, and the next touch faults again.
    page = mend(env, b"first")
    env.endpoint("server").recv()
    page.delete()
    env.reply()
    mend(env, b"second")
    env.endpoint("server").recv()

def refuses(env):
    server = env.endpoint("server")
    server.recv()
    server.recv()

def useless(env):
    server = env.endpoint("server")
    server.recv()
    for _ in range(3):
        server.reply_recv()
    env.log("three times in vain")
    server.recv()

def dies(env):
    env.endpoint("server").recv()
    raise ValueError("the pager cannot go on")

def waits(env):
    env.endpoint("server").recv()
    env.log("a fault is here")
    env.sleep(1000)

def gives(env):
    # Memory of the pager's, given to the toucher and taken away again while it has it mapped.
    server = env.endpoint("server")
    server.recv()
    memory = env.memory()
    with memory.map() as window:
        window.write(0, b"given")
    env.reply(caps=[memory])
    server.recv()
    env.cnode.revoke_slot(memory.slot)
    env.reply()
    mend(env, b"mended")
    with memory.map() as window:
        env.log(f"mine says {window.read(0, 5).decode()}")
    server.recv()

def main(env, how):
    globals()[how](env)
"""
TOUCHER = """
import ctypes, os, signal, threading
from multiprocessing.shared_memory import SharedMemory
from caplab.pd.objects import Memory

def gone(env, pages=1):
    memory = env.memory(pages)
    shared = SharedMemory(name=memory.map().name)
    memory.delete()
    return shared

def text(shared, at=0):
    return bytes(shared.buf[at : at + 8]).rstrip(b"\\0").decode()

def twice(env):
    shared = gone(env, 2)
    print(text(shared), flush=True)
    shared.buf[4096 + 7] = 33
    print(text(shared, 4096), flush=True)

def reads_then_writes(env):
    shared = gone(env)
    print(text(shared), flush=True)
    shared.buf[0] = 83
    print(text(shared), flush=True)

def once(env):
    print(text(gone(env)), flush=True)

def again(env):
    shared = gone(env)
    print(text(shared), flush=True)
    env.endpoint("fault-handler").call(0)
    print(text(shared), flush=True)

def spare(env):
    shared = gone(env)
    done = env.notification()
    def touch(env, arg):
        print(text(shared), flush=True)
        done.signal()
    env.thread(touch)
    done.wait()
    once(env)

def taken(env):
    pager = env.endpoint("fault-handler")
    memory = Memory(env, env.slots.alloc())
    pager.call(0, receive=memory.slot)
    shared = SharedMemory(name=memory.map().name)
    print(text(shared), flush=True)
    pager.call(1)
    print(text(shared), flush=True)

def null(env):
    ctypes.string_at(16)

def sleeps(env):
    print("asleep", flush=True)
    env.sleep(1000)

def main(env, how):
    globals()[how](env)
"""


def manifest(folder: Path, pager: str, toucher: str) -> Path:
    (folder / "pager.py").write_text(PAGER)
    (folder / "toucher.py").write_text(TOUCHER)
    path = folder / "paged.yaml"
    path.write_text(f"""
pds:
  pager: {{run: ./pager.py, serves: endpoint, args: {{how: {pager}}}, manages: [toucher]}}
  toucher: {{run: ./toucher.py, args: {{how: {toucher}}}, faults: pager, threads: 2}}
""")
    return path


def lines(system: caplab.System, pd: str, count: int) -> list[str]:
    """What it has printed, once that many lines are kept: its pipe outlives it by a moment."""
    while len(found := system.logs(pd).decode().splitlines()) < count:
        pass
    return found


def test_the_pager_that_comes_with_caplab_mends_every_touch_and_its_run_replays(
    tmp_path: Path,
) -> None:
    log = tmp_path / "log"
    with caplab.System("pager", paranoid=True, record=log) as system:
        assert system.wait(30)["failed"] == []
        assert lines(system, "toucher", 4) == [
            f"page {n} holds: page {n + 1}, from the pager" for n in range(4)
        ]
        said = lines(system, "pager", 4)
    assert [re.sub("0x[0-9a-f]+", "0x", line) for line in said] == [
        f"toucher {'writes' if n % 2 else 'reads'} 0x: page {n + 1}" for n in range(4)
    ]
    identical(log)


@pytest.mark.parametrize(
    ("pager", "toucher", "handled", "printed"),
    [
        ("mends", "twice", ["read at 0", "write at 7"], ["first", "second\0!"]),
        ("mends", "spare", ["read at 0"] * 2, ["first", "second"]),
        ("read_only", "reads_then_writes", ["read at 0", "write at 0"], ["first", "Second"]),
        ("again", "again", ["read at 0"] * 2, ["first", "second"]),
        ("gives", "taken", ["read at 0", "mine says given"], ["given", "mended"]),
    ],
)
def test_a_page_that_is_put_there_makes_the_access_complete(
    tmp_path: Path, pager: str, toucher: str, handled: list[str], printed: list[str]
) -> None:
    log = tmp_path / "log"
    with caplab.System(manifest(tmp_path, pager, toucher), paranoid=True, record=log) as system:
        assert system.wait(30)["failed"] == []
        assert lines(system, "toucher", len(printed)) == printed
        assert lines(system, "pager", len(handled)) == handled
        system.assert_nothing_left_of("toucher")
    identical(log)


@pytest.mark.parametrize("pager", ["refuses", "dies"])
def test_who_is_not_helped_ends_and_the_reason_says_where(tmp_path: Path, pager: str) -> None:
    log = tmp_path / "log"
    path = manifest(tmp_path, pager, "once")
    with caplab.System(path, paranoid=True, record=log) as system:
        system.wait(30)
        if pager == "refuses":
            system.kill("pager")
            system.wait(30)
        row = system.assert_nothing_left_of("toucher")
    assert row.state == "faulted"
    assert re.fullmatch(r"FAULT: VM at 0x[0-9a-f]+000 \(read\)", row.reason), row.reason
    identical(log)


def waiting(system: caplab.System, reason: str) -> Row:
    """The toucher's row, once its first TCB waits for this."""
    while True:
        row = system.pd("toucher")
        assert row.alive, row
        if row.reason.startswith(reason):
            return row


def held(system: caplab.System) -> str:
    """Why the toucher waits, once its fault is with the pager."""
    while "handled by" not in (reason := waiting(system, "FAULT").reason):
        pass
    return reason


def test_who_waits_for_its_pager_is_shown_and_can_be_killed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    path = manifest(tmp_path, "waits", "once")
    with caplab.System(path, paranoid=True, record=log) as system:
        reason = r"FAULT: VM at 0x[0-9a-f]+000 \(read\), handled by pager/gen0"
        assert re.fullmatch(reason, held(system))
        system.kill("toucher")
        row = system.assert_nothing_left_of("toucher")
        assert (row.state, row.reason) == ("killed", "SIGKILL by operator")
    identical(log)


def test_a_suspended_faulter_faults_again_when_it_is_resumed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    path = manifest(tmp_path, "waits", "once")
    with caplab.System(path, paranoid=True, record=log) as system:
        held(system)
        for _ in range(2):
            assert system.suspend("toucher").state == "suspended"
            system.resume("toucher")
            waiting(system, "FAULT")
        system.kill("toucher")
    identical(log)


def test_a_traced_pd_is_suspended_and_resumed_as_any_other(tmp_path: Path) -> None:
    with caplab.System(manifest(tmp_path, "mends", "sleeps"), paranoid=True) as system:
        assert lines(system, "toucher", 1) == ["asleep"]
        process = psutil.Process(system.pd("toucher").pid)
        for _ in range(2):
            system.suspend("toucher")
            while process.status() not in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP):
                pass
            system.resume("toucher")
            while process.status() != psutil.STATUS_SLEEPING:
                pass
        report = system.kill("toucher", signal="TERM")
        assert (report["state"], report["reason"]) == ("killed", "SIGTERM")


def test_a_page_nobody_maps_faults_for_ever_and_the_pager_may_give_up(tmp_path: Path) -> None:
    with caplab.System(manifest(tmp_path, "useless", "once"), paranoid=True) as system:
        while "three times in vain" not in system.logs("pager").decode():
            pass
        system.kill("pager")
        assert system.wait(30)["failed"][-1]["state"] == "faulted"


def test_traced_pds_die_with_their_kernel(tmp_path: Path) -> None:
    system = caplab.System(manifest(tmp_path, "waits", "once")).start()
    held(system)
    process = psutil.Process(system.pd("toucher").pid)
    os.kill(system.info()["kernel_pid"], signal.SIGKILL)
    process.wait(20)
    system.close()
