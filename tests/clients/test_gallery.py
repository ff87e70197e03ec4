"""The judge at work, on the real kernel by threads: whom it believes, and when it fails."""

from collections.abc import Callable

import pytest

from caplab import Env, PeerDied
from caplab.clients.hostile import gallery, report, stages
from caplab.clients.hostile.attack import Attack, Contained, GotThrough, Order
from caplab.clients.hostile.judging import Say, tell
from caplab.clients.hostile.main import main as attacker
from caplab.clients.hostile.table import BY_NAME
from threaded_system import ThreadedSystem

Act = Callable[[Env, Order], None]
USES = {"gallery": "gallery"}


def contained(env: Env, order: Order) -> None:
    raise Contained("it says so itself")


def through(env: Env, order: Order) -> None:
    raise GotThrough("a secret")


def refused(env: Env, order: Order) -> None:
    env.endpoint("gallery").recv(timeout=0.1)


def deadly(env: Env, order: Order) -> None:
    raise ValueError("the end of the PD")


def victim(wrong: int) -> Callable[[Env], None]:
    """A victim that had so many wrong answers, always."""

    def main(env: Env) -> None:
        try:
            while True:
                tell(env, Say.BEAT, name=env.name, calls=1, wrong=wrong, longest=10)
        except PeerDied:
            pass

    return main


class Trial:
    """The gallery over a table of one attack."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def __call__(self, act: Act, *, wrong: int = 0, made: bool = True, **more: str) -> int:
        """Hold it, and what the judge exits with; `text` is its report then."""
        attack = Attack(1, "sample", "wire", "nothing at all", act, **more)
        self._monkeypatch.setitem(BY_NAME, "sample", attack)
        for module in (gallery, report):
            self._monkeypatch.setattr(module, "ATTACKS", (attack,))
        system = ThreadedSystem(
            {"name": "victim", "uses": USES, "main": victim(wrong)},
            {
                "name": "attacker",
                "uses": USES,
                "main": attacker,
                "args": {"attacks": ["sample"] if made else []},
            },
            {
                "name": "gallery",
                "serves": "endpoint",
                "role": "server",
                "manages": ["victim", "attacker"],
                "main": gallery.main,
                "args": {"victims": ["victim"]},
            },
        )
        with system:
            system.until(lambda: system.root.latest["gallery"].ended)
            self.text = self._capsys.readouterr().out
            return int(system.root.latest["gallery"].exit_code)


@pytest.fixture
def trial(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Trial:
    return Trial(monkeypatch, capsys)


def test_where_all_is_stopped_and_nobody_disturbed_the_judge_is_content(trial: Trial) -> None:
    assert trial(contained) == 0
    assert "it says so itself" in trial.text
    assert "1 attacks, nothing got through." in trial.text


def test_what_the_kernel_refuses_is_named(trial: Trial) -> None:
    assert trial(refused) == 0
    assert "INVALID_CAPABILITY" in trial.text


def test_an_attacker_is_believed_that_it_got_through(trial: Trial) -> None:
    assert trial(through) == 1
    assert "GOT THROUGH: a secret (should be stopped by: nothing at all)" in trial.text


def test_what_a_victim_noticed_outweighs_what_the_attacker_says(trial: Trial) -> None:
    assert trial(contained, wrong=1) == 1
    assert "GOT THROUGH: it says so itself; victim got" in trial.text


def test_what_the_judge_sees_outweighs_what_the_attacker_says(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoilt = stages.Stage(damage=lambda: "the judge's page has changed")
    monkeypatch.setattr(stages, "build", lambda kind, env: spoilt)
    assert trial(contained) == 1
    assert "the judge's page has changed" in trial.text


def test_who_dies_for_the_reason_in_the_table_was_stopped(trial: Trial) -> None:
    assert trial(deadly, ends="exit code 1") == 0  # how a thread's PD ends of an exception
    assert "exited: exit code 1" in trial.text


def test_who_dies_of_anything_else_was_not(trial: Trial) -> None:
    assert trial(deadly, ends="SIGSYS") == 1
    assert trial(deadly) == 1
    assert "GOT THROUGH: it ended otherwise" in trial.text


def test_an_attack_that_was_never_made_is_a_failure(trial: Trial) -> None:
    assert trial(contained, made=False) == 1
    assert "IT WAS NEVER MADE" in trial.text
