"""The console client's library, against a real line and against a line that misbehaves."""

import re
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from caplab.kernel.host import watcher as watcher_module
from caplab.kernel.host.console_wire import DATA, JSON, FramingError, encode, encode_json
from caplab.kernel.host.watcher import (
    ConsoleEnded,
    ConsoleError,
    ExpectTimeout,
    InputLost,
    Lost,
    Output,
    Watcher,
)
from line_process import PATIENCE, LineProcess, running_line

WELCOME = encode_json({"uart": "uart0", "tty": "/dev/pts/7"})


@pytest.fixture
def line(baseline: None, runtime_dir: Path) -> Iterator[LineProcess]:
    with running_line(runtime_dir / "uart0") as line:
        yield line


@pytest.fixture
def door(baseline: None, runtime_dir: Path) -> Iterator[socket.socket]:
    """Where a line would listen."""
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(runtime_dir / "socket"))
        door.listen()
        yield door
    (runtime_dir / "socket").unlink()


def watched(door: socket.socket, *sent: bytes) -> Watcher:
    """A client of a line that says all it will ever say at once."""

    def say() -> None:
        connection, _ = door.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(b"".join(sent))

    speaker = threading.Thread(target=say)
    speaker.start()
    try:
        return Watcher(door.getsockname(), timeout=PATIENCE)
    finally:
        speaker.join()


def test_expect_reads_up_to_the_match_and_leaves_the_rest(line: LineProcess) -> None:
    with Watcher(line.socket) as watcher:
        line.print(b"one 1\ntwo 22\nthree")
        assert watcher.expect(r"two (\d+)\n").group(1) == b"22"
        assert watcher.expect(b"thr").group() == b"thr"
        assert watcher.read(PATIENCE) == b"ee"


def test_expect_finds_what_arrives_in_pieces(line: LineProcess) -> None:
    with Watcher(line.socket) as watcher:
        line.print(b"hel")
        with pytest.raises(ExpectTimeout):
            watcher.expect("hello", timeout=0)
        line.print(b"lo wor")
        line.print(b"ld\n")
        assert watcher.expect(re.compile(rb"hello w.*\n")).group() == b"hello world\n"


def test_an_expectation_keeps_no_more_than_its_bound_of_what_does_not_match(
    line: LineProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher_module, "UNMATCHED_MAX", 100)
    with Watcher(line.socket) as watcher:
        line.print(b"begin" + b"x" * 200)
        with pytest.raises(ExpectTimeout):
            watcher.expect("begin.*end", timeout=0.1)
        line.print(b"end")
        with pytest.raises(ExpectTimeout) as unmet:
            watcher.expect("begin.*end", timeout=0.1)
        assert unmet.value.came == b"x" * 97 + b"end"


def test_an_unmet_expectation_says_what_came_and_keeps_it(line: LineProcess) -> None:
    with Watcher(line.socket) as watcher:
        line.print(b"something else\n")
        with pytest.raises(
            ExpectTimeout, match=r"uart0 did not print b'hello' in 0\.2 s(.|\n)*else"
        ):
            watcher.expect("hello", timeout=0.2)
        assert watcher.expect("something", timeout=0).group() == b"something"


def test_the_end_of_the_line_ends_an_expectation(line: LineProcess) -> None:
    with Watcher(line.socket) as watcher:
        line.print(b"last words\n")
        line.cable.close()
        with pytest.raises(ConsoleEnded, match=r"before the system went down(.|\n)*last words"):
            watcher.expect("hello")
        assert watcher.read() == b"last words\n"
        assert watcher.read() == b""
        assert watcher.ended


class Chatter(Watcher):
    """A console that has printed something whenever one looks."""

    def read(self, timeout: float | None = None) -> bytes:
        return b"tick\n"


def test_a_console_that_never_falls_silent_does_not_outlast_the_limit(line: LineProcess) -> None:
    with Chatter(line.socket) as watcher, pytest.raises(ExpectTimeout):
        watcher.expect("tock", timeout=0.1)


@pytest.mark.parametrize("timeout", [1e10, float("inf")])
def test_who_waits_longer_than_linux_can_waits_for_ever(line: LineProcess, timeout: float) -> None:
    with Watcher(line.socket) as watcher, ThreadPoolExecutor() as pool:
        found = pool.submit(watcher.expect, "hello", timeout)
        line.print(b"hello\n")
        assert found.result(PATIENCE).group() == b"hello"
        found = pool.submit(watcher.expect, "never", timeout)
        line.cable.close()
        with pytest.raises(ConsoleEnded):
            found.result(PATIENCE)


def test_reading_waits_no_longer_than_asked(line: LineProcess) -> None:
    nothing = pytest.raises(TimeoutError, match="uart0 printed nothing in 0")
    with Watcher(line.socket) as watcher, nothing:
        watcher.read(0)


def test_a_watcher_in_mode_watch_cannot_type(line: LineProcess) -> None:
    refused = pytest.raises(ValueError, match="mode watch cannot type")
    with Watcher(line.socket, mode="watch") as watcher, refused:
        watcher.send(b"x")


