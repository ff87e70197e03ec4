"""What `breakpoint()` does: passed over without a terminal; with one, a prompt that is told of."""

import os
import pty
import sys
import threading
from collections.abc import Iterator

import pytest

from caplab.kernel.abi import REQUEST, At, Sys
from caplab.pd import debugger
from caplab.pd.prompt import Terminal
from fakes import FakeTransport, fake_env


class Desk:
    """A terminal, and who sits at it."""

    def __init__(self) -> None:
        self.master, self.slave = pty.openpty()
        self.seen = b""

    def read_until(self, text: bytes) -> bytes:
        """What is shown up to and with `text`."""
        while text not in self.seen:
            self.seen += os.read(self.master, 4096)
        before, _, self.seen = self.seen.partition(text)
        return before + text

    def close(self) -> None:
        for descriptor in (self.master, self.slave):
            os.close(descriptor)


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    desk.close()


def test_without_a_terminal_a_breakpoint_is_passed_over_with_the_line_to_write(capsys) -> None:
    hook = debugger.hook(fake_env(FakeTransport()))
    hook(header="ignored")
    said = capsys.readouterr().err
    assert f"breakpoint() in {__file__}:" in said
    assert "debug: true" in said
    assert "caplab up --debug" in said


def test_the_prompt_stops_at_the_next_line_and_the_kernel_is_told_of_each_stop(desk: Desk) -> None:
    transport = FakeTransport()
    env = fake_env(transport, terminal=desk.slave)
    hook = debugger.hook(env)
    found = []
    # From Python 3.13 on it stops at the breakpoint itself.
    past = (b"next",) if sys.version_info >= (3, 13) else ()

    def program() -> None:
        value = 41
        hook(header="look here")
        value += 1
        found.append(value)

    def typist() -> None:
        shown.append(desk.read_until(b"(Pdb) "))
        for line in (*past, b"p value", b"next", b"value = 7", b"continue"):
            os.write(desk.master, line + b"\n")
            if line != b"continue":
                shown.append(desk.read_until(b"(Pdb) "))

    shown: list[bytes] = []
    thread = threading.Thread(target=typist)
    thread.start()
    before = sys.gettrace()
    env.first.enter()
    try:
        program()
    finally:
        sys.settrace(before)
    thread.join()
    assert b"look here" in shown[0]
    shown = shown[len(past) :]
    assert b"-> value += 1" in shown[0]
    assert b"41" in shown[1]
    assert b"-> found.append(value)" in shown[2]
    assert found == [7]
    calls = [REQUEST.unpack_from(frame) for frame in transport.frames]
    assert [label for _, call, _, _, _, label, _ in calls if call == Sys.DEBUG] == [
        At.BREAKPOINT,
        At.NOTHING,
        *(At.STEP, At.NOTHING) * (1 + len(past)),
    ]


def test_what_has_no_end_of_line_becomes_the_prompt(desk: Desk) -> None:
    terminal = Terminal(desk.slave)
    terminal.write("first\nsec")
    assert desk.read_until(b"\n") == b"first\r\n"
    terminal.write("ond> ")
    os.write(desk.master, b"typed \xc3\xa9\n")
    assert terminal.readline() == "typed é\n"
    desk.read_until(b"second> ")
    terminal.write("unasked")
    terminal.finish()
    assert desk.read_until(b"unasked").endswith(b"unasked")


def test_a_terminal_that_has_gone_prints_nothing_and_answers_nothing() -> None:
    master, slave = pty.openpty()
    terminal = Terminal(slave)
    os.close(master)
    terminal.write("nobody reads this\n> ")
    assert terminal.readline() == ""
    os.close(slave)
