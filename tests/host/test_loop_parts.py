"""Messages of more parts than two: a fault of who sends them, and nobody else's loss."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from caplab.kernel.abi import HEADER_SIZE
from caplab.kernel.core.events import BadFrame, Syscall
from loop_lab import FakeKernel, LoopLab, echo

LONG = b"as long as a header and more".ljust(HEADER_SIZE + 8, b".")
"""What the loop takes for a system call; shorter ones have a way of their own."""
MINE = b"what an honest neighbour has to say".ljust(HEADER_SIZE + 8, b".")
OWN, ACCOMPLICE = b"own id", b"id of another of its threads"

BREAKERS = {
    "an unknown part": [LONG, b"x"],
    "an empty part": [LONG, b""],
    "its own id": [LONG, OWN],
    "an accomplice's id": [LONG, ACCOMPLICE],
    "an id's worth of nonsense and more": [LONG, b"n" * 16, b"x"],
    "many parts": [LONG, b"x", b"y", b"z"],
    "short ones": [b"x", b"y"],
    "its own id first": [OWN, b"x"],
    "an accomplice's id first": [ACCOMPLICE, b"x"],
    "its own id first, and many": [OWN, b"x", b"y"],
}


class Scene:
    """A PD of two threads that breaks the rules with the first, and a neighbour that does not."""

    def __init__(self, lab: LoopLab) -> None:
        self.lab = lab
        self.own, self.accomplice = lab.pd(1, 1, 11)
        (neighbour,) = lab.pd(2, 2)
        self.peer, self.neighbour = lab.peer(self.own), lab.peer(neighbour)
        self.thread = lab.peer(self.accomplice)
        for peer in (self.peer, self.thread, self.neighbour):
            peer.send(LONG)  # introduced, from here on
            assert peer.recv() == LONG

    def says(self, parts: list[bytes]) -> None:
        ids = {OWN: self.own, ACCOMPLICE: self.accomplice}
        self.peer.send_multipart([ids.get(part, part) for part in parts])

    def blamed(self) -> set[int]:
        return {event.tcb for event in self.lab.kernel.events if isinstance(event, BadFrame)}


@pytest.fixture
def scene(runtime_dir: Path) -> Iterator[Scene]:
    with LoopLab(runtime_dir, FakeKernel(echo)) as lab:
        yield Scene(lab)


@pytest.mark.parametrize("parts", BREAKERS.values(), ids=BREAKERS)
def test_a_part_too_many_costs_nobody_else_a_message(scene: Scene, parts: list[bytes]) -> None:
    for _ in range(5):
        scene.says(parts)
        for _ in range(3):
            scene.neighbour.send(MINE)
            assert scene.neighbour.recv() == MINE
    assert scene.blamed() <= {1, 11}
    heard = [call for call in scene.lab.kernel.seen(Syscall) if call.tcb == 2]
    assert {call.frame for call in heard} == {LONG, MINE}


@pytest.mark.parametrize("parts", BREAKERS.values(), ids=BREAKERS)
def test_who_sends_a_part_too_many_is_blamed(scene: Scene, parts: list[bytes]) -> None:
    scene.neighbour.send(MINE)
    scene.neighbour.recv()
    scene.says(parts)
    while not scene.blamed():
        scene.neighbour.send(MINE)  # what follows shows that there was a part too many
        assert scene.neighbour.recv() == MINE
    assert scene.blamed() == {1}


@pytest.mark.parametrize("parts", BREAKERS.values(), ids=BREAKERS)
def test_the_bell_is_heard_after_a_part_too_many(scene: Scene, parts: list[bytes]) -> None:
    for number in range(5):
        scene.says(parts)
        assert scene.lab.call(lambda number=number: number) == number


@pytest.mark.parametrize("parts", BREAKERS.values(), ids=BREAKERS)
def test_a_newcomer_is_heard_after_a_part_too_many(scene: Scene, parts: list[bytes]) -> None:
    (newcomer,) = scene.lab.pd(3, 3)
    scene.says(parts)
    peer = scene.lab.peer(newcomer)
    peer.send(MINE)
    assert peer.recv() == MINE
    assert 3 not in scene.blamed()


def test_who_hangs_up_after_a_part_too_many_leaves_nobody_else_to_blame(scene: Scene) -> None:
    for parts in BREAKERS.values():
        scene.says(parts)
    scene.peer.close()
    for _ in range(20):
        scene.neighbour.send(MINE)
        assert scene.neighbour.recv() == MINE
    assert scene.blamed() <= {1, 11}


def test_a_short_message_of_two_parts_is_the_kernels_to_judge(scene: Scene) -> None:
    scene.peer.send(b"short")
    assert scene.peer.recv() == b"short"
    scene.peer.send(b"")
    assert scene.peer.recv() == b""
    assert not scene.blamed()
