"""The root task's own components from inside PDs: memory, endpoints, address spaces, threads.

The scenarios are those of CellulOS' tests GPIADS and GPITH, with asserts where those only print.
"""

import time
from pathlib import Path

import pytest

import caplab

DEADLINE = 60.0
CLEAN = {"processes": 0, "segments": 0, "sockets": 0, "files": 0}
HEAD = """
import caplab
from caplab import MissingCap
from caplab.pd.errors import DeleteFirst, FailedLookup, NoSpareTcb, RangeError

def refused(error, call, *args):
    try:
        call(*args)
    except error:
        return True
    raise AssertionError(f"{call} was not refused")
"""
MEMORY = """
def main(env):
    memory = env.rde("mo").connect(5)
    assert memory.size == 8 * 4096
    ads = env.rde("vmr")
    vmr = ads.attach("anywhere", memory)
    (row,) = ads.info()["attached"]
    assert (row["vmr"], row["name"], row["pages"]) == (vmr, "anywhere", 8)
    with memory.map() as mine, env.attached("anywhere").map() as window:
        for page in range(5):
            mine.write(page * 4096, bytes([page + 1]))
            assert window.read(page * 4096, 1) == bytes([page + 1])
    refused(DeleteFirst, ads.attach, "anywhere", memory)
    ads.detach("anywhere")
    refused(FailedLookup, ads.detach, "anywhere")
    refused(MissingCap, env.attached, "anywhere")
    with memory.map() as mine:
        assert mine.read(4096, 1) == b"\\x02"
    refused(RangeError, env.rde("mo").connect, 0)
    refused(RangeError, env.rde("mo").connect, 513)
    memory.delete()
"""
SPACES = """
def main(env, rounds=2048, live=245):
    service, own = env.rde("ads"), env.rde("vmr")
    for _ in range(rounds):
        service.connect().delete()
    several = [service.connect() for _ in range(live)]
    assert len({one.info()["ads"] for one in several} | {own.info()["ads"]}) == live + 1
    page = env.memory()
    several[0].attach("a", page)
    assert several[1].copy_from(several[0]) == 1
    refused(DeleteFirst, several[1].copy_from, several[0])
    assert [one["name"] for one in several[1].info()["attached"]] == ["a"]
    for one in several:
        one.delete()
"""
ENDPOINT = """
def main(env):
    endpoint = env.rde("ep").connect()
    env.thread(answer, endpoint.slot)
    assert endpoint.call(5, b"up").data == b"UP"

def answer(env, slot):
    endpoint = env.cap(caplab.pd.objects.Endpoint, slot)
    env.reply(0, endpoint.recv().data.upper())
"""
THREADS = """
def main(env):
    service = env.rde("cpu")
    first = service.connect()
    seen = env.notification()
    names = {"first": first, "seen": seen}

    def suspends_itself(env, arg):
        assert arg == 7
        seen.signal()
        first.suspend()

    first.write_registers(env.entry(suspends_itself), 7)
    first.resume()
    seen.wait()
    refused(NoSpareTcb, service.connect)
    refused(NoSpareTcb, env.thread, suspends_itself)
    env.sleep(1000)
"""
LINKED = """
def main(env):
    child = env.rde("pd").create("spinner", "./spinner.py", {"arg": 0xA}, ads=env.rde("vmr"))
    child.link()
    child.start()
    env.sleep(1000)
"""
SPINNER = """
def main(env, arg):
    assert arg == 0xA
    while True:
        env.yield_()
"""
SHARED = """
def main(env):
    ads, home = env.rde("vmr"), env.endpoint()
    data, stack = env.memory(), env.memory()
    ads.attach("data", data)
    child = env.rde("pd").create("writer", "./writer.py", ads=ads)
    child.install(home, "home", badge=9)
    child.start()
    message = home.recv()
    assert (message.badge, message.data) == (9, b"no stack")
    with data.map() as window, stack.map() as own:
        assert window.read(0, 4) == b"\\xef\\xbe\\xad\\xde"
        assert own.read(0, 4) == bytes(4)
    ads.attach("later", stack)
    env.reply()
    assert home.recv().data == b"later"
    env.reply()
"""
WRITER = """
def main(env):
    home = env.endpoint("home")
    with env.attached("data").map() as window:
        window.write(0, b"\\xef\\xbe\\xad\\xde")
    refused(MissingCap, env.attached, "stack")
    home.call(0, b"no stack")
    env.attached("later").map().close()
    home.call(0, b"later")
"""
RDES = "[pd, mo, ep, ads, vmr, cpu]"


def system(folder: Path, program: str, more: str = "", **others: str) -> caplab.System:
    """One PD that runs a program and has every service of the root task."""
    for name, text in {"prog": program, **others}.items():
        (folder / f"{name}.py").write_text(HEAD + text)
    path = folder / "components.yaml"
    path.write_text(f"pds: {{one: {{run: ./prog.py, rdes: {RDES}{more}}}}}\n")
    return caplab.System(path, paranoid=True)


@pytest.mark.parametrize(
    ("program", "more"),
    [(MEMORY, ""), (ENDPOINT, ", threads: 2"), (SPACES, "")],
    ids=["memory", "endpoint", "spaces"],
)
def test_a_pd_gets_components_from_the_root_task_and_gives_them_back(
    tmp_path: Path, program: str, more: str
) -> None:
    """As CellulOS' GPIADS001 to 003, and its use of endpoints."""
    with system(tmp_path, program, more) as running:
        running.wait(DEADLINE)
        row = running.pd("one")
        assert (row.state, row.exit_code) == ("exited", 0), running.logs("one").decode()
        running.assert_nothing_left_of("one")
        assert running.down()["left"] == CLEAN


def test_a_thread_may_suspend_itself_and_goes_with_its_pd(tmp_path: Path) -> None:
    """As CellulOS' GPITH001."""
    with system(tmp_path, THREADS, ", threads: 2") as running:
        asleep(running, "one")
        states = [tcb["state"] for tcb in running.pd("one").tcbs]
        assert states == ["waiting", "suspended"]
        running.kill("one")
        running.assert_nothing_left_of("one")
        assert running.down()["left"] == CLEAN


def test_a_linked_pd_that_shares_an_address_space_dies_with_the_one_that_made_it(
    tmp_path: Path,
) -> None:
    """As CellulOS' GPITH002."""
    with system(tmp_path, LINKED, spinner=SPINNER) as running:
        asleep(running, "one")
        assert running.pd("spinner").alive
        report = running.kill("one")
        assert {"action": "kill", "target": "spinner", "signal": "SIGKILL"} in report["actions"]
        assert running.pd("spinner").reason == "cleanup after one/gen0"
        running.assert_nothing_left_of("spinner")
        assert running.down()["left"] == CLEAN


def test_pds_that_share_an_address_space_share_what_is_attached_and_nothing_else(
    tmp_path: Path,
) -> None:
    """As CellulOS' GPITH003, with the outcome asserted."""
    with system(tmp_path, SHARED, writer=WRITER) as running:
        running.wait(DEADLINE)
        for pd in ("one", "writer"):
            row = running.pd(pd)
            assert (row.state, row.exit_code) == ("exited", 0), running.logs(pd).decode()
        assert running.down()["left"] == CLEAN


def asleep(running: caplab.System, pd: str) -> None:
    """Wait until a PD sleeps, having done all it does before."""
    end = time.monotonic() + DEADLINE
    while (row := running.pd(pd)).reason != "sleep":
        assert row.alive, running.logs(pd).decode()
        assert time.monotonic() < end, row
