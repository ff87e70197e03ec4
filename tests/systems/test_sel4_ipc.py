"""sel4test's cases of messages and rights between real processes, under `semantics: sel4`.

The same cases run against the core in `tests/sel4test/`, in every order and with every mask; here
they cross two CSpaces, two address spaces and the wire.
"""

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from caplab import System

MANIFEST = """
name: sel4test
semantics: sel4
pds:
  server: {run: ./server.py, serves: endpoint}
  client: {run: ./client.py, threads: 2, uses: {server: server}}
"""
PRELUDE = """
from caplab.kernel.abi import Rights
from caplab.pd.errors import InvalidCapability
from caplab.pd.objects import Endpoint, Notification

LENGTHS = range(121)


def words(length):
    return tuple(0xABBACAFE + number for number in range(length))


def main(env):
"""
EPILOGUE = {
    "server": "\nenv.endpoint('server').recv()\nenv.reply()\n",
    "client": "\nenv.endpoint('server').call()\n",
}
"""The client ends when the server has come to its end, which one that failed never does."""
Run = Callable[[str, str], bytes]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A server and a client from their bodies, run to their end; what the client printed."""

    def run(server: str, client: str) -> bytes:
        for name, body in (("server", server), ("client", client)):
            text = textwrap.dedent(body) + EPILOGUE[name]
            (tmp_path / f"{name}.py").write_text(PRELUDE + textwrap.indent(text, "    "))
        (tmp_path / "system.yaml").write_text(MANIFEST)
        with System(tmp_path / "system.yaml", paranoid=True) as system:
            assert system.wait(timeout=20) == {"finished": True, "failed": []}
            return system.logs("client")

    return run


def test_every_length_of_message_is_sent_and_received(run: Run) -> None:
    """IPC1001: between two processes a Send of 0 to 120 words arrives whole."""
    server = """
        own = env.endpoint("server")
        for length in LENGTHS:
            assert own.recv().words == words(length)
    """
    client = """
        server = env.endpoint("server")
        for length in LENGTHS:
            server.send(0, words(length))
    """
    run(server, client)


def test_every_length_of_message_is_called_and_answered(run: Run) -> None:
    """IPC1002, IPC1003: between two processes 0 to 120 words go with a Call and as many come
    back, by ReplyRecv and by Reply and Recv."""
    server = """
        own = env.endpoint("server")
        message = own.recv()
        for length in LENGTHS:
            assert message.words == words(length)
            message = own.reply_recv(0, message.data)
        for length in LENGTHS:
            assert message.words == words(length)
            env.reply(0, message.data)
            if length < 120:
                message = own.recv()
    """
    client = """
        server = env.endpoint("server")
        for _ in range(2):
            for length in LENGTHS:
                assert server.call(0, words(length)).words == words(length)
    """
    run(server, client)


def test_a_send_without_write_vanishes(run: Run) -> None:
    """IPCRIGHTS0001: between two processes a Send without Write vanishes without an error, and a
    Call is told with label 2."""
    server = """
        message = env.endpoint("server").recv()
        assert message.words == (42,)
    """
    client = """
        server = env.endpoint("server")
        for rights in (Rights.NONE, Rights.GRANT, Rights.GRANT_REPLY):
            mute = server.copy(rights)
            mute.send(0, [0xDEADBEEF])
            mute.nb_send(0, [0xDEADBEEF])
            try:
                mute.call(0, [0xDEADBEEF])
            except InvalidCapability:
                pass
            else:
                raise AssertionError("a Call without Write must be told")
        server.send(0, [42])
    """
    run(server, client)


def test_a_capability_is_sent_only_with_grant(run: Run) -> None:
    """IPCRIGHTS0003: between two processes a capability arrives if and only if the sender's has
    Grant; the words arrive anyway."""
    server = """
        own = env.endpoint("server")
        for granted in (False, False, True, True):
            message = own.recv(receive=300)
            assert message.words == (42,)
            assert message.caps == ((300,) if granted else ())
            assert env.cnode.is_full(300) == granted
            if granted:
                env.cnode.delete_slot(300)
    """
    client = """
        server = env.endpoint("server")
        page = env.memory()
        write, grant, reply = Rights.WRITE, Rights.GRANT, Rights.GRANT_REPLY
        for rights in (write, write | reply, write | grant, Rights.ALL):
            server.copy(rights).send(0, [42], caps=[page])
    """
    run(server, client)


def test_a_call_without_grant_and_grant_reply_stops_its_caller(run: Run) -> None:
    """IPCRIGHTS0004: between two processes a Call without Grant and GrantReply arrives and stops
    its caller; Resume sends it again, with the rights that the slot holds by then."""
    server = """
        own = env.endpoint("server")
        own.recv(receive=300)
        heard = env.cap(Notification, 300)
        assert own.recv().words == (42,)
        env.cnode.save_caller(301)
        assert not env.cnode.is_full(301)
        heard.signal()
        assert own.recv().words == (42,)
        env.cnode.save_caller(301)
        assert env.cnode.is_full(301)
        env.cap(Endpoint, 301).send(0, [0xDEADBEEF])
        assert not env.cnode.is_full(301)
    """
    client = """
        server = env.endpoint("server")
        bare = server.copy(Rights.WRITE)
        heard, done = env.notification(), env.notification()

        def caller(env, arg):
            assert bare.call(0, [42]).words == (0xDEADBEEF,)
            done.signal()

        server.send(caps=[heard])
        tcb = env.thread(caller)
        heard.wait()
        env.cnode.delete_slot(bare.slot)
        env.cnode.copy_slot(bare.slot, server.slot)
        tcb.resume()
        done.wait()
    """
    run(server, client)


def test_a_process_of_its_own_runs_and_answers(run: Run) -> None:
    """VSPACE0000: a thread in another CSpace and another address space runs and returns 42."""
    server = """
        import sys
        sys.modules["caplab"].mark = "the server's memory"
        message = env.endpoint("server").recv()
        assert message.words == (42,)
        env.reply()
    """
    client = """
        import sys
        assert not hasattr(sys.modules["caplab"], "mark")
        env.endpoint("server").call(0, [42])
    """
    run(server, client)


def test_putting_characters_needs_no_capability(run: Run) -> None:
    """SYSCALL0006: a process puts ten characters, one at a time, and they stand in its log."""
    client = """
        for _ in range(10):
            print("x", end="", flush=True)
    """
    assert run("", client) == b"x" * 10
