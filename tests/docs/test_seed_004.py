"""docs/seeds/004.md does what it says: its files are written, its commands typed, in order."""

from pathlib import Path

import pytest

import pages
from sources import ROOT

PAGE = ROOT / "docs" / "seeds" / "004.md"
TEXT = PAGE.read_text()


@pytest.mark.timeout(200)
def test_whoever_follows_the_page_sees_what_it_shows(tmp_path: Path, baseline: None) -> None:
    begun: set[str] = set()
    for language, name, text in pages.FENCE.findall(TEXT):
        if name:
            file = tmp_path / name
            file.write_text(f"{file.read_text()}\n{text}" if name in begun else text)
            begun.add(name)
            continue
        assert language == "console", text
        for command in pages.read_text(text):
            pages.run(command, tmp_path)


def test_every_block_of_the_seed_is_told() -> None:
    for there in (
        *("in `calc.idl`", "in `counter.idl`", "in `calc_counter.idl`", '"calc_server.h"'),
        *("<ipc/server.h>", "ref_Calc ref = {.ptr=0};", ".iface=&server_iface_Calc"),
        *(".add=calc_add", ".as_Counter={.ptr=&counter}", ".to_Calc=&server_iface_Calc"),
        *("L4_EOK", "class server_Calc : public Calc", "class server_CalcCounter("),
        *('ipc_server_loop_for(Calc, &obj, "server")', "S=pkg/idl4re-examples"),
        *("cast before its address is handed over", "`.pow`", "MappedFileObject"),
    ):
        assert there in TEXT, there


def test_the_examples_the_page_names_are_there() -> None:
    for name in ("calc", "counter", "calc_counter", "mapped_file"):
        assert (ROOT / "servers" / name / "server.py").is_file()
        assert (ROOT / "systems" / f"{name}.yaml").is_file()
        assert f"servers/{name}" in TEXT
