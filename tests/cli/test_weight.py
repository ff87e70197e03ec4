"""Short commands answer at once: what their modules may not import."""

import subprocess
import sys

import pytest

HEAVY = {"pydantic", "yaml", "zmq", "rich", "psutil", "typer", "google.protobuf"}


def imported_by(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nprint(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(ran.stdout.split()) & HEAVY


@pytest.mark.parametrize(
    ("statement", "allowed"),
    [
        ("import caplab.scripts.cli.main", set()),
        ("import caplab.kernel.boot.running", set()),
        ("import caplab.kernel.host.launcher", set()),
        ("import caplab.scripts.cli.kill, caplab.scripts.cli.ls", {"typer"}),
        ("import caplab.scripts.cli.ps", {"typer", "psutil"}),
    ],
)
def test_a_short_command_imports_nothing_heavy(statement: str, allowed: set[str]) -> None:
    assert imported_by(statement) <= allowed
