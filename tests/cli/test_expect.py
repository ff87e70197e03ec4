"""`caplab send-keys` and `caplab expect` at real lines of a system that is a stand-in."""

import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from caplab.kernel.host.typed import KEPT
from caplab.kernel.host.watcher import Watcher
from caplab.pd.register import Break, Input
from caplab.scripts.cli.keys import typed
from line_process import LineProcess, running_line
from stand_in_control import StandIn


@pytest.fixture
def system(stand_in: Callable[..., StandIn]) -> StandIn:
    return stand_in()


@pytest.fixture
def line(system: StandIn) -> Iterator[LineProcess]:
    with running_line(system.run_dir / "uart0") as line:
        yield line


@pytest.fixture
def second(system: StandIn) -> Iterator[LineProcess]:
    with running_line(system.run_dir / "uart1") as line:
        yield line


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("ps\\r", b"ps\r"),
        ("\\n\\t\\e[A\\a\\b\\0\\\\\\^", b"\n\t\x1b[A\a\b\0\\^"),
        ("^C^d^[^]^?^@", b"\x03\x04\x1b\x1d\x7f\0"),
        ("\\xff\\x0a\\u00e9", b"\xff\n\xc3\xa9"),
        ("grüße\r", "grüße\r".encode()),
        ("\udcff", b"\xff"),
        ("", b""),
    ],
)
def test_keys_are_written_as_people_write_them(text: str, data: bytes) -> None:
    assert typed(text) == data


@pytest.mark.parametrize("text", ["\\", "a\\q", "\\x1", "2^8", "^", "\\u12"])
def test_what_is_no_key_is_refused_with_its_place(
    caplab: Callable, line: object, text: str
) -> None:
    ran = caplab("send-keys", "--", text)
    assert ran.status == 2
    assert "is no key" in ran.err


def test_keys_reach_the_driver_whoever_has_the_keyboard(
    caplab: Callable, line: LineProcess
) -> None:
    with Watcher(line.socket, mode="console"):
        assert caplab("send-keys", "uart0", "ps\\r", "^C") == (0, "", "")
        assert line.typed(4) == b"ps\r\x03"
        assert caplab("send-keys", "-l", "a\\r^C") == (0, "", "")
        assert line.typed(5) == b"a\\r^C"
        assert caplab("send-keys", "-l", "\udcff") == (0, "", "")
        assert line.typed(1) == b"\xff"


def test_a_break_is_sent_behind_the_keys(caplab: Callable, line: LineProcess) -> None:
    assert caplab("send-keys", "--break", "x").status == 0
    came: list[Input] = []
    while Break() not in came:
        came += line.input()
    assert came == [b"x", Break()]


def test_keys_that_nobody_takes_are_counted(caplab: Callable, line: LineProcess) -> None:
    ran = caplab("send-keys", "x" * (8 * KEPT))
    assert ran.status == 1
    assert re.search(r"\d+ of 524288 bytes were dropped: nobody reads uart0", ran.err)


def test_what_was_printed_before_is_found_and_printed_without_colours(
    caplab: Callable, line: LineProcess
) -> None:
    with Watcher(line.socket) as watcher:
        line.print(b"\x1b[31mHello\x1b[0m \x1b[32mworld\x1b[0m\r\nmore\r\n")
        watcher.expect("more")
    assert caplab("expect", "uart0", "^Hello w.*d$") == (0, "Hello world\n", "")
    assert caplab("expect", "--raw", r"\x1b\[32mw") == (0, "\x1b[32mw\n", "")


def test_with_new_only_what_comes_counts(caplab: Callable, line: LineProcess) -> None:
    with Watcher(line.socket) as watcher:
        line.print(b"one\r\ntwo\r\n")
        watcher.expect("two")
        ran = caplab("expect", "--new", "one", "--timeout", "0.1")
        assert ran.status == 1
        assert "uart0 did not print 'one' within 0.1 s." in ran.err
        assert "It printed nothing." in ran.err


def test_what_is_not_printed_in_time_exits_1_and_quotes_the_last_lines(
    caplab: Callable, line: LineProcess
) -> None:
    with Watcher(line.socket) as watcher:
        line.print(b"".join(b"line %d\r\n" % number for number in range(9)) + b"\x07prompt> ")
        watcher.expect("prompt")
    ran = caplab("expect", "absent", "--timeout", "0")
    assert ran.status == 1
    assert ran.out == ""
    lines = ran.err.splitlines()[1:]
    said = [f"  line {number}" for number in range(5, 9)]
    assert lines == ["  It printed last:", *said, "  \N{REPLACEMENT CHARACTER}prompt> "]


