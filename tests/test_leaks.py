"""The baseline check itself: each kind of thing a test could leave behind is seen."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import leaks
from caplab.kernel.host import rundir

ORPHAN = """
import os, sys
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.write(1, b"%d\\n" % os.getpid())
        os.read(0, 1)  # until the test closes its end
    os._exit(0)
os.wait()
"""


@pytest.fixture
def before(runtime_dir: Path) -> leaks.Snapshot:
    leaks.adopt_orphans()
    return leaks.Snapshot.take(runtime_dir)


@pytest.fixture
def segment(runtime_dir: Path) -> Iterator[Path]:
    path = leaks.SHM / f"{rundir.new_prefix()}1"
    path.touch()
    yield path
    path.unlink(missing_ok=True)


def test_nothing_started_is_nothing_left(before: leaks.Snapshot, runtime_dir: Path) -> None:
    assert leaks.settled(before, runtime_dir) == {}


def test_a_daemon_with_its_own_session_is_seen_and_ended(
    before: leaks.Snapshot, runtime_dir: Path
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", ORPHAN], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        daemon = parent.stdout.readline().decode().strip()
        assert parent.wait() == 0
        left = leaks.settled(before, runtime_dir, patience=0)
        assert [line.split()[0] for line in left["processes"]] == [daemon]
        leaks.end_leftovers(before, runtime_dir)
        assert "processes" not in leaks.Snapshot.take(runtime_dir).less(before)


def test_a_process_that_is_about_to_end_is_waited_for(
    before: leaks.Snapshot, runtime_dir: Path
) -> None:
    process = subprocess.Popen([sys.executable, "-c", "import zmq"])
    assert leaks.settled(before, runtime_dir) == {}
    process.wait()


def test_a_segment_is_seen(before: leaks.Snapshot, runtime_dir: Path, segment: Path) -> None:
    assert leaks.settled(before, runtime_dir) == {"segments": [segment.name]}
    leaks.end_leftovers(before, runtime_dir)
    assert not segment.exists()


def test_a_file_in_the_runtime_directory_is_seen(before: leaks.Snapshot, runtime_dir: Path) -> None:
    (runtime_dir / "caplab" / "hello").mkdir(parents=True)
    assert leaks.settled(before, runtime_dir) == {"files": ["caplab/hello"]}


def test_a_descriptor_is_seen(before: leaks.Snapshot, runtime_dir: Path) -> None:
    with open("/dev/null", "rb") as opened:
        left = leaks.settled(before, runtime_dir)
        assert left == {"descriptors": [f"{opened.fileno()} -> /dev/null"]}


def test_the_fixture_fails_a_test_that_leaks(pytester: pytest.Pytester) -> None:
    source = Path(__file__).parent
    pytester.makeconftest((source / "conftest.py").read_text())
    pytester.makepyfile("def test_it(baseline): global kept; kept = open('/dev/null')")
    pytester.makeini(f"[pytest]\npythonpath = {source / 'support'}")
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*left behind: {'descriptors': *'* -> /dev/null'*"])


def test_segments_of_a_system_that_others_run_are_not_ours(
    tmp_path: Path, segment: Path, runtime_dir: Path
) -> None:
    assert segment.name in leaks.segments(runtime_dir)
    assert segment.name not in leaks.segments(tmp_path)
