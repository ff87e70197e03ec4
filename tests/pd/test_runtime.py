"""How a PD ends: its first TCB's outcome, as an exit status and as a fault."""

import threading

import pytest

from caplab.kernel.abi import BODY_MAX, HEADER_SIZE, FaultLabel, Status, Sys
from caplab.pd import runtime, stubs
from caplab.pd.errors import Stop
from fakes import FakeTransport, answer, fake_env


def no_end(status: int) -> None:
    raise AssertionError("the first TCB ends the PD by returning")


def executed(main, transport: FakeTransport | None = None) -> int:
    return runtime.execute(fake_env(transport or FakeTransport()), main, no_end)


@pytest.mark.parametrize(("returned", "status"), [(None, 0), (0, 0), (3, 3), (255, 255)])
def test_what_main_returns_is_the_exit_status(returned, status) -> None:
    transport = FakeTransport()
    assert executed(lambda env: returned, transport) == status
    assert not transport.frames


@pytest.mark.parametrize("returned", ["text", -1, 256, 1.5])
def test_a_main_that_returns_something_else_is_a_fault(returned, capsys) -> None:
    assert executed(lambda env: returned) == 1
    assert "exit status from 0 to 255" in capsys.readouterr().err


def test_exit_gives_its_code_and_text_goes_to_stderr(capsys) -> None:
    assert executed(lambda env: env.exit(7)) == 7

    def quit_with_text(env) -> None:
        raise SystemExit("no such file")

    assert executed(quit_with_text) == 1
    assert capsys.readouterr().err == "no such file\n"


def test_an_exception_is_announced_with_its_traceback_before_the_pd_ends(capsys) -> None:
    transport = FakeTransport()

    def main(env) -> None:
        raise ZeroDivisionError("by zero")

    assert executed(main, transport) == 1
    _, call, _, length, _, label, _ = transport.header
    assert (call, label) == (Sys.FAULT, FaultLabel.USER_EXCEPTION)
    text = transport.frames[0][HEADER_SIZE:].decode()
    assert length == len(text)
    assert text.startswith("Traceback")
    assert text.endswith("ZeroDivisionError: by zero\n")
    assert text.count("File") == 1, "frames of the runtime are told"
    assert capsys.readouterr().err == text


def test_a_fault_longer_than_a_body_is_told_by_its_tail() -> None:
    transport = FakeTransport()

    def main(env) -> None:
        raise ValueError("x" * 100_000)

    executed(main, transport)
    assert transport.header[3] == BODY_MAX


def test_a_fault_that_cannot_be_announced_still_ends_the_pd() -> None:
    def main(env) -> None:
        raise ValueError

    assert executed(main, FakeTransport(answer(Status.STOP))) == 1


def test_stop_runs_the_with_blocks_and_ends_quietly(capsys) -> None:
    parted: list[str] = []

    class Session:
        def __enter__(self) -> None: ...
        def __exit__(self, *exc: object) -> None:
            parted.append("goodbye")

    def main(env) -> None:
        with Session():
            try:
                stubs.yield_(env.utcb().transport)
            except Exception:  # noqa: BLE001  # Stop must pass
                parted.append("swallowed")

    assert executed(main, FakeTransport(answer(Status.STOP))) == 0
    assert parted == ["goodbye"]
    assert capsys.readouterr().err == ""


def test_a_second_stop_during_the_parting_ends_the_pd_too() -> None:
    def main(env) -> None:
        try:
            stubs.yield_(env.utcb().transport)
        finally:
            stubs.yield_(env.utcb().transport)

    stop = answer(Status.STOP)
    assert executed(main, FakeTransport(stop, stop)) == 0


def test_a_requested_exception_is_a_fault_of_that_name(capsys) -> None:
    crash = answer(Status.CRASH, b"exception")
    assert executed(lambda env: env.yield_(), FakeTransport(crash)) == 1
    assert "CrashRequested: an operator asked" in capsys.readouterr().err


class Parked(FakeTransport):
    """Starts entry 1 when it is asked to."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()

    def call(self, frame: bytes, /) -> bytes:
        if self.frames or frame[1] != Sys.PARK:
            return super().call(frame)
        self.frames.append(frame)
        assert self.go.wait(10)
        return answer(label=1, body=bytes(8))


@pytest.mark.parametrize(("error", "status"), [(ValueError, 1), (SystemExit(5), 5)])
def test_an_exception_that_leaves_a_spare_tcb_ends_the_whole_pd(error, status, capsys) -> None:
    ended: list[int] = []
    heard = threading.Event()
    first, spare = FakeTransport(), Parked()
    env = fake_env(first, spare)

    def entry(env, arg: int) -> None:
        raise error

    def end(code: int) -> None:
        ended.append(code)
        heard.set()

    def main(env) -> None:
        env.entry(entry)
        spare.go.set()
        assert heard.wait(10)

    assert runtime.execute(env, main, end) == 0
    assert ended == [status]
    assert not first.frames, "a TCB announces its fault through its own transport"


def test_stop_in_a_spare_tcb_ends_that_tcb_alone() -> None:
    spare = FakeTransport(answer(Status.STOP))
    env = fake_env(FakeTransport(), spare)

    def main(env) -> int:
        env.threads.join(10)
        return 4

    assert runtime.execute(env, main, no_end) == 4


def test_a_stop_leaves_main_as_itself() -> None:
    env = fake_env(FakeTransport(answer(Status.STOP)))
    env.first.enter()
    with pytest.raises(Stop):
        env.sleep(1)


def leaving(main) -> tuple[list[str], int]:
    """What is done at the end of a program, and its status."""
    done: list[str] = []

    def whole(env) -> None:
        for name in ("first", "second", "third"):
            env.at_exit(lambda name=name: done.append(name))
        main(env, done)

    return done, executed(whole)


def quits(env, done: list[str]) -> None:
    env.exit(3)


def stops(env, done: list[str]) -> None:
    raise Stop


@pytest.mark.parametrize(("main", "status"), [(lambda env, done: None, 0), (quits, 3), (stops, 0)])
def test_what_is_to_be_done_at_the_end_is_done_the_last_first(main, status) -> None:
    assert leaving(main) == (["third", "second", "first"], status)


def test_after_a_fault_nothing_is_done(capsys) -> None:
    done, status = leaving(lambda env, done: 1 // 0)
    assert (done, status) == ([], 1)


def test_what_fails_at_the_end_keeps_nothing_else_from_being_done() -> None:
    def main(env, done: list[str]) -> None:
        for wrong in (ValueError("oh"), Stop()):
            env.at_exit(lambda wrong=wrong: fails(wrong))

    def fails(wrong: BaseException) -> None:
        raise wrong

    done, status = leaving(main)
    assert (len(done), status) == (3, 0)


def test_what_is_not_to_be_done_any_more_is_not() -> None:
    def main(env, done: list[str]) -> None:
        def never() -> None:
            done.append("never")

        env.at_exit(never)
        env.not_at_exit(never)
        env.not_at_exit(never)

    assert "never" not in leaving(main)[0]