def test_keys_may_be_sent_and_their_answer_expected_in_one_go(
    caplab: Callable, line: LineProcess
) -> None:
    with Watcher(line.socket) as watcher, ThreadPoolExecutor() as pool:
        line.print(b"42\r\n")
        watcher.expect("42")
        asked = pool.submit(caplab, "expect", "--send", "6*7\\r", r"^\d+$")
        assert line.typed(4) == b"6*7\r"
        line.print(b"answer:\r\n43\r\n")
        assert asked.result() == (0, "43\n", "")


def test_a_bad_regex_exits_2_and_points_at_the_mistake(caplab: Callable, line: object) -> None:
    ran = caplab("expect", "uart0", "a(b")
    assert ran.status == 2
    assert ran.err.splitlines()[1:] == ["  a(b", "   ^"]


def test_a_system_that_goes_down_meanwhile_exits_3(caplab: Callable, line: LineProcess) -> None:
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(caplab, "expect", "--send", "x", "never")
        assert line.typed(1) == b"x"
        line.print(b"last words\r\n")
        line.hang_up()
        ran = waiting.result()
    assert ran.status == 3
    assert "went down before uart0 printed 'never'" in ran.err
    assert "last words" in ran.err


def test_of_several_uarts_one_must_be_named(
    caplab: Callable, line: LineProcess, second: LineProcess
) -> None:
    for words in (["expect", "x"], ["send-keys", "x"]):
        ran = caplab(*words)
        assert ran.status == 2
        assert "several UARTs: uart0, uart1" in ran.err
    assert caplab("send-keys", "uart1", "x").status == 0
    assert second.typed(1) == b"x"
    second.print(b"from the second")
    assert caplab("expect", "uart1", "second").out == "second\n"
    ran = caplab("expect", "uart1", "the", "second")
    assert (ran.status, "expect takes one REGEX" in ran.err) == (2, True)
    ran = caplab("expect", "uart2", "x")
    assert ran.status == 2
    assert "Did you mean uart" in ran.err


def test_bytes_that_are_no_text_are_matched_and_printed_as_they_are(
    line: LineProcess, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    from caplab.scripts.cli.main import guarded

    line.print(b"\xff\xfe\x00end\n")
    assert guarded(["expect", r"\xff.*end"]) == 0
    assert capfdbinary.readouterr().out == b"\xff\xfe\x00end\n"


def test_ps_shows_each_uart_and_what_was_dropped(
    caplab: Callable, line: LineProcess, second: LineProcess
) -> None:
    with Watcher(line.socket, mode="console", who="process 7"), Watcher(second.socket) as other:
        line.print(b"twelve bytes")
        other.send(b"x" * (8 * KEPT))
        other.status()
        document = json.loads(caplab("ps", "--format", "json").out)
        told = {uart["uart"]: uart for uart in document["uarts"]}
        assert told["uart0"]["writer"] == "process 7"
        dropped = told["uart1"]["input_dropped"]
        assert dropped > 0
        table = caplab("ps").out.splitlines()[-3:]
        assert table[0].split() == [
            *("UART", "PTY", "KEYBOARD", "CONSOLES", "PRINTED", "TYPED", "DROPPED")
        ]
        assert table[1].split() == ["uart0", line.tty, "process", "7", "1", "12", "0", "-"]
        assert table[2].split()[1:] == [
            second.tty,
            "-",
            "1",
            "0",
            f"{8 * KEPT}",
            f"{dropped}",
            "typed",
        ]


def test_an_escape_key_that_is_none_is_refused_before_anything_is_started(
    caplab: Callable, line: LineProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAPLAB_ESCAPE", "f1")
    for words in (["console"], ["up", "hello", "-c"]):
        ran = caplab(*words)
        assert ran.status == 2
        assert "is not an escape key" in ran.err


@pytest.mark.parametrize("words", [["expect", "x"], ["send-keys", "x"]])
def test_without_a_system_both_exit_3(caplab: Callable, words: list[str]) -> None:
    assert caplab(*words).status == 3
