"""The console clients of a line: many, impolite, or gone in the middle of a word."""

import os
import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from caplab.kernel.host import console_wire
from caplab.kernel.host.console_wire import DATA, JSON, encode, encode_json
from caplab.kernel.host.interest import Interests
from caplab.kernel.host.line_clients import SEATS, Clients, Console
from caplab.kernel.host.watcher import (
    ConsoleError,
    Event,
    InputLost,
    Output,
    Synced,
    Watcher,
    Writer,
)
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


def test_the_holder_of_the_keyboard_and_the_next_may_leave_in_that_moment(
    line: LineProcess,
) -> None:
    with Watcher(line.socket) as stays:
        leavers = [Watcher(line.socket, mode="console") for _ in range(3)]
        with line.stopped():
            line.print(b"output\n")
            for leaver in leavers:
                leaver.close()
        stays.expect("output\n")
        assert stays.status()["consoles"] == 1


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
        encode(DATA, b'{"mode": "script"}'),
        encode_json({"mode": "watch"}) + encode(DATA, b"input of a watcher"),
        encode_json({"mode": "console"}) + encode_json({"mode": "watch"}),
        encode_json({"mode": "console", "size": [24]}),
        encode_json({"mode": "console", "size": [24, 1 << 16]}),
        encode_json({"mode": "console"}) + encode_json({"size": [-1, 80]}),
        encode_json({"mode": "script"}) + encode_json({"take": True}),
        encode_json({"mode": "script"}) + encode_json({"size": [24, 80]}),
        encode_json({"mode": "watch"}) + encode_json({"break": True}),
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


# Who types.


def told(watcher: Watcher) -> list[Event]:
    """What a client has been told by now, output left out."""
    watcher.status()
    return [event for event in watcher.receive() if not isinstance(event, Output)]


def await_keyboard(watcher: Watcher) -> None:
    """Until the line has noticed that somebody left, and this one is told so."""
    while not any(isinstance(event, Writer) and event.you for event in watcher.receive()):
        assert select.select([watcher], [], [], PATIENCE)[0]


def test_one_console_types_and_the_others_watch(line: LineProcess) -> None:
    with Watcher(line.socket, mode="console", who="one") as one:
        assert (one.writing, one.writer) == (True, "one")
        with Watcher(line.socket, mode="console", who="two") as two:
            assert (two.writing, two.writer) == (False, "one")
            two.send(b"not typed")
            two.send_break()
            assert told(two) == [InputLost(9)]
            one.send(b"typed")
            assert line.typed(5) == b"typed"
            assert told(one) == []
        line.print(b"to both\n")
        one.expect("to both")


def test_who_takes_the_keyboard_types_and_it_goes_back_when_they_leave(line: LineProcess) -> None:
    with Watcher(line.socket, mode="console", who="one") as one:
        with Watcher(line.socket, mode="console", who="two", take=True) as two:
            assert (two.writing, two.writer) == (True, "two")
            assert told(one) == [Writer("two", you=False)]
            two.send(b"two")
            assert line.typed(3) == b"two"
            one.take()
            assert told(one) == [Writer("one", you=True)]
            assert told(two) == [Writer("one", you=False)]
            two.take()
            assert told(two) == [Writer("two", you=True)]
        await_keyboard(one)
        one.send(b"one")
        assert line.typed(3) == b"one"


def test_the_keyboard_of_a_console_that_breaks_a_rule_is_the_next_one_s(line: LineProcess) -> None:
    with (
        Watcher(line.socket, mode="console", who="rude") as rude,
        Watcher(line.socket, mode="console", who="next") as waits,
    ):
        rude._say(size="large")
        await_keyboard(waits)
        assert waits.status()["consoles"] == 1
        waits.send(b"typed")
        assert line.typed(5) == b"typed"


def test_who_loses_the_keyboard_is_told_without_asking(line: LineProcess) -> None:
    with (
        Watcher(line.socket, mode="console", who="one") as one,
        Watcher(line.socket, mode="console", who="two", take=True),
    ):
        assert select.select([one], [], [], PATIENCE)[0]
        assert one.receive() == [Writer("two", you=False)]


def test_a_script_types_whoever_has_the_keyboard(line: LineProcess) -> None:
    with (
        Watcher(line.socket, mode="console", who="one" * 100) as one,
        Watcher(line.socket) as script,
    ):
        script.send(b"script")
        one.send(b"one")
        assert sorted(line.typed(9)) == sorted(b"scriptone")
        assert told(one) == told(script) == []
        assert script.status()["writer"] == ("one" * 100)[:80]


