"""Threads that compute beside TCBs: who gets the lowest priority, and who keeps its own."""

import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from caplab.kernel.host import hogs
from caplab.kernel.host.hogs import Hogs, Threads, cpu_time, of_process

PROGRAM = """
import hashlib, threading
data = bytes(1 << 20)
def computes():
    while True:
        hashlib.sha256(data).digest()
def waits():
    threading.Event().wait()
for work in (computes, computes, waits):
    threading.Thread(target=work).start()
print(*(thread.native_id for thread in threading.enumerate()), flush=True)
computes()
"""


class Scene:
    """A process that is PD 1: its first thread, two others compute, the last one waits."""

    def __init__(self) -> None:
        self.child = subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE)
        assert self.child.stdout is not None
        self.first, *self.computing, self.waiting = map(int, self.child.stdout.readline().split())
        self.pids = {1: self.child.pid}
        self.lowered: list[int] = []
        self.refuses = False
        self.told: list[int] = []
        self.hogs = Hogs(
            lambda: self.pids,
            self.threads,
            lambda action: action(),
            lambda action: action(),
            self.lower,
        )

    def threads(self, pd: int) -> Threads:
        self.told.append(pd)
        return Threads("hog", self.child.pid, frozenset([self.first]))

    def lower(self, number: int) -> None:
        if self.refuses:
            raise PermissionError
        self.lowered.append(number)

    def look_until(self, count: int) -> None:
        while len(self.lowered) < count:
            self.hogs.look(time.monotonic())

    def close(self) -> None:
        self.child.kill()
        self.child.wait()
        assert self.child.stdout is not None
        self.child.stdout.close()


@pytest.fixture
def scene(baseline: None) -> Iterator[Scene]:
    scene = Scene()
    yield scene
    scene.close()


def test_who_computes_and_is_no_tcb_gives_way_once_and_it_is_said_once(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    scene.look_until(2)
    end = time.monotonic() + 0.1
    while time.monotonic() < end:
        scene.hogs.look(time.monotonic())
    assert sorted(scene.lowered) == sorted(scene.computing)
    assert scene.told == [1]
    assert capsys.readouterr().err.count("kernel: hog computes in threads that are no TCBs") == 1


def test_who_goes_on_with_it_gives_way_as_a_whole(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hogs, "TIMES", 2)
    scene.look_until(4)
    assert sorted(scene.lowered) == sorted([scene.first, *scene.computing, scene.waiting])


def test_a_host_that_does_not_let_us_is_no_error(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    scene.refuses = True
    end = time.monotonic() + 0.1
    while time.monotonic() < end:
        scene.hogs.look(time.monotonic())
    assert capsys.readouterr().err == ""


def test_who_has_ended_is_forgotten(scene: Scene) -> None:
    scene.look_until(1)
    scene.close()
    assert cpu_time(scene.child.pid) == -1
    assert list(of_process(scene.child.pid)) == []
    scene.hogs.look(time.monotonic())
    scene.pids.clear()
    scene.hogs.look(time.monotonic())
    assert scene.hogs._about == scene.hogs._known == scene.hogs._lowered == {}


def test_a_crowd_is_looked_at_less_often(scene: Scene) -> None:
    scene.pids = dict.fromkeys(range(128), scene.child.pid)
    assert scene.hogs.look(time.monotonic()) == pytest.approx(3 * hogs.INTERVAL)


def test_threads_are_known_by_both_their_numbers_and_how_often_they_have_waited(
    scene: Scene,
) -> None:
    found = {thread.own: thread for thread in of_process(scene.child.pid)}
    assert found.keys() == {scene.first, *scene.computing, scene.waiting}
    assert all(thread.number == own for own, thread in found.items())  # without namespaces
    assert found[scene.waiting].waits >= 1
