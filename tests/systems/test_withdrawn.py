"""A memory object that is taken from one PD while others keep it, on real processes."""

import re
from pathlib import Path

import pytest

import caplab

PROGRAMS = """
from multiprocessing.shared_memory import SharedMemory
from caplab.pd.objects import Memory

def lender(env):
    '''Has a page, lends it to whoever calls first, and takes it back when called again.'''
    server = env.endpoint("server")
    page = env.memory()
    lent = page.copy()
    window = page.map()
    server.recv()
    env.reply(caps=[lent])
    server.recv()
    page.revoke()
    window.write(0, b"kept")
    env.reply(data=window.read(0, 4))
    server.recv()

def borrowed(env):
    page = Memory(env, env.slots.alloc())
    env.endpoint("lender").call(receive=page.slot)
    return page

def touches(env):
    shared = SharedMemory(name=borrowed(env).map().name)
    shared.buf[16] = 1
    assert env.endpoint("lender").call().data == b"kept"
    print("took it back", flush=True)
    shared.buf[16] = 1

def reads(env):
    window = borrowed(env).map()
    window.write(16, b"mine")
    assert env.endpoint("lender").call().data == b"kept"
    print(window.read(), window.write(0, b"x"), flush=True)
    window.close()

def elsewhere(env):
    '''Another thread than the one that maps and touches makes the next call.'''
    shared = SharedMemory(name=borrowed(env).map().name)
    done = []
    def calls(env, arg):
        env.endpoint("lender").call()
        done.append(1)
    env.thread(calls, 0)
    while not done:
        shared.buf[16] = 1
    shared.buf[16] = 1

def closes(env):
    '''What is let go of may be closed, and mapped memory of others is left alone.'''
    page = borrowed(env)
    shared, own = SharedMemory(name=page.map().name), env.memory()
    mine = SharedMemory(name=own.map().name)
    env.endpoint("lender").call()
    shared.close()
    mine.buf[:2] = b"ok"
    print(own.map().read(0, 2).decode(), flush=True)
    mine.close()
"""


def manifest(folder: Path, what: str, level: str) -> Path:
    (folder / "pages.py").write_text(PROGRAMS)
    path = folder / "pages.yaml"
    path.write_text(f"""
confinement: {level}
pds:
  lender: {{run: pages:lender, serves: endpoint}}
  borrower: {{run: pages:{what}, uses: [lender], threads: 2}}
""")
    return path


LEVELS = ("auto", "basic", "none")


@pytest.mark.parametrize("level", LEVELS)
def test_who_touches_a_page_that_was_taken_back_faults_and_its_owner_keeps_it(
    tmp_path: Path, level: str
) -> None:
    with caplab.System(manifest(tmp_path, "touches", level), paranoid=True) as system:
        (failed,) = system.wait(30)["failed"]
        assert failed["pd"] == "borrower"
        assert re.fullmatch(r"FAULT: VM at 0x[0-9a-f]+010 \(write\)", failed["reason"])
        assert b"took it back" in system.logs("borrower")


@pytest.mark.parametrize("level", LEVELS)
def test_a_window_of_a_page_that_was_taken_back_is_empty(tmp_path: Path, level: str) -> None:
    with caplab.System(manifest(tmp_path, "reads", level), paranoid=True) as system:
        assert system.wait(30)["failed"] == []
        assert b"b'' 0" in system.logs("borrower")


def test_any_thread_of_the_pd_lets_go_for_all(tmp_path: Path) -> None:
    with caplab.System(manifest(tmp_path, "elsewhere", "auto"), paranoid=True) as system:
        (failed,) = system.wait(30)["failed"]
        assert "FAULT: VM at" in failed["reason"]


def test_what_was_let_go_of_may_be_closed_and_nothing_else_is_touched(tmp_path: Path) -> None:
    with caplab.System(manifest(tmp_path, "closes", "auto"), paranoid=True) as system:
        assert system.wait(30)["failed"] == []
        assert b"ok" in system.logs("borrower")
