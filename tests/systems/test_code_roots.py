"""Code roots of confined PDs, and what of the host lies in or above them."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

import caplab
import strict_host

pytestmark = strict_host.needed

PROGRAM = "def main(env):\n    print('found its kernel', flush=True)\n"


def test_a_manifest_that_lies_above_the_run_directory_hides_no_socket(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with TemporaryDirectory(prefix="cl", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)  # so that PDs have users of their own, who may not enter the next
        (folder / "run").mkdir(mode=0o700)
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder / "run"))
        (folder / "program.py").write_text(PROGRAM)
        manifest = folder / "above.yaml"
        manifest.write_text("confinement: strict\npds: {pd: {run: ./program.py}}\n")
        with caplab.System(manifest) as system:
            assert system.wait(30)["failed"] == []
            assert b"found its kernel" in system.logs("pd")
