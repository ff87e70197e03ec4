"""Messages that a PD could provoke again and again."""

import pytest

from caplab.kernel.host.seldom import PAUSE, Seldom


def test_what_happens_again_and_again_is_said_seldom_and_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    now = [5.0]
    seldom = Seldom(lambda: now[0])
    for number in range(3):
        seldom.say(f"number {number}")
    assert capsys.readouterr().err == "kernel: number 0\n"
    now[0] += PAUSE
    seldom.say("number 3")
    now[0] += PAUSE
    seldom.say("number 4")
    assert capsys.readouterr().err == (
        "kernel: number 3 (2 times more meanwhile)\nkernel: number 4\n"
    )
