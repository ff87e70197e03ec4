"""L4 threads on real processes: buffers that a pager fills in, a stuck client, a restarted one."""

import textwrap
import time
from pathlib import Path

from caplab import System

DEADLINE = 30.0
HEAD = "from caplab.pd.l4 import *\nfrom caplab.kernel.abi import PAGE_SIZE\n"
PAGED = {
    "pager.py": """
        def main(env):
            server = env.endpoint("server")
            paged = env.managed()["tasks"]
            fault = server.recv()
            while True:
                address, status = fault.words[1], fault.words[3]
                page = env.memory()
                with page.map() as window:
                    window.write(0, bytes(range(256)) * 16)
                page.map_in(paged, address - address % PAGE_SIZE)
                env.log("write" if status & 2 else "read")
                fault = server.reply_recv()
        """,
    "tasks.py": """
        from multiprocessing.shared_memory import SharedMemory

        def unmapped(env):
            # 2 KB across a page boundary, where there is no page any more.
            memory = env.memory(2)
            shared = SharedMemory(name=memory.map().name)
            memory.delete()
            return shared, shared.buf[PAGE_SIZE - 1024 : PAGE_SIZE + 1024]

        def sender(l4, to):
            shared, buffer = unmapped(l4.env)
            sent = l4.send_extended(to, 1, buffer)
            buffer.release()
            shared.close()
            return -sent

        def main(env):
            l4 = L4Thread(env)
            shared, buffer = unmapped(env)
            child = l4.thread_create(sender, l4.tid)
            check(l4.receive_extended(child, buffer))
            assert bytes(buffer) == bytes(range(256)) * 8
            assert l4.received == 2048
            assert check(l4.thread_wait(child)) == 0
            buffer.release()
            shared.close()
            env.log("2048 bytes are as they were sent")
        """,
}
PAGED_MANIFEST = """
pds:
  pager: {run: ./pager.py, serves: endpoint, manages: [tasks]}
  tasks: {run: ./tasks.py, threads: 2, faults: pager}
"""
STUCK = {
    "server.py": """
        def main(env):
            l4 = L4Thread(env)
            while True:
                check(l4.receive(L4_ANYTHREAD))
                returned = l4.ipc_return(l4.get_tag() + 1)
                env.log(f"returned {l4.get_tag()}: {returned}")
        """,
    "stuck.py": """
        def main(env):
            l4 = L4Thread(env)
            l4.receive(timeout=0)  # a server is ready when it has received
            check(l4.send(l4.thread_id("one"), 40))
            env.log("sent")
            env.sleep(1000)
        """,
    "client.py": """
        def main(env):
            l4 = L4Thread(env)
            one = l4.thread_id("one")
            if env.generation == 0:
                env.sleep(1000)  # until the server is stuck
            check(l4.sendrecv(one, one, env.generation))
            env.log(f"{env.generation} is told {l4.get_retval()}")
            env.sleep(1000)
        """,
}
STUCK_MANIFEST = """
pds:
  one: {run: ./server.py, serves: endpoint, uses: [stuck]}
  stuck: {run: ./stuck.py, serves: endpoint, uses: [one]}
  client: {run: ./client.py, uses: [one]}
"""


def written(folder: Path, programs: dict[str, str], manifest: str) -> Path:
    for name, text in programs.items():
        (folder / name).write_text(HEAD + textwrap.dedent(text))
    (folder / "system.yaml").write_text(manifest)
    return folder / "system.yaml"


def test_an_extended_ipc_between_buffers_without_pages_is_paged_in(tmp_path: Path) -> None:
    """2 KB across a page boundary on both sides: four faults, and every byte arrives."""
    with System(written(tmp_path, PAGED, PAGED_MANIFEST)) as system:
        outcome = system.wait(DEADLINE)
        assert outcome["finished"], system.logs("tasks").decode()
        said = system.logs("tasks").decode()
        assert "2048 bytes are as they were sent" in said, said
        assert sorted(system.logs("pager").decode().split()) == ["read", "read", "write", "write"]


def test_a_stuck_client_keeps_a_server_in_its_return_phase_until_it_is_killed(
    tmp_path: Path,
) -> None:
    with System(written(tmp_path, STUCK, STUCK_MANIFEST)) as system:

        def until(pd: str, state: str, said: str = "") -> None:
            end = time.monotonic() + DEADLINE
            while system.pd(pd).reason != state or said not in system.logs(pd).decode():
                assert time.monotonic() < end, system.pd(pd)

        until("one", "send to stuck/gen0")
        system.restart("client")
        until("client", "send to one/gen0")
        report = system.kill("stuck")
        assert not report["pending"], "the server hears of the death while it receives"
        until("client", "sleep", "1 is told 2")
        assert "returned 40: -3" in system.logs("one").decode()
        system.restart("client")
        until("client", "sleep", "2 is told 3")
        assert system.down()["left"] == {"processes": 0, "segments": 0, "sockets": 0, "files": 0}
