"""Untyped memory between real processes: it runs out, comes back, and is enough for ever."""

import textwrap
from pathlib import Path

import pytest

from caplab import System

ROUNDS = 2000
MANIFEST = """
uarts: [uart0]
pds:
  serial:
    run: servers.serial
    args: {colour: false}
  client:
    run: ./client.py
    uses: {console: serial}
    untyped: 16KiB
"""
PROGRAMS = {
    "out of memory": """
        def all_pages(env):
            pages = []
            try:
                while True:
                    pages.append(env.memory())
            except NotEnoughMemory as full:
                assert "`client:` in the manifest" in str(full), full
                assert "untyped: 16MiB" in str(full), full
                return pages

        def main(env):
            for _ in range(3):
                pages = all_pages(env)
                assert len(pages) == 4, pages
                for page in pages:
                    with page.map() as window:
                        window.write(4000, b"paid")
                        assert window.read(4000, 4) == b"paid"
                    page.delete()
            large = env.memory(pages=3)
            with large.map() as window:
                assert window.size == large.size == 16384
        """,
    "connect and disconnect": f"""
        def main(env):
            console = env.endpoint("console")
            for _ in range({ROUNDS}):
                Serial.connect(console).disconnect()
            with Serial.connect(console) as out:
                assert out.printf("still here\\n") == 11
        """,
}


@pytest.mark.parametrize("what", PROGRAMS)
def test_a_pd_lives_on_the_memory_the_manifest_gives_it(what: str, tmp_path: Path) -> None:
    imports = "from caplab.pd.errors import *\nfrom caplab.servers.serial import Serial\n"
    (tmp_path / "client.py").write_text(imports + textwrap.dedent(PROGRAMS[what]))
    (tmp_path / "system.yaml").write_text(MANIFEST)
    with System(tmp_path / "system.yaml") as system:
        assert system.wait(120) == {"finished": True, "failed": []}
