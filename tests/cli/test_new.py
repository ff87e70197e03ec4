"""`caplab new` and `caplab gen`: what they say, and how they exit."""

from collections.abc import Callable
from pathlib import Path

import pytest

PROTO = 'syntax = "proto3";\nmessage Ask { uint64 magic = 100; }\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_command_says_what_it_made_and_what_to_do_next(
    folder: Path, caplab: Callable[..., tuple[int, str, str]]
) -> None:
    status, _, said = caplab("new", "server", "parking")
    assert status == 0
    assert "caplab up parking/example.yaml" in said
    status, _, said = caplab("new", "server", "Parking")
    assert status == 2
    assert "[bad-name]" in said
    status, _, said = caplab("new", "servant", "parking2")
    assert status == 2
    assert "bad-request" in said
    assert "Invalid value for 'kind': 'servant' is not one of 'server'" in said


def test_the_next_command_can_be_typed_where_pytest_is_missing(
    folder: Path,
    caplab: Callable[..., tuple[int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert "\ncaplab: pytest parking\n" in caplab("new", "server", "parking")[2]
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "pip install pytest && pytest lot\n" in caplab("new", "server", "lot")[2]


def test_a_style_is_for_a_server_alone(
    folder: Path, caplab: Callable[..., tuple[int, str, str]]
) -> None:
    status, _, said = caplab("new", "server", "parking", "--style", "idl")
    assert status == 0
    assert "Then say in parking/parking.idl what it is to do" in said
    status, _, said = caplab("new", "client", "driver", "--style", "idl")
    assert status == 2
    assert "A style is for a server." in said
    assert not (folder / "driver").exists()


IDL = "interface Ask { void it(in int x, out int y); };\n"


def test_gen_makes_python_of_interfaces_beside_them_or_elsewhere(
    folder: Path, caplab: Callable[..., tuple[int, str, str]]
) -> None:
    (folder / "ask.idl").write_text(IDL)
    assert "ask.idl: ask_interface.py, ask_client.py and ask_server.py" in caplab("gen")[2]
    assert "ask.idl: up to date" in caplab("gen", "ask.idl")[2]
    assert caplab("gen", "ask.idl", "-o", "made", "--package", "pkg")[0] == 0
    assert "from pkg.ask_interface import" in (folder / "made" / "ask_client.py").read_text()


def test_gen_shows_every_mistake_of_an_interface_and_writes_nothing(
    folder: Path, caplab: Callable[..., tuple[int, str, str]]
) -> None:
    (folder / "ask.idl").write_text(IDL.replace("in int x", "in intt x").replace("out int", "int"))
    (folder / "ask.proto").write_text(PROTO)
    status, _, said = caplab("gen")
    assert status == 2
    assert "ask.idl:1:28: there is no type `intt` [CL113]" in said
    assert "ask.idl:1:36: the parameter does not say in which direction" in said
    assert sorted(path.name for path in folder.iterdir()) == ["ask.idl", "ask.proto"]


def test_gen_makes_what_is_stale_and_says_so(
    folder: Path, caplab: Callable[..., tuple[int, str, str]]
) -> None:
    (folder / "ask.proto").write_text(PROTO)
    assert "ask.proto: ask_pb2.py and ask_pb2.pyi" in caplab("gen")[2]
    assert "ask.proto: up to date" in caplab("gen", "ask.proto")[2]


def test_gen_with_a_mistake_in_one_file_writes_none(
    folder: Path, caplab: Callable[..., tuple[int, str, str]]
) -> None:
    (folder / "a.proto").write_text(PROTO)
    (folder / "b.proto").write_text(PROTO.replace("uint64", "uint65"))
    status, _, said = caplab("gen", ".")
    assert status == 1
    assert "b.proto:2:15" in said
    assert "[bad-proto]" in said
    assert sorted(path.name for path in folder.iterdir()) == ["a.proto", "b.proto"]


def test_gen_where_there_is_no_source_is_refused(
    folder: Path, caplab: Callable[..., tuple[int, str, str]]
) -> None:
    for path in (".", "nowhere"):
        status, _, said = caplab("gen", path)
        assert status == 2
        assert "[no-source]" in said
