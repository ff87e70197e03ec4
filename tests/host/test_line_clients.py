"""The console clients of a line: many, impolite, or gone in the middle of a word."""

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from caplab.kernel.host import console_wire
from caplab.kernel.host.console_wire import DATA, JSON, encode, encode_json
from caplab.kernel.host.line_loop import SEATS
from caplab.kernel.host.watcher import ConsoleError, Watcher
from line_process import PATIENCE, LineProcess, running_line


@pytest.fixture
def line(baseline: None, runtime_dir: Path) -> Iterator[LineProcess]:
    with running_line(runtime_dir / "uart0") as line:
        yield line


def test_a_client_may_leave_in_the_moment_it_is_printed_to(line: LineProcess) -> None:
    with Watcher(line.socket) as stays:
        leaver = Watcher(line.socket)
        with line.stopped():
            line.print(b"output\n")
            leaver.close()  # which the line finds twice: when it sends, and as an event
        stays.expect("output\n")
        assert line.dropped() == 7


def test_clients_that_come_and_go_leave_no_descriptor(line: LineProcess) -> None:
    def descriptors() -> int:
        # Whoever left before this one came has been noticed when it is welcomed.
        with Watcher(line.socket):
            return len(os.listdir(f"/proc/{line.process.pid}/fd"))

    before = descriptors()
    for turn in range(20):
        with Watcher(line.socket) as watcher, line.port():
            line.print(b"turn %d\n" % turn)
            watcher.expect(f"turn {turn}\n")
    assert descriptors() == before


def test_there_are_seats_for_many_and_the_next_one_is_told(line: LineProcess) -> None:
    with ExitStack() as stack:
        watchers = [stack.enter_context(Watcher(line.socket)) for _ in range(SEATS)]
        with pytest.raises(ConsoleError, match="64 consoles are attached to uart0") as refused:
            Watcher(line.socket)
        assert refused.value.code == "full"
        line.print(b"to all\n")
        assert all(watcher.read(PATIENCE) == b"to all\n" for watcher in watchers)
        watchers[0].close()
        watchers[1].send(b"a turn after that one's leaving was noticed")
        line.typed(43)
        Watcher(line.socket).close()


@pytest.mark.parametrize(
    "sent",
    [
        encode(b"X", b""),
        console_wire.HEADER.pack(DATA, 1 << 30),
        encode(JSON, b"{"),
        encode(JSON, b"[]"),
        encode_json({}),
        encode_json({"mode": "everything"}),
        encode_json({"mode": ["watch"]}),
        encode(DATA, b"input before the introduction"),
        encode_json({"mode": "watch"}) + encode(DATA, b"input of a watcher"),
        encode_json({"mode": "console"}) + encode_json({"mode": "watch"}),
    ],
)
def test_a_client_that_breaks_a_rule_is_told_and_parts_alone(
    line: LineProcess, sent: bytes
) -> None:
    with Watcher(line.socket) as other, socket.socket(socket.AF_UNIX) as client:
        client.settimeout(PATIENCE)
        client.connect(line.socket)
        client.sendall(sent)
        answer = b""
        try:
            while more := client.recv(65536):
                answer += more
        except ConnectionResetError:
            pass  # we sent more than the line cared to read
        *_, last = console_wire.Decoder(1 << 20).feed(answer)
        error = console_wire.decode_json(last.payload)["error"]
        assert isinstance(error, dict)
        assert error["code"] == "protocol"
        other.send(b"still here")
        assert line.typed(10) == b"still here"


def test_a_client_that_says_nothing_gets_nothing_and_disturbs_nobody(line: LineProcess) -> None:
    with socket.socket(socket.AF_UNIX) as silent, Watcher(line.socket) as watcher:
        silent.connect(line.socket)
        line.print(b"output\n")
        watcher.expect("output\n")
        silent.setblocking(False)
        with pytest.raises(BlockingIOError):
            silent.recv(1)
