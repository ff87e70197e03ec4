"""`caps` and `trace` on real processes."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import caplab
from caplab.kernel.host.errors import RequestRefused

CALM = """
name: calm
uarts: [uart0]
pds:
  serial: {run: servers.serial}
  idle: {run: clients.idle, uses: [serial]}
  other: {run: clients.idle, uses: {console: serial}}
"""


@pytest.fixture
def calm(tmp_path: Path) -> Path:
    """A serial server and two PDs that hold a capability to it and use it for nothing."""
    path = tmp_path / "calm.yaml"
    path.write_text(CALM)
    return path


def asked(*words: str) -> Any:
    """What a command says in its JSON form."""
    command = [sys.executable, "-m", "caplab", *words, "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def named(document: dict[str, Any], name: str) -> dict[str, Any]:
    return next(row for row in document["slots"] if name in row["names"])


def test_the_capabilities_of_a_running_pd_and_their_derivation(calm: Path) -> None:
    with caplab.System(calm, paranoid=True) as system:
        console = named(asked("caps", "other", "--tree"), "console")
        assert (console["object"], console["rights"], console["from"]) == (
            *("serial/gen0", "-WGP", "serial"),
        )
        (master,) = console["parents"]
        assert (master["pd"], master["badge"]) == ("root", 0)
        (row,) = [
            row
            for row in asked("caps", "root", "--tree")["slots"]
            if row["object"] == "serial/gen0"
        ]
        assert row["slot"] == master["slot"]
        assert {one["pd"] for one in row["derived"]} == {"serial", "idle", "other"}
        system.kill("other")
        (row,) = [
            row for row in system.caps("root", tree=True)["slots"] if row["object"] == "serial/gen0"
        ]
        assert {one["pd"] for one in row["derived"]} == {"serial", "idle"}
        assert system.caps("other")["slots"] == []
        with pytest.raises(RequestRefused, match="no PD 'nobody'"):
            system.caps("nobody")
