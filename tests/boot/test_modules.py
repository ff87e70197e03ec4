"""From `run` to a module, a function and a file; one rule for `check` and for a PD's runtime."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from caplab.kernel.boot.programs import python_path
from caplab.pd import modules
from caplab.pd.modules import BadProgram, Program, find, resolve, search_path, source


def refused(run: str, *roots: Path) -> BadProgram:
    names = [str(root) for root in roots]
    with pytest.raises(BadProgram) as bad:
        source(resolve(run, names), names)
    return bad.value


def test_caplabs_own_programs_are_always_its_own(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(python_path()))
    (folder / "servers" / "serial").mkdir(parents=True)
    (folder / "servers" / "serial" / "server.py").write_text("def main(env): pass\n")
    program = resolve("servers.serial", [str(folder)])
    assert program == Program("caplab.servers.serial.server", "main", None)
    assert source(program, [str(folder)]) == modules.CAPLAB / "servers/serial/server.py"
    assert resolve("./servers/serial", [str(folder)]).module == "servers.serial.server"
    assert source(resolve("servers.serial.server:main", [str(folder)]), [str(folder)]) == (
        folder / "servers" / "serial" / "server.py"
    )


def test_a_file_is_found_in_the_first_code_root_that_has_it(folder: Path) -> None:
    other = folder / "other"
    other.mkdir()
    for name in ("hello.py", "mine.py"):
        (other / name).write_text("def main(env): pass\n")
    roots = [str(folder), str(other)]
    assert resolve("./hello.py", roots) == Program("hello", "main", str(folder / "hello.py"))
    assert resolve("./mine.py", roots) == Program("mine", "main", str(other / "mine.py"))
    program = resolve("./other/mine.py", roots[:1])
    assert program == Program("mine", "main", str(other / "mine.py"))
    assert source(program, roots[:1]) == other / "mine.py"


def test_a_folder_is_a_server_or_else_a_main(folder: Path) -> None:
    assert resolve("./folder", [str(folder)]) == Program("folder.server", "main", None)
    assert resolve("./folder/", [str(folder)]) == Program("folder.server", "main", None)
    (folder / "only_main").mkdir()
    (folder / "only_main" / "main.py").write_text("def main(env): pass\n")
    assert resolve("./only_main", [str(folder)]) == Program("only_main.main", "main", None)


def test_a_module_in_folders_without_init_is_found_and_nothing_is_imported(folder: Path) -> None:
    before = set(sys.modules)
    program = resolve("pkg.deep.module:start", [str(folder)])
    assert program == Program("pkg.deep.module", "start", None)
    assert source(program, [str(folder)]) == folder / "pkg" / "deep" / "module.py"
    assert not [name for name in set(sys.modules) - before if name.startswith("pkg")]


@pytest.mark.parametrize(
    "run", ["", "hello", "servers", "servers.", "a:b:c", "/abs/x.py", "~/x.py"]
)
def test_a_word_of_no_known_form_is_refused(run: str, folder: Path) -> None:
    assert refused(run, folder).code == "CL030"


@pytest.mark.parametrize("run", ["../hello.py", "./../hello.py", "./folder/../hello.py", "./"])
def test_nothing_outside_the_code_roots_can_be_run(run: str, folder: Path) -> None:
    assert refused(run, folder).code == "CL030"


@pytest.mark.parametrize(
    "run",
    [
        *("servers.nope", "clients.nope", "./nope.py", "./nope", "./hello", "./empty_folder"),
        *("nope:main", "pkg:main", "pkg.nope:main", "hello.nope:main", "sys:exit", "math:sin"),
    ],
)
def test_what_is_not_there_or_not_source_is_refused(run: str, folder: Path) -> None:
    assert refused(run, folder).code == "CL031"


def test_a_built_in_module_is_there_and_is_not_source(folder: Path) -> None:
    assert "sys is not a Python source file" in refused("sys:exit", folder).message
    assert refused("hello", folder).fix.startswith("write one of servers.NAME, ")
    assert refused("shop.counter", folder).fix == "name the function too: shop.counter:main"


def test_caplab_is_found_wherever_it_was_imported_from() -> None:
    assert (spec := find("caplab.pd.modules", [])) is not None
    assert Path(spec.origin or "") == modules.CAPLAB / "pd" / "modules.py"
    assert find("yaml", []) is None


def test_a_folder_that_cannot_be_imported_is_refused(folder: Path) -> None:
    (folder / "my-server").mkdir()
    bad = refused("./my-server", folder)
    assert (bad.code, bad.fix) == ("CL030", "rename it to my_server")


def test_a_program_hidden_by_one_of_pythons_own_is_refused(folder: Path) -> None:
    (folder / "json").mkdir()
    (folder / "json" / "server.py").write_text("def main(env): pass\n")
    assert refused("./json", folder).code == "CL038"
    assert refused("./wave.py", folder).code == "CL038"


def test_without_code_roots_only_what_python_has_can_be_run() -> None:
    assert refused("./hello.py").code == "CL031"
    assert source(resolve("json.tool:main", []), []).name == "tool.py"


def test_code_roots_come_last_and_the_current_directory_is_none(folder: Path) -> None:
    other = str(folder / "folder")
    path = search_path([other])
    assert path[-1] == other
    assert not {"", ".", os.getcwd()} & set(path)
    assert search_path([str(folder)])[-1] == str(folder)


def test_a_path_that_holds_caplab_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(modules.CAPLAB.parent)
    monkeypatch.setattr(sys, "path", [str(modules.CAPLAB.parent), *sys.path])
    assert str(modules.CAPLAB.parent) in search_path([])


def test_what_is_found_is_what_an_import_finds(folder: Path) -> None:
    """The same files as Python, asked in a process of its own with the PD's path."""
    names = ["json.tool", "caplab.pd.modules", "folder.server", "pkg.deep.module", "yaml", "os"]
    path = search_path([str(folder)])
    script = (
        "import importlib.util as u, sys; sys.path[:] = {!r}; "
        "print([u.find_spec(n).origin for n in {!r}])"
    )
    told = subprocess.run(
        [sys.executable, "-I", "-c", script.format(path, names)],
        capture_output=True,
        text=True,
        check=True,
    )
    found = [spec.origin if (spec := find(name, path)) is not None else None for name in names]
    expected = [name if name != "frozen" else found[-1] for name in eval(told.stdout)]
    assert [os.path.realpath(one or "") for one in found] == [
        os.path.realpath(one or "") for one in expected
    ]
