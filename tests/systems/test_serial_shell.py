"""The interactive shell as a person meets it: `caplab up shell --console`, driven by pexpect."""

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

PROMPT = r"caplab> "


@pytest.fixture
def shell(runtime_dir: Path) -> Iterator[pexpect.spawn]:
    env = {**os.environ, "XDG_RUNTIME_DIR": str(runtime_dir), "TERM": "xterm", "NO_COLOR": "1"}
    child = pexpect.spawn(
        sys.executable,
        ["-m", "caplab", "up", "shell", "--console"],
        env=env,
        encoding="utf-8",
        timeout=30,
        dimensions=(40, 200),
    )
    # What the other client prints comes before the prompt, or between it and its repetition.
    child.expect("Hello world from a PD the shell manages")
    child.expect(PROMPT)
    yield child
    child.close(force=True)


def asked(shell: pexpect.spawn, line: str) -> str:
    """What is shown between a line and the next prompt, without colours."""
    shell.sendline(line)
    shell.expect(PROMPT)
    return re.sub(r"\x1b\[[0-9;]*m", "", shell.before).replace("\r", "")


def test_the_shell_lists_kills_and_is_refused(shell: pexpect.spawn) -> None:
    assert "the PDs this shell manages" in asked(shell, "help")
    shown = asked(shell, "ps")
    assert re.search(r"^victim +waiting", shown, re.MULTILINE), shown
    assert "other" not in shown
    assert "no capability to other, it manages victim, hello" in asked(shell, "kill other")
    assert "hello there" in asked(shell, "echo hello there")
    assert "victim is gone: " in asked(shell, "kill victim")
    assert re.search(r"^victim +killed", asked(shell, "ps"), re.MULTILINE)
    assert "kill: victim has ended already" in asked(shell, "kill victim")
    shell.sendline("exit")
    shell.expect("nothing is left behind")
    shell.expect(pexpect.EOF)


def test_the_shell_ends_at_the_end_of_the_file(shell: pexpect.spawn) -> None:
    shell.send("typo\x15")
    shell.send("\x04")
    shell.expect("nothing is left behind")
    shell.expect(pexpect.EOF)


def test_a_crash_from_the_shell_is_a_fault_with_its_address(shell: pexpect.spawn) -> None:
    assert "victim is gone" in asked(shell, "crash victim segv")
    assert re.search(
        r"^victim +faulted .*FAULT: VM at 0x0 \(read\)", asked(shell, "ps"), re.MULTILINE
    )
    shell.sendline("exit")
    shell.expect("nothing is left behind")
    shell.expect(pexpect.EOF)
