"""MappedFileObject: five interfaces of one object, and pages that its clients share."""

from collections.abc import Iterator

import pytest

from caplab.kernel.abi import PAGE_SIZE
from caplab.pd.idl import BadValue
from caplab.servers.mapped_file import (
    MAP_READ,
    MAP_WRITE,
    NOTIFY_FLUSHED,
    NOTIFY_RESIZED,
    NoSpace,
    TooLong,
    TooManyFiles,
    client_Opener,
)
from caplab.servers.mapped_file.dataspace_client import client_Dataspace
from caplab.servers.mapped_file.flush_client import client_Flush
from caplab.servers.mapped_file.mapped_file_client import client_MappedFile
from caplab.servers.mapped_file.notification_client import client_Notification
from caplab.servers.mapped_file.server import main
from components import serving
from threaded_system import ThreadedSystem


@pytest.fixture
def system() -> Iterator[ThreadedSystem]:
    with serving(lambda env: main(env, files=2), "writer", "reader") as system:
        yield system
        assert not system.faults


def opener(system: ThreadedSystem, name: str) -> client_Opener:
    return client_Opener(system.env(name).endpoint("server"))


def test_what_one_client_writes_into_its_pages_another_reads_in_its_own(
    system: ThreadedSystem,
) -> None:
    written = opener(system, "writer").open("notes", 2 * PAGE_SIZE)
    read = opener(system, "reader").open("notes", 1)
    bell = system.env("reader").notification()
    read.subscribe(bell, NOTIFY_FLUSHED)
    with written.map(0, MAP_READ | MAP_WRITE).open() as mine, read.map(0, MAP_READ).open() as yours:
        mine.write(PAGE_SIZE - 2, b"across")
        assert yours.read(PAGE_SIZE - 2, 6) == b"across"
        assert bell.poll() is None
        assert written.flush(PAGE_SIZE + 4) == PAGE_SIZE + 4
        assert bell.poll() is not None
        assert read.stat() == (PAGE_SIZE + 4, 2 * PAGE_SIZE)
        assert written.resize(PAGE_SIZE - 1) == PAGE_SIZE - 1
        assert yours.read(PAGE_SIZE - 2, 6) == b"a" + bytes(5)


def test_each_of_the_five_interfaces_answers_by_itself(system: ThreadedSystem) -> None:
    file = opener(system, "writer").open("notes", PAGE_SIZE)
    endpoint = file.endpoint  # type: ignore[attr-defined]
    assert client_Flush(endpoint).flush(10) == 10
    assert client_MappedFile(endpoint).mmap(5, 10) == (0, PAGE_SIZE, 10)
    bell = system.env("writer").notification()
    number = client_Notification(endpoint).subscribe(bell, NOTIFY_RESIZED)
    file.resize(0)
    assert bell.poll() is not None
    client_Notification(endpoint).unsubscribe(number)
    client_Notification(endpoint).unsubscribe(number)
    file.resize(1)
    assert bell.poll() is None
    assert client_Dataspace(endpoint).map(0, MAP_READ).length == PAGE_SIZE


def test_what_does_not_fit_is_refused(system: ThreadedSystem) -> None:
    files = opener(system, "writer")
    file = files.open("one", PAGE_SIZE)
    with pytest.raises(TooLong, match="4097 bytes, and there is room for 4096"):
        file.flush(PAGE_SIZE + 1)
    with pytest.raises(NoSpace):
        file.resize(-1)
    for wrong in (
        lambda: file.map(PAGE_SIZE, MAP_READ),
        lambda: file.map(-1, MAP_READ),
        lambda: file.map(0, 0),
        lambda: file.mmap(PAGE_SIZE, 1),
        lambda: file.mmap(0, -1),
    ):
        with pytest.raises(BadValue):
            wrong()
    files.open("two", PAGE_SIZE)
    with pytest.raises(TooManyFiles, match="2 files"):
        files.open("three", PAGE_SIZE)
    assert files.open("one", PAGE_SIZE).stat() == (0, PAGE_SIZE)


def test_what_a_client_subscribed_to_ends_with_it(system: ThreadedSystem) -> None:
    file = opener(system, "writer").open("notes", PAGE_SIZE)
    used = system.envs["server"].slots.used()
    bell = system.env("reader").notification()
    other = opener(system, "reader").open("notes", PAGE_SIZE)
    number = other.subscribe(bell, NOTIFY_FLUSHED)
    file.unsubscribe(number)  # it is not this opening's
    file.flush(1)
    assert bell.poll() is not None
    system.operate(op="kill", pd="reader")
    system.until(lambda: system.envs["server"].slots.used() == used)
    assert file.flush(2) == 2


def test_what_is_no_notification_is_never_signalled(system: ThreadedSystem) -> None:
    file = opener(system, "writer").open("notes", PAGE_SIZE)
    file.subscribe(system.env("writer").memory(), NOTIFY_FLUSHED)
    assert file.flush(1) == 1
