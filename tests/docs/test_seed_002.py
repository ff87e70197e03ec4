"""docs/seeds/002.md does what it says: every block of it is run."""

import re
from pathlib import Path

import pytest

import pages
from caplab import System
from caplab.servers import serial
from caplab.servers.serial.protocol import Error
from sources import ROOT

PAGE = ROOT / "docs" / "seeds" / "002.md"
BLOCKS = pages.read(PAGE)


@pytest.fixture
def folder(tmp_path: Path, baseline: None) -> Path:
    """The files of the page, as a reader has them who typed them in."""
    BLOCKS.write(tmp_path)
    return tmp_path


@pytest.mark.parametrize("command", BLOCKS.commands, ids=lambda c: " ".join(c.words))
def test_what_the_page_types_prints_what_the_page_shows(
    command: pages.Command, folder: Path
) -> None:
    assert command.lines
    pages.run(command, folder)


def test_every_block_is_a_file_or_a_command_and_each_manifest_is_used() -> None:
    assert not BLOCKS.others
    manifests = {name for name in BLOCKS.files if name.endswith(".yaml")}
    manifests.remove("reading.yaml")  # somebody has to type: below
    assert manifests == {word for c in BLOCKS.commands for word in c.words if word in manifests}
    programs = {name for name in BLOCKS.files if name.endswith(".py")}
    used = re.findall(r"\./(\w+\.py)", "".join(BLOCKS.files.values()))
    assert programs == set(used)


def test_a_line_a_password_and_a_key_are_read_as_the_page_says(folder: Path) -> None:
    with System(folder / "reading.yaml") as system:
        system.console.expect("your name: ")
        system.console.send("Adx\x7fa\r")
        system.console.expect("password: ")
        system.console.send("secret\r")
        system.console.expect(r"\r\n.*Ada has a password of 6 characters.")
        system.console.expect("any key: ")
        system.console.send("\x1b")
        system.console.expect(re.escape(r"that was b'\x1b'."))
        assert system.wait(timeout=20)["failed"] == []


def test_a_server_that_cannot_be_spawned_is_told_as_the_page_says(folder: Path) -> None:
    text = (folder / "parent.py").read_text()
    (folder / "parent.py").write_text(text.replace('"uart0")', '"uart9")'))
    with System(folder / "system.yaml") as system:
        with system.control.watch() as changes:
            while system.pd("parent").alive:
                changes.receive()
        assert system.pd("parent").exit_code == 1
        printed = system.logs("parent").decode()
    assert "Failed to spawn the server with error 12. There is no device 'uart9'" in printed


def test_the_table_of_errors_has_each_class_with_its_number() -> None:
    table = PAGE.read_text().split("## Errors")[1]
    rows = re.findall(r"^\| (−?\d+) \| (.*?) \|", table, re.MULTILINE)
    told = {
        (int(number.replace("−", "-")), name)
        for number, names in rows
        for name in re.findall(r"`(\w+)`", names)
    }
    there = {
        (one.code, name)
        for name, one in vars(serial).items()
        if isinstance(one, type) and issubclass(one, serial.SerialError) and one.code
    }
    assert told == {(int(code), name) for code, name in there}
    assert {number for number, _ in told} == {int(error) for error in Error if error}


def test_docs_errors_lists_every_refusal_of_the_server() -> None:
    page = (ROOT / "docs" / "errors.md").read_text()
    for error in Error:
        assert error == 0 or f"| {int(error)} | {error.name} |" in page


def test_the_table_of_verbs_names_every_function_of_the_c_library() -> None:
    text = PAGE.read_text()
    for name in (
        "serial_server_parent_spawn_thread",
        "serial_server_parent_vka_mint_endpoint",
        "serial_server_allocate_client_badged_ep",
        "serial_server_parent_mint_endpoint_to_process",
        "serial_server_client_connect",
        "serial_server_printf",
        "serial_server_disconnect",
    ):
        assert name in text
