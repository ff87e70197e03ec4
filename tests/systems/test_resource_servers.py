"""Resource servers as real processes: CellulOS' own scenarios GPIPD001 to 004, and deaths."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from caplab import System

TESTER = """
pds:
  tester:
    run: ./tester.py
    rdes: [pd, resspc]
"""
HEAD = """
from caplab import Env
from caplab.pd.errors import *
from caplab.pd.objects import *
from caplab.pd.resource import *
from caplab.servers.sample import *
from caplab.kernel.abi import Rights
"""
GPIPD001 = {
    "tester.py": """
        def main(env):
            endpoint = env.endpoint()
            child = env.rde("pd").create("hello", "./hello.py")
            child.install(endpoint, "parent", rights=Rights.ALL & ~Rights.READ, badge=7)
            child.start()
            asked = endpoint.recv()
            assert (asked.badge, asked.label) == (7, 1), asked
            memory = env.memory()
            with memory.map() as window:
                window.write(0, b"from the parent")
            slot, count = child.send(memory)
            assert count == 1
            done = endpoint.reply_recv(0, [slot])
            assert done.label == 2, done
            with memory.map() as window:
                assert window.read(0, 14) == b"from the child"
            env.reply()
            while child.info()["state"] != "exited":
                env.sleep(0.01)
            assert child.info()["exit_code"] == 0
        """,
    "hello.py": """
        def main(env):
            own = env.memory(5)
            with own.map() as window:
                for page in range(5):
                    window.write(page * 4096, b"x")
                    assert window.read(page * 4096, 1) == b"x"
            parent = env.endpoint("parent")
            [slot] = parent.call(1).words
            with env.cap(Memory, slot).map() as window:
                assert window.read(0, 15) == b"from the parent"
                window.write(0, b"from the child")
            parent.call(2)
        """,
}
GPIPD003 = {
    "tester.py": """
        def main(env):
            server = start_server(env, "servers.sample", places=3)
            sample = Sample.alloc(server.endpoint)
            assert sample.invoke(42, 24) == "0x42"
            sample.free()
            try:
                sample.invoke(42, 24)
                raise AssertionError("it was freed")
            except Revoked as gone:
                assert gone.pd == "sample"
            report = server.kill()
            assert report["pd"] == "sample"
            assert not report["pending"]
        """,
}
GPIPD004 = {
    "tester.py": """
        def main(env):
            server = start_server(env, "servers.sample")
            memory = env.memory()
            assert server.send(memory)[1] == 1
            sample = Sample.alloc(server.endpoint)
            assert server.send(sample.endpoint)[1] == 1
            assert sample.invoke(1, 2) == "0x3"
            server.kill()
            try:
                sample.invoke(1, 2)
                raise AssertionError("its server is dead")
            except (PeerDied, Revoked) as gone:
                assert gone.pd == "sample"
        """,
}
FAILING = {
    "tester.py": """
        def main(env):
            for run, why in (("./dies", "it faulted"), ("./slow", "the time limit ran out")):
                try:
                    start_server(env, run, timeout=0.5)
                    raise AssertionError(run)
                except ServerFailed as failed:
                    assert why in str(failed), failed
            server = start_server(env, "servers.sample")
            assert Sample.alloc(server.endpoint).invoke(1, 1) == "0x2"
        """,
    "dies/server.py": """
        def main(env):
            raise RuntimeError("no")
        """,
    "slow/server.py": """
        def main(env):
            env.sleep(1000)
        """,
    "dies/__init__.py": "",
    "slow/__init__.py": "",
}


def write(folder: Path, programs: dict[str, str]) -> Path:
    for name, text in programs.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(HEAD + textwrap.dedent(text) if text else "")
    (folder / "system.yaml").write_text(TESTER)
    return folder / "system.yaml"


@pytest.mark.parametrize(
    "programs",
    [GPIPD001, GPIPD003, GPIPD004, FAILING],
    ids=["GPIPD001", "GPIPD003", "GPIPD004", "servers that do not start"],
)
def test_a_pd_that_starts_servers_while_the_system_runs(
    programs: dict[str, str], tmp_path: Path
) -> None:
    with System(write(tmp_path, programs)) as system:
        outcome = system.wait(60)
        assert outcome["finished"]
        assert system.pd("tester").exit_code == 0, system.logs("tester").decode()


def test_gpipd002_a_model_is_made_twice_and_is_the_same() -> None:
    with System("sample") as system:
        system.console.expect("holder holds 3")
        wait_for_death(system, "client")
        # Both part from the console, which gives their windows back.
        system.assert_nothing_left_of("client")
        while system.pd("holder").reason != "notification":
            pass
        first, second = system.graph(), system.graph()
        assert not first.marked
        assert first == second
        found = [node for node in first.nodes("RESOURCE") if node.data == "SAMPLE"]
        assert [node.extra for node in found] == ["invoked_1"] * 3
        assert all(set(first.holders(one.id)) == {"sample", "holder"} for one in found)


def wait_for_death(system: System, pd: str) -> None:
    with system.control.watch() as changes:
        while system.pd(pd).alive:
            changes.receive()


def resources(system: System) -> int:
    return len([node for node in system.graph().nodes("RESOURCE") if node.data == "SAMPLE"])


def test_what_a_killed_client_held_is_freed_by_the_server() -> None:
    with System("sample") as system:
        system.console.expect("holder holds 3")
        wait_for_death(system, "client")
        assert resources(system) == 3
        report = system.kill("holder")
        told = [one for one in report["actions"] if one["action"] == "queue_work"]
        assert [one["kind"] for one in told].count("free") == 3
        assert not report["pending"]
        assert resources(system) == 0
        system.assert_nothing_left_of("holder")


def test_clients_of_a_killed_server_lose_what_they_held_and_live() -> None:
    with System("sample") as system:
        system.console.expect("holder holds 3")
        report = system.kill("sample")
        assert "revoke" in [one["action"] for one in report["actions"]]
        assert resources(system) == 0
        assert system.pd("holder").alive
        system.assert_nothing_left_of("sample")


ENDS_ITS_SERVERS = {
    "tester.py": """
        def main(env, crash):
            killed = start_server(env, "servers.sample", name="killed")
            start_server(env, "servers.sample", name="linked").link()
            killed.crash("segv") if crash else killed.kill()
        """,
}


@pytest.mark.parametrize(("crash", "status"), [(False, 0), (True, 1)])
def test_a_server_that_its_maker_ends_is_no_failure_and_one_that_crashes_is(
    tmp_path: Path, crash: bool, status: int
) -> None:
    manifest = write(tmp_path, ENDS_ITS_SERVERS)
    manifest.write_text(manifest.read_text() + f"    args: {{crash: {str(crash).lower()}}}\n")
    command = [sys.executable, "-m", "caplab", "up", str(manifest)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == status, ran.stderr
    assert "nothing is left behind" in ran.stderr
