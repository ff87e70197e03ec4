"""Which signals have to be replaced for the first process of a pid namespace."""

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from caplab.kernel.host.first_process import needs_sigkill

PROGRAM = """
import signal, sys
signal.signal(signal.SIGUSR1, lambda *_: None)
signal.signal(signal.SIGUSR2, signal.SIG_IGN)
print(flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def pid() -> Iterator[int]:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid


@pytest.mark.parametrize(
    ("number", "replaced"),
    [
        (signal.SIGTERM, True),
        (signal.SIGSEGV, True),
        (signal.SIGRTMIN, True),
        (signal.SIGUSR1, False),  # handled
        (signal.SIGUSR2, False),  # ignored
        (signal.SIGKILL, False),
        (signal.SIGSTOP, False),
        (signal.SIGCONT, False),
        (signal.SIGWINCH, False),
        (0, False),
    ],
)
def test_a_signal_is_replaced_if_it_would_end_the_process_and_is_neither_handled_nor_ignored(
    pid: int, number: int, replaced: bool
) -> None:
    assert needs_sigkill(pid, number) == replaced


def test_of_a_process_that_cannot_be_looked_at_nothing_is_taken_for_handled() -> None:
    assert needs_sigkill(2**22 + 1, signal.SIGTERM)
