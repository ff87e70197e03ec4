"""What `console:` in a manifest says of a client: escapes, prefix, buffering."""

from typing import Any

import pytest

from caplab.servers.serial import Serial
from caplab.servers.serial.buffering import KINDS
from threaded_system import ThreadedSystem, client_pd, serial_pd


def client(**console: Any) -> dict[str, Any]:
    return client_pd("a") | {"console": console}


@pytest.mark.parametrize("kind", KINDS)
def test_escape_sequences_reach_the_terminal_only_of_a_client_that_may(kind: str) -> None:
    pieces = (b"a\x1b[3", b"1mb\x1b]0;tit", b"le\x07c\xc2", b"\x9b2Jd\n")
    for escapes, printed in ((False, b"abcd\r\n"), (True, b"".join(pieces)[:-1] + b"\r\n")):
        may = client(escapes=escapes, buffering=kind)
        with ThreadedSystem(serial_pd(colour=False), may) as system:
            with Serial.connect(system.env("a").endpoint("console")) as out:
                for piece in pieces:
                    out.write(piece)
            assert system.uarts["uart0"].read_all() == printed


def test_a_prompt_commands_the_terminal_only_of_a_client_that_may() -> None:
    prompt = "\x1b]0;title\x07name?\n\x1b[2J> "
    for escapes, shown in ((False, b"name?\r\n> "), (True, b"\x1b]0;title\x07name?\r\n\x1b[2J> ")):
        with ThreadedSystem(serial_pd(colour=False), client(escapes=escapes)) as system:
            with Serial.connect(system.env("a").endpoint("console")) as out:
                system.uarts["uart0"].type(b"x\r")
                assert out.read_line(prompt) == "x"
            assert system.uarts["uart0"].read_all() == shown + b"x\r\n"


def test_a_prompt_neither_ends_nor_is_changed_by_what_is_printed_before() -> None:
    with ThreadedSystem(serial_pd(colour=False), client()) as system:
        with Serial.connect(system.env("a").endpoint("console")) as out:
            system.uarts["uart0"].type(b"x\r")
            out.write("begun \x1b[3")
            assert out.read_line("8 > ") == "x"
            out.write("1mended\n")
        assert system.uarts["uart0"].read_all() == b"begun 8 > x\r\nended\r\n"


@pytest.mark.parametrize("kind", KINDS)
def test_a_prefix_says_when_and_who_at_the_start_of_each_line(kind: str) -> None:
    with ThreadedSystem(serial_pd(colour=False), client(prefix=True, buffering=kind)) as system:
        system.advance(2.5)
        with Serial.connect(system.env("a").endpoint("console")) as out:
            out.write("one\ntw")
            out.write("o\n")
        stamp = b"[    2.500] a | "
        assert system.uarts["uart0"].read_all() == stamp + b"one\r\n" + stamp + b"two\r\n"


def test_colours_are_round_each_piece_and_the_filter_leaves_them() -> None:
    with ThreadedSystem(serial_pd(), client(prefix=True)) as system:
        with Serial.connect(system.env("a").endpoint("console")) as out:
            out.write("\x1b[2Jred\n")
        printed = system.uarts["uart0"].read_all()
    assert printed == b"\x1b[0m\x1b[33m[    0.000] a | red\r\n\x1b[0m"


def test_a_ring_is_as_large_as_there_is_memory_for() -> None:
    poor = client(buffering="ring") | {"untyped": 80 << 10}
    with ThreadedSystem(serial_pd(colour=False), poor) as system:
        out: Any = Serial.connect(system.env("a").endpoint("console"))
        assert out._out.memory.size == 64 << 10
        out.write("enough\n")
        out.disconnect()
        assert system.uarts["uart0"].read_all() == b"enough\r\n"
