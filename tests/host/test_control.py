"""The control socket, with the test as the kernel behind it."""

import json
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from caplab.kernel.host.control import (
    ASKED_MAX,
    CLIENTS_MAX,
    LINE_MAX,
    TRACE_MAX,
    UNREAD_MAX,
    Control,
)
from caplab.kernel.host.doorbell import Doorbell

PATIENCE = 10.0


class Client:
    """An operator: writes lines, reads lines."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(str(path))
        self._lines = self.socket.makefile("rb")

    def say(self, data: dict[str, Any] | bytes) -> None:
        self.socket.sendall(data if isinstance(data, bytes) else json.dumps(data).encode() + b"\n")

    def hear(self) -> dict[str, Any] | None:
        """The next line; None at the end."""
        line = self._lines.readline()
        return json.loads(line) if line else None

    def ask(self, data: dict[str, Any] | bytes) -> dict[str, Any] | None:
        self.say(data)
        return self.hear()

    def close(self) -> None:
        self._lines.close()
        self.socket.close()


class Desk:
    """A control socket in a helper thread; `commands` is what reaches the kernel."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.commands: list[tuple[int, dict[str, Any]]] = []
        self._arrived = threading.Condition()
        inbox: deque[Callable[[], None]] = deque()
        self.doorbell = Doorbell(inbox, lambda: None)
        self.traced: list[bool] = []
        self.control = Control(
            self.doorbell, path, lambda: {"system": "test"}, self._submit, self.traced.append
        )
        self.control.listen()
        self.clients: list[Client] = []

    def _submit(self, request: int, command: dict[str, Any]) -> None:
        with self._arrived:
            self.commands.append((request, command))
            self._arrived.notify_all()

    def open(self) -> None:
        self.doorbell.call(self.control.open)
        self.doorbell.start()

    def client(self) -> Client:
        self.clients.append(Client(self.path))
        return self.clients[-1]

    def command(self, count: int = 1) -> tuple[int, dict[str, Any]]:
        """The latest command once there are so many."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.commands) >= count, PATIENCE)
            return self.commands[-1]

    def answer(self, request: int, **body: Any) -> None:
        self.doorbell.call(lambda: self.control.answer(request, body))

    def close(self, **last: Any) -> None:
        self.doorbell.stop()
        self.control.close(last, 0.2)
        for client in self.clients:
            client.close()
        self.doorbell.close()


@pytest.fixture
def desk(runtime_dir: Path) -> Iterator[Desk]:
    desk = Desk(runtime_dir / "control.sock")
    desk.open()
    yield desk
    desk.close()
    assert not desk.path.exists()


def error(answer: dict[str, Any] | None) -> str:
    assert answer is not None
    assert answer["error"]["message"]
    return str(answer["error"]["code"])


def test_a_command_goes_to_the_kernel_and_its_answer_comes_back_under_its_id(desk: Desk) -> None:
    client = desk.client()
    client.say({"id": "a7", "op": "kill", "pd": "hello", "signal": 9})
    request, command = desk.command()
    assert command == {"op": "kill", "pd": "hello", "signal": 9}
    desk.answer(request, pd="hello", actions=[])
    assert client.hear() == {"id": "a7", "pd": "hello", "actions": []}


def test_the_host_answers_info_itself(desk: Desk) -> None:
    assert desk.client().ask({"id": 1, "op": "info"}) == {"id": 1, "system": "test"}
    assert desk.commands == []


def test_answers_may_come_in_another_order(desk: Desk) -> None:
    client = desk.client()
    for number in (1, 2):
        client.say({"id": number, "op": "wait"})
    desk.command(2)
    for request, _ in reversed(desk.commands):
        desk.answer(request)
    assert [client.hear(), client.hear()] == [{"id": 2}, {"id": 1}]


def test_watchers_are_told_what_happens_and_others_are_not(desk: Desk) -> None:
    watcher, other = desk.client(), desk.client()
    assert watcher.ask({"id": 1, "op": "watch"}) == {"id": 1, "watching": True}
    assert other.ask({"id": 1, "op": "info"})
    for state in ("starting", "exited"):
        desk.doorbell.call(lambda state=state: desk.control.announce({"state": state}))
    assert watcher.hear() == {"event": {"state": "starting"}}
    assert watcher.hear() == {"event": {"state": "exited"}}
    assert other.ask({"id": 2, "op": "info"}) == {"id": 2, "system": "test"}


@pytest.mark.parametrize(
    "line",
    [
        b"garbage\n",
        b"[1, 2]\n",
        b"{}\n",
        b'{"op": 7}\n',
        b"\xff\xfe\n",
        b"[" * 60_000 + b"\n",
        b'{"op": "kill", "pd": "\\ud800"}\n',
        b'{"op": "kill", "pd": 123456789012345678901234567890}\n',
    ],
)
def test_garbage_gets_an_error_and_the_next_request_its_answer(desk: Desk, line: bytes) -> None:
    client = desk.client()
    assert error(client.ask(line)) == "bad-request"
    assert client.ask(b'\n\r\n{"id": 2, "op": "info"}\n') == {"id": 2, "system": "test"}
    assert desk.commands == []


def test_a_line_without_end_is_refused_and_its_client_parted_from(desk: Desk) -> None:
    client = desk.client()
    client.say(b"x" * (LINE_MAX + 1))
    assert error(client.hear()) == "line-too-long"
    assert client.hear() is None


def test_a_client_that_only_stops_talking_is_still_answered(desk: Desk) -> None:
    client = desk.client()
    client.say({"id": 1, "op": "ps"})
    client.socket.shutdown(socket.SHUT_WR)
    desk.answer(desk.command()[0], pds=[])
    assert client.hear() == {"id": 1, "pds": []}
    assert client.hear() is None


def test_the_answer_for_a_client_that_has_gone_goes_nowhere(desk: Desk) -> None:
    client = desk.client()
    client.say({"id": 1, "op": "wait"})
    request, _ = desk.command()
    client.close()
    assert desk.client().ask({"id": 1, "op": "info"})
    assert desk.control._asked == {}  # nor is it remembered
    desk.answer(request)
    assert desk.client().ask({"id": 1, "op": "info"})


def test_a_client_that_does_not_read_is_cut_off(desk: Desk) -> None:
    client = desk.client()
    assert client.ask({"id": 1, "op": "watch"})
    event = {"text": "x" * 60_000}
    for _ in range(UNREAD_MAX // 60_000 + 20):
        desk.doorbell.call(lambda: desk.control.announce(event))
    assert desk.client().ask({"id": 1, "op": "info"})
    with pytest.raises((json.JSONDecodeError, ConnectionResetError)):  # noqa: PT012
        while client.hear() is not None:
            pass
        raise ConnectionResetError


def test_one_client_may_not_ask_without_bound(desk: Desk) -> None:
    client = desk.client()
    for number in range(ASKED_MAX):
        client.say({"id": number, "op": "wait"})
    assert error(client.ask({"id": 99, "op": "wait"})) == "too-many-requests"
    desk.answer(desk.command(ASKED_MAX)[0])
    assert client.hear() == {"id": ASKED_MAX - 1}
    client.say({"id": 100, "op": "wait"})
    desk.command(ASKED_MAX + 1)


def test_too_many_clients_are_told_so(desk: Desk) -> None:
    for _ in range(CLIENTS_MAX):
        assert desk.client().ask({"id": 1, "op": "info"})
    late = desk.client()
    assert error(late.hear()) == "too-many-clients"
    assert late.hear() is None
    desk.clients[0].close()
    assert desk.clients[1].ask({"id": 1, "op": "info"})


def test_down_is_answered_last_with_what_was_left(runtime_dir: Path) -> None:
    desk = Desk(runtime_dir / "control.sock")
    desk.open()
    first, second, refused = desk.client(), desk.client(), desk.client()
    for count, client in enumerate((first, second, refused), 1):
        client.say({"id": 5, "op": "down"})
        desk.command(count)
    (one, _), (two, _), (three, _) = desk.commands
    desk.answer(one, pds=3, seconds=0.1)
    desk.answer(two, pds=3, seconds=0.1)
    desk.answer(three, error={"code": "no", "message": "not now"})
    assert error(refused.hear()) == "no"
    first.socket.setblocking(False)
    with pytest.raises(BlockingIOError):
        first.socket.recv(1)
    first.socket.settimeout(PATIENCE)
    desk.doorbell.stop()
    desk.control.close({"left": {"processes": 0}}, 1.0)
    told = {"id": 5, "pds": 3, "seconds": 0.1, "left": {"processes": 0}}
    assert [first.hear(), second.hear()] == [told, told]
    assert [first.hear(), second.hear()] == [None, None]
    for client in desk.clients:
        client.close()
    desk.doorbell.close()


def test_nobody_is_heard_before_the_system_has_booted(runtime_dir: Path) -> None:
    desk = Desk(runtime_dir / "control.sock")
    early = desk.client()
    early.say({"id": 1, "op": "ps"})
    desk.doorbell.start()
    done = threading.Event()
    desk.doorbell.call(done.set)
    assert done.wait(PATIENCE)
    assert desk.commands == []
    desk.doorbell.call(desk.control.open)
    desk.answer(desk.command()[0], pds=[])
    assert early.hear() == {"id": 1, "pds": []}
    desk.close()


# -- the trace -----------------------------------------------------------------------------------


def follow(desk: Desk, *pds: str) -> Client:
    client = desk.client()
    client.say({"id": 1, "op": "trace", "follow": True, "pds": list(pds)})
    assert client.hear() == {"id": 1, "tracing": True}
    return client


def give(desk: Desk, *lines: dict[str, Any], lost: int = 0) -> None:
    desk.doorbell.call(lambda: desk.control.trace(list(lines), lost))


def test_who_follows_is_sent_the_lines_and_others_are_not(desk: Desk) -> None:
    every, some, other = follow(desk), follow(desk, "app", "fs"), desk.client()
    give(desk, {"pd": "app", "n": 1}, {"pd": "web", "n": 2}, {"pd": "fs", "n": 3})
    assert [every.hear() for _ in range(3)] == [
        {"trace": {"pd": pd, "n": n}} for n, pd in enumerate(("app", "web", "fs"), 1)
    ]
    assert [some.hear() for _ in range(2)] == [
        {"trace": {"pd": "app", "n": 1}},
        {"trace": {"pd": "fs", "n": 3}},
    ]
    assert other.ask({"id": 2, "op": "info"}) == {"id": 2, "system": "test"}
    assert desk.commands == []


def test_the_trace_is_on_while_somebody_follows(desk: Desk) -> None:
    asker = desk.client()
    asker.ask({"id": 1, "op": "info"})
    assert desk.traced == []
    first, second = follow(desk), follow(desk)
    assert desk.traced == [True]
    first.close()
    asker.ask({"id": 2, "op": "info"})
    assert desk.traced == [True]
    second.say(b"x" * (LINE_MAX + 1))  # a client that is parted from follows no more
    assert error(second.hear()) == "line-too-long"
    assert second.hear() is None
    asker.ask({"id": 3, "op": "info"})
    assert desk.traced == [True, False]
    follow(desk).close()
    asker.ask({"id": 4, "op": "info"})
    assert desk.traced == [True, False, True, False]


def test_a_slow_reader_loses_lines_and_is_told_how_many(desk: Desk) -> None:
    slow, quick = follow(desk), follow(desk)
    line = {"pd": "app", "text": "x" * 10_000}
    lines = 200
    heard = []
    for _ in range(lines):
        give(desk, line)
        heard.append(quick.hear())
    assert heard == [{"trace": line}] * lines
    got = missed = 0
    while got + missed < lines:
        message = slow.hear()
        assert message is not None
        got += "trace" in message
        missed += message.get("lost", 0)
    assert missed > 0
    assert got * 10_000 > TRACE_MAX
    give(desk, line)
    assert slow.hear() == {"trace": line}


def test_what_was_lost_on_the_way_is_said_before_the_next_line(desk: Desk) -> None:
    client = follow(desk)
    give(desk, {"pd": "app"}, lost=5)
    assert [client.hear(), client.hear()] == [{"lost": 5}, {"trace": {"pd": "app"}}]


def test_what_was_lost_last_is_said_at_the_end(runtime_dir: Path) -> None:
    desk = Desk(runtime_dir / "control.sock")
    desk.open()
    client = follow(desk)
    give(desk, lost=2)
    desk.doorbell.stop()
    desk.control.close({}, 1.0)
    assert [client.hear(), client.hear()] == [{"lost": 2}, None]
    client.close()
    desk.doorbell.close()


def test_pds_that_are_no_names_are_refused(desk: Desk) -> None:
    for pds in ("app", [1], {"a": 1}):
        answer = desk.client().ask({"id": 1, "op": "trace", "follow": True, "pds": pds})
        assert error(answer) == "bad-request"
    assert desk.traced == []


def test_the_calls_that_are_remembered_are_asked_for_like_anything_else(desk: Desk) -> None:
    client = desk.client()
    client.say({"id": 1, "op": "trace", "pds": ["app"]})
    request, command = desk.command()
    assert command == {"op": "trace", "pds": ["app"]}
    desk.answer(request, calls=[])
    assert client.hear() == {"id": 1, "calls": []}