def test_the_window_of_who_has_the_keyboard_counts(line: LineProcess) -> None:
    def size() -> tuple[int, int]:
        with open(line.folder / "tty", "rb") as pts:
            return os.get_terminal_size(pts.fileno())

    with Watcher(line.socket, mode="console", size=(24, 80)) as one:
        with Watcher(line.socket, mode="console", size=(50, 132)) as two:
            two.resize((60, 140))
            two.status()
            assert size() == (80, 24)
            two.take()
            two.status()
            assert size() == (140, 60)
        await_keyboard(one)
        assert size() == (80, 24)


def test_a_line_says_what_it_has_done_and_what_is_lost(line: LineProcess) -> None:
    with Watcher(line.socket, who="me", mode="console") as watcher:
        line.print(b"twelve bytes")
        watcher.send(b"five!")
        line.typed(5)
        watcher.expect("bytes")
        assert watcher.status() == {
            "uart": "uart0",
            "tty": line.tty,
            "written": 12,
            "typed": 5,
            "waiting": 0,
            "writer": "me",
            "consoles": 1,
            "dropped": 12,
            "behind": 0,
            "input_dropped": 0,
            "unlogged": 0,
        }


def test_a_client_is_told_when_it_has_all_that_had_been_printed(line: LineProcess) -> None:
    text = b"line\n" * 20_000
    with Watcher(line.socket, mode="watch") as watcher:
        with line.stopped():
            numbers = [watcher.sync(), watcher.sync()]
            line.print(text)  # the question is there first, and the line reads it first
        seen, heard = b"", 0
        while heard < numbers[-1]:
            assert select.select([watcher], [], [], PATIENCE)[0]
            for event in watcher.receive():
                if isinstance(event, Synced):
                    heard = event.number
                else:
                    assert isinstance(event, Output)
                    seen += event.data
        assert seen == text


def test_a_client_that_says_its_mode_alone_is_shown_the_past(line: LineProcess) -> None:
    line.print(b"past\n")
    with Watcher(line.socket) as watcher, socket.socket(socket.AF_UNIX) as client:
        watcher.expect("past\n")
        client.settimeout(PATIENCE)
        client.connect(line.socket)
        client.sendall(encode_json({"mode": "watch"}))
        decoder, frames = console_wire.Decoder(1 << 20), list[console_wire.Frame]()
        while len(frames) < 2:
            frames += decoder.feed(client.recv(65536))
        assert frames[1] == (DATA, b"past\n")


def test_a_client_that_asks_and_never_reads_is_bounded(line: LineProcess) -> None:
    with socket.socket(socket.AF_UNIX) as rude, Watcher(line.socket) as other:
        rude.connect(line.socket)
        rude.settimeout(PATIENCE)
        rude.sendall(encode_json({"mode": "script"}))
        before = memory(line)
        rude.sendall(encode_json({"ask": "status"}) * 50_000)
        other.send(b"x")
        assert line.typed(1) == b"x"
        assert memory(line) < before + (4 << 20)


def memory(line: LineProcess) -> int:
    """Bytes that are the line's own."""
    pages = Path(f"/proc/{line.process.pid}/statm").read_text().split()
    return (int(pages[1]) - int(pages[2])) * os.sysconf("SC_PAGE_SIZE")


def test_a_client_that_says_nothing_gets_nothing_and_disturbs_nobody(line: LineProcess) -> None:
    with socket.socket(socket.AF_UNIX) as silent, Watcher(line.socket) as watcher:
        silent.connect(line.socket)
        line.print(b"output\n")
        watcher.expect("output\n")
        silent.setblocking(False)
        with pytest.raises(BlockingIOError):
            silent.recv(1)


def test_clients_that_have_been_told_everything_wake_nobody(tmp_path: Path) -> None:
    interests = Interests()
    with socket.socket(socket.AF_UNIX) as door, socket.socket(socket.AF_UNIX) as client:
        door.bind(str(tmp_path / "socket"))
        door.listen()
        client.connect(str(tmp_path / "socket"))
        console = Console("uart0", len, lambda: None, lambda _: None, dict, lambda: None)
        clients = Clients(console, door, interests)
        interests.turn(0)
        client.sendall(encode_json({"mode": "watch"}))
        interests.turn(PATIENCE)
        clients.show(b"output")
        assert not clients.behind
        assert interests._selector.select(0) == []
        clients.shut()
        clients.close()
        interests.close()
