"""Memory faults of real processes: what is said of who dies of one."""

import re
from pathlib import Path

import pytest

import caplab
from replays import identical

TOUCHES = """
import ctypes
from multiprocessing.shared_memory import SharedMemory

def nowhere(env):
    ctypes.string_at(16)

def destroyed(env):
    memory = env.memory()
    shared = SharedMemory(name=memory.map().name)
    memory.delete()
    shared.buf[8] = 1

def elsewhere(env):
    env.thread(lambda env, arg: nowhere(env), 0)
    env.sleep(60)

def main(env, what):
    globals()[what](env)
"""


def manifest(folder: Path, what: str, semantics: str = "lab", level: str = "auto") -> Path:
    (folder / "touches.py").write_text(TOUCHES)
    path = folder / "touch.yaml"
    path.write_text(f"""
semantics: {semantics}
confinement: {level}
pds:
  toucher: {{run: ./touches.py, args: {{what: {what}}}, threads: 2}}
""")
    return path


@pytest.mark.parametrize(
    ("what", "level", "reason"),
    [
        ("nowhere", "auto", r"FAULT: VM at 0x10 \(read\)"),
        ("destroyed", "auto", r"FAULT: VM at 0x[0-9a-f]+008 \(write\)"),
        ("destroyed", "basic", r"FAULT: VM at 0x[0-9a-f]+008 \(write\)"),
        ("destroyed", "none", r"FAULT: VM at 0x[0-9a-f]+008 \(write\)"),
        ("elsewhere", "auto", r"FAULT: VM at 0x10 \(read\)"),
    ],
)
def test_a_pd_that_faults_says_where_and_its_run_replays(
    tmp_path: Path, what: str, level: str, reason: str
) -> None:
    log = tmp_path / "log"
    path = manifest(tmp_path, what, level=level)
    with caplab.System(path, paranoid=True, record=log) as system:
        (failed,) = system.wait(30)["failed"]
        row = system.assert_nothing_left_of("toucher")
    assert failed["state"] == row.state == "faulted"
    assert row.reason == failed["reason"]
    assert re.fullmatch(reason, row.reason), row.reason
    (replayed,) = identical(log)["pds"]
    assert replayed["reason"] == row.reason


def test_a_fault_under_sel4_is_told_of_the_dead_all_the_same(tmp_path: Path) -> None:
    with caplab.System(manifest(tmp_path, "nowhere", "sel4"), paranoid=True) as system:
        (failed,) = system.wait(30)["failed"]
    assert (failed["state"], failed["reason"]) == ("faulted", "FAULT: VM at 0x10 (read)")
    assert failed["exit_code"] == 139