def test_typing_after_the_end_is_a_broken_pipe(line: LineProcess) -> None:
    with Watcher(line.socket) as watcher:
        assert line.hang_up() == 0
        with pytest.raises(BrokenPipeError):
            watcher.send(b"x")


def test_a_line_that_is_not_there_is_an_os_error(runtime_dir: Path, line: LineProcess) -> None:
    with pytest.raises(FileNotFoundError):
        Watcher(str(runtime_dir / "nowhere"))


def test_a_stopped_line_is_a_timeout(door: socket.socket) -> None:
    with pytest.raises(TimeoutError, match="did not answer"):
        Watcher(door.getsockname(), timeout=0.1)


def test_a_line_that_goes_away_before_its_welcome_is_told(door: socket.socket) -> None:
    with pytest.raises(ConsoleError, match="went away") as gone:
        watched(door)
    assert gone.value.code == "gone"


def test_why_a_line_parted_before_it_heard_a_word_is_told(
    door: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    introduce = Watcher._introduce

    def too_late(watcher: Watcher, **wants: object) -> None:
        connection, _ = door.accept()
        with connection:
            connection.sendall(encode_json({"error": {"code": "full", "message": "no seat"}}))
        introduce(watcher, **wants)

    monkeypatch.setattr(Watcher, "_introduce", too_late)
    with pytest.raises(ConsoleError, match="no seat") as refused:
        Watcher(door.getsockname(), timeout=PATIENCE)
    assert refused.value.code == "full"


def test_what_comes_with_the_welcome_is_not_lost(door: socket.socket) -> None:
    with watched(door, WELCOME, encode(DATA, b"past")) as watcher:
        assert watcher.receive() == [Output(b"past")]
        assert (watcher.uart, watcher.tty) == ("uart0", "/dev/pts/7")


def test_a_console_is_attached_when_its_whole_scrollback_is_here(door: socket.socket) -> None:
    welcome = encode_json({"uart": "uart0", "tty": None, "scrollback": 10})
    with ThreadPoolExecutor() as pool:
        attached = pool.submit(Watcher, door.getsockname(), timeout=0.1)
        speaker, _ = door.accept()
        speaker.sendall(welcome + encode(DATA, b"first"))
        with speaker, pytest.raises(TimeoutError, match="did not finish its scrollback"):
            attached.result(PATIENCE)


def test_a_line_that_went_without_reading_what_was_typed_has_ended(door: socket.socket) -> None:
    with ThreadPoolExecutor() as pool:
        attached = pool.submit(Watcher, door.getsockname(), timeout=PATIENCE)
        speaker, _ = door.accept()
        with speaker:
            speaker.recv(1000)
            speaker.sendall(WELCOME)
            watcher = attached.result(PATIENCE)
            watcher.send(b"unread")
    with watcher:
        assert watcher.read(PATIENCE) == b""
        assert watcher.ended


def test_a_line_that_is_asked_and_does_not_answer_is_told(door: socket.socket) -> None:
    with ThreadPoolExecutor() as pool:
        attached = pool.submit(Watcher, door.getsockname(), timeout=0.1)
        speaker, _ = door.accept()
        with speaker:
            speaker.sendall(WELCOME)
            watcher = attached.result(PATIENCE)
            with pytest.raises(TimeoutError, match="does not answer"):
                watcher.status()
            watcher.post(b"x" * (1 << 20))  # which does not wait
            assert watcher.unsent > 0
            with pytest.raises(TimeoutError, match="has not taken"):
                watcher.send(b"x")
            speaker.shutdown(socket.SHUT_WR)
            watcher._unsent.clear()
            speaker.recv(1 << 20)
            with pytest.raises(BrokenPipeError, match="has ended"):
                watcher.status()
    watcher.close()


def test_losses_are_told_in_their_place_and_added_up(door: socket.socket) -> None:
    frames = [
        encode(DATA, b"before"),
        encode_json({"lost": 3}),
        encode(DATA, b"after"),
        encode_json({"input_lost": 2}),
        encode_json({"lost": 4}),
    ]
    with watched(door, WELCOME, *frames) as watcher:
        assert watcher.receive() == [
            Output(b"before"),
            Lost(3),
            Output(b"after"),
            InputLost(2),
            Lost(4),
        ]
        assert (watcher.lost, watcher.input_lost) == (7, 2)


@pytest.mark.parametrize(
    "sent",
    [
        [encode(DATA, b"no welcome")],
        [encode(DATA, b'{"uart": "uart0", "tty": null}')],
        [b"HTTP/1.1 400 Bad Request\r\n"],
        [WELCOME, encode_json({"unheard": "of"})],
        [WELCOME, encode(JSON, b"[]")],
    ],
)
def test_a_line_that_breaks_the_rules_is_told_from_its_console(
    door: socket.socket, sent: list[bytes]
) -> None:
    with pytest.raises(FramingError), watched(door, *sent) as watcher:
        watcher.receive()


def test_a_refusal_after_the_welcome_is_an_error(door: socket.socket) -> None:
    refusal = encode_json({"error": {"code": "protocol", "message": "no such thing"}})
    refused = pytest.raises(ConsoleError, match="no such thing")
    with watched(door, WELCOME, refusal) as watcher, refused:
        watcher.read(PATIENCE)
