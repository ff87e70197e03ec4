"""What a forked child finds: descriptors, signals, name, streams."""

import os
import signal
import subprocess
import sys
import textwrap

import pytest

PRELUDE = """
import os, sys
from caplab.kernel.confine.libc import Libc
from caplab.kernel.host.fork import fork, prepare
prepare()
libc = Libc()
"""
BUFFERED = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}


def run(source: str) -> subprocess.CompletedProcess[str]:
    """Run a program that forks, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(source)],
        env=BUFFERED,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_a_child_has_the_descriptors_it_was_given_and_no_others() -> None:
    done = run("""
        pipes = [os.pipe() for _ in range(4)]
        given = {1: 1, 2: 2, 3: pipes[0][0], 4: pipes[1][1], 5: pipes[0][0]}
        def body(fd):
            numbers = [n for n in range(1024) if os.path.exists(f"/proc/self/fd/{n}")]
            links = [os.readlink(f"/proc/self/fd/{n}") for n in (0, 3, 4, 5)]
            print(fd, numbers, links[0], links[1] == links[3] != links[2])
            print([os.get_inheritable(n) for n in range(6)])
            return 0
        os.waitpid(fork(body, given, "child", libc), 0)
    """)
    assert done.stdout.splitlines() == [
        "3 [0, 1, 2, 3, 4, 5] /dev/null True",
        "[True, True, True, False, False, False]",
    ]
    assert done.stderr == ""


def test_descriptors_that_stand_at_each_others_numbers_are_swapped() -> None:
    done = run("""
        a, b = os.open("/dev/zero", os.O_RDONLY), os.open("/dev/full", os.O_RDONLY)
        assert (a, b) == (3, 4)
        def body(fd):
            print([os.readlink(f"/proc/self/fd/{n}") for n in (3, 4)])
            return 0
        os.waitpid(fork(body, {1: 1, 2: 2, 3: 4, 4: 3}, "child", libc), 0)
    """)
    assert done.stdout == "['/dev/full', '/dev/zero']\n"


def test_a_child_exits_with_what_its_body_returns_and_never_comes_back() -> None:
    done = run("""
        import atexit
        atexit.register(print, "the parent's exit")
        pid = fork(lambda fd: 7, {1: 1, 2: 2}, "child", libc)
        print("forked", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    """)
    assert done.stdout == "forked 7\nthe parent's exit\n"


def test_an_exception_in_a_child_is_told_and_does_not_reach_the_parents_code() -> None:
    done = run("""
        def body(fd):
            raise KeyError("lost")
        try:
            pid = fork(body, {1: 1, 2: 2}, "child", libc)
        except KeyError:
            print("it came through")
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    """)
    assert done.stdout == "70\n"
    assert "KeyError: 'lost'" in done.stderr


def test_a_child_carries_its_name_and_writes_line_by_line() -> None:
    done = run("""
        def body(fd):
            print(open("/proc/self/comm").read().strip())
            print("half a line", end="")
            return 0
        os.waitpid(fork(body, {1: 1, 2: 2}, "a-name-that-is-too-long", libc), 0)
    """)
    assert done.stdout == "a-name-that-is-\nhalf a line"


def test_what_a_child_prints_is_out_before_it_is_killed() -> None:
    done = run("""
        import signal
        def body(fd):
            print("printed")
            os.kill(os.getpid(), signal.SIGKILL)
        os.waitpid(fork(body, {1: 1, 2: 2}, "child", libc), 0)
    """)
    assert done.stdout == "printed\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_child_also_when_the_starter_ignored_it(number: signal.Signals) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import signal; signal.signal({int(number)}, signal.SIG_IGN)\n"
            f"signal.pthread_sigmask(signal.SIG_BLOCK, [{int(number)}])"
            + PRELUDE
            + textwrap.dedent(f"""
                def body(fd):
                    os.kill(os.getpid(), {int(number)})
                    return 0
                pid = fork(body, {{1: 1, 2: 2}}, "child", libc)
                print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
            """),
        ],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stdout == f"{-number}\n"


def test_a_broken_pipe_is_an_exception_and_a_crash_leaves_no_core_file() -> None:
    done = run("""
        import resource
        reading, writing = os.pipe()
        os.close(reading)
        def body(fd):
            print(resource.getrlimit(resource.RLIMIT_CORE))
            try:
                os.write(3, b"x")
            except BrokenPipeError:
                return 3
        pid = fork(body, {1: 1, 2: 2, 3: writing}, "child", libc)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    """)
    assert done.stdout == "(0, 0)\n3\n"


def test_a_child_dies_with_its_parent() -> None:
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            PRELUDE
            + textwrap.dedent(f"""
                import signal
                def body(fd):
                    os.write(1, b"up")
                    signal.pause()
                fork(body, {{1: {writing}, 2: 2}}, "child", libc)
                signal.pause()
            """),
        ],
        pass_fds=[writing],
    )
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        assert pipe.read(2) == b"up"
        process.kill()
        process.wait(10)
        assert pipe.read() == b"", "the child lives on"
