"""Fixtures for every test: a private runtime directory, and the baseline check."""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from multiprocessing import resource_tracker
from pathlib import Path

import hypothesis
import pytest

import leaks
import terminal_programs

MISSING_PROGRAM = re.compile(rf"(\S+) {terminal_programs.MISSING}")
pytest_plugins = ["pytester"]

# Always the same examples, so that a red run is red again, here and elsewhere; CI looks longer.
# Those of `nox -s fuzz` are new each time (support/drawn.py).
hypothesis.settings.register_profile("ci", derandomize=True, max_examples=300, deadline=None)
hypothesis.settings.register_profile("here", derandomize=True, deadline=None)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") == "true" else "here")


@pytest.fixture
def runtime_dir(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """This test's own XDG_RUNTIME_DIR: 0700 and short, since socket paths end at 107 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="cl", dir="/tmp"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    monkeypatch.delenv("CAPLAB_SYSTEM", raising=False)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def baseline(runtime_dir: Path) -> Iterator[None]:
    """After the test there is no process, segment, file or descriptor that was not there before."""
    leaks.adopt_orphans()
    # Python's own helper starts with the first segment a process opens, and stays.
    resource_tracker.ensure_running()
    before = leaks.Snapshot.take(runtime_dir)
    yield
    left = leaks.settled(before, runtime_dir)
    if left:
        leaks.end_leftovers(before, runtime_dir)
        pytest.fail(f"left behind: {left}", pytrace=False)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Names the programs that tests would have tried and that are not installed."""
    reasons = (str(report.longrepr) for report in terminalreporter.stats.get("skipped", ()))
    missing = {found[1] for reason in reasons if (found := MISSING_PROGRAM.search(reason))}
    if missing:
        terminalreporter.write_line(f"Not installed, so not tried: {', '.join(sorted(missing))}.")
