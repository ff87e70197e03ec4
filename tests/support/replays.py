"""`caplab replay` of a recorded run, and that it came to the identical state."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any


def replayed(log: Path, *options: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "caplab", "replay", str(log), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    return done.returncode, done.stdout


def identical(log: Path) -> dict[str, Any]:
    """The last line says so, at the very end; the state in JSON."""
    status, text = replayed(log)
    document: dict[str, Any] = json.loads(replayed(log, "--format", "json")[1])
    assert status == 0
    assert document["whole"]
    assert document["at_event"] == document["event"] > 0
    same = document["hash"]
    assert len(same) == len("sha256:") + 64
    last = f"replayed {same} recorded {same} at event {document['event']}"
    assert text.splitlines()[-1] == last
    assert all(check["replayed"] == check["recorded"] for check in document["checks"])
    return document
