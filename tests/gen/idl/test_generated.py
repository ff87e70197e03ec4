"""What is made of `.idl` files: as a formatter and a type checker want it, and known when stale."""

import subprocess
import sys
from pathlib import Path

import pytest

from caplab.kernel.boot.generated import idls, missing, stale
from caplab.kernel.boot.manifest import check
from caplab.scripts.gen.idl.compiler import BadIdl, compiled
from caplab.scripts.gen.idl.files import generate, write
from caplab.scripts.gen.idl.model import protocol_of
from caplab.scripts.gen.idl.names import package_of
from caplab.scripts.gen.idl.words import python, python_field, python_method, snake
from sources import ROOT

EVERYTHING = Path(__file__).parent / "everything"
CALC = "interface Calc { void add(in int left, in int right, out int result); };\n"
COUNTER = "interface Counter { void increment(out int result); };\n"
BOTH = 'import "calc.idl"; import "counter.idl";\ninterface CalcCounter composes Calc, Counter;\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in (("calc", CALC), ("counter", COUNTER), ("calc_counter", BOTH)):
        (tmp_path / f"{name}.idl").write_text(text)
    return tmp_path


def test_each_interface_has_a_client_and_a_server_module_in_snake_case(folder: Path) -> None:
    written = write(generate([folder / "calc_counter.idl"]))
    assert sorted(path.name for path in written) == sorted(
        f"{name}_{side}.py"
        for name in ("calc", "counter", "calc_counter")
        for side in ("interface", "client", "server")
    )
    assert write(generate([folder / "calc_counter.idl"])) == []


def test_everything_may_go_into_one_folder(folder: Path) -> None:
    output = folder / "made" / "here"
    written = write(generate([folder / "calc_counter.idl"], output))
    assert len(written) == 9
    assert {path.parent for path in written} == {output}


def test_code_is_stale_when_its_file_or_one_it_imports_was_changed(folder: Path) -> None:
    files = [folder / f"{name}.idl" for name in ("calc", "calc_counter", "counter")]
    assert list(stale(folder)) == files
    assert missing(files[0])
    write(generate([files[1]]))
    assert list(stale(folder)) == []
    assert list(idls(folder / "calc_counter_client.py")) == [files[1], files[0], files[2]]
    files[2].write_text(COUNTER + "/* a comment */\n")
    assert list(stale(folder)) == [files[1], files[2]]
    assert not missing(files[2])
    write(generate(files))
    assert list(stale(folder)) == []
    files[2].unlink()
    assert list(stale(folder)) == [files[1], files[2]]


def test_check_refuses_a_program_beside_stale_code(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    (folder / "server.py").write_text("def main(env):\n    pass\n")
    manifest = folder / "system.yaml"
    manifest.write_text("pds: {server: {run: ./server.py}}\n")
    outcome = check("system.yaml")
    assert "CL040" in outcome.render()
    assert "there is no Python of calc.idl yet" in outcome.render()
    write(generate([folder / "calc_counter.idl"]))
    assert check("system.yaml").ok
    (folder / "calc.idl").write_text(CALC.replace("int result", "long result"))
    told = check("system.yaml").render()
    assert "calc.idl says is not what its Python says" in told
    assert "fix: caplab gen calc_counter.idl" in told


def test_code_that_went_elsewhere_is_known_to_be_stale_there(folder: Path) -> None:
    output = folder / "server"
    write(generate([folder / "calc.idl"], output))
    assert list(stale(output)) == []
    (folder / "calc.idl").write_text(CALC + "\n")
    assert list(stale(output)) == [folder / "calc.idl"]


def test_modules_import_each_other_by_the_package_that_they_are_in(folder: Path) -> None:
    assert package_of(folder) == ""
    (folder / "calc").mkdir()
    (folder / "calc" / "server.py").touch()
    assert package_of(folder / "calc") == "calc"
    assert package_of(ROOT / "servers" / "calc") == "caplab.servers.calc"
    made = generate([folder / "calc.idl"], folder / "calc")
    assert "from calc.calc_interface import" in made[folder / "calc" / "calc_client.py"]
    made = generate([folder / "calc.idl"], folder, "mine.own")
    assert "from mine.own.calc_interface import" in made[folder / "calc_client.py"]


def test_numbers_are_honoured_when_given_and_filled_in_order_when_not(folder: Path) -> None:
    (folder / "file.idl").write_text(
        "const TWO = 2;\n[protocol(0x4004)] interface File {"
        " void a(); [opcode(0)] void b(); [opcode(TWO)] void c(); void d(); void e(); };\n"
        "interface Calc { void add(); };"
        "[protocol(-5)] interface Fault { void tell(); };"
    )
    file, calc, fault = compiled([folder / "file.idl"])[0].interfaces
    assert [(each.name, each.opcode) for each in file.operations] == [
        *(("a", 1), ("b", 0), ("c", 2), ("d", 3), ("e", 4))
    ]
    assert file.protocol == 0x4004
    assert fault.protocol == (1 << 64) - 5
    assert calc.protocol == protocol_of("Calc") == 0x4C348083E23EFCB0


def test_the_version_changes_with_everything_that_both_ends_must_agree_on(folder: Path) -> None:
    texts = [
        CALC,
        CALC.replace("in int left", "in long left"),
        CALC.replace("left", "first"),
        CALC.replace("void", "[opcode(1)] void"),
        "[protocol(1)] " + CALC,
        CALC.replace("};", "error Zero = 1; };"),
        CALC.replace("};", "void nothing(); };"),
        "struct Point { int x; };" + CALC.replace("in int left", "in Point left"),
        "struct Point { long x; };" + CALC.replace("in int left", "in Point left"),
    ]
    versions = []
    for text in texts:
        (folder / "calc.idl").write_text(text)
        versions.append(compiled([folder / "calc_counter.idl"])[0].interfaces[0].version)
        versions.append(compiled([folder / "calc.idl"])[0].interfaces[0].version)
    assert len(set(versions)) == len(versions)
    (folder / "calc.idl").write_text("/* more */\n" + CALC.replace("in int", "in signed  int"))
    assert compiled([folder / "calc.idl"])[0].interfaces[0].version == versions[1]


def test_type_files_of_l4re_come_with_caplab_and_a_users_own_come_first(folder: Path) -> None:
    text = "#include <systypes/base.h>\ninterface File { void seek(in offset_t to); };\n"
    (folder / "file.idl").write_text(text)
    (operation,) = compiled([folder / "file.idl"])[0].interfaces[0].operations
    assert operation.spelling == "void seek(in int64 to)"
    (folder / "systypes").mkdir()
    (folder / "systypes" / "base.idl").write_text("typedef unsigned short offset_t;")
    (operation,) = compiled([folder / "file.idl"])[0].interfaces[0].operations
    assert operation.spelling == "void seek(in uint16 to)"


def test_with_a_mistake_in_one_file_nothing_is_made(folder: Path) -> None:
    (folder / "wrong.idl").write_text("interface X { };")
    with pytest.raises(BadIdl):
        generate(sorted(folder.glob("*.idl")))
    assert not list(folder.glob("*.py"))


def test_names_become_names_that_python_takes() -> None:
    assert [snake(name) for name in ("MappedFileObject", "Calc", "L4Dataspace", "IOPort")] == [
        *("mapped_file_object", "calc", "l4_dataspace", "io_port")
    ]
    assert (python("from"), python("timeout"), python("count")) == ("from_", "timeout_", "count")
    assert (python_method("import"), python_method("serve")) == ("import_", "serve_")
    assert (python_field("count"), python_field("timeout")) == ("count_", "timeout")


def everything(folder: Path) -> Path:
    package = folder / "made"
    package.mkdir()
    (package / "__init__.py").touch()
    for file in EVERYTHING.glob("*.idl"):
        (package / file.name).write_text(file.read_text())
    write(generate(sorted(package.glob("*.idl"))))
    return package


def test_what_is_made_of_everything_the_language_has_is_as_a_linter_wants_it(
    tmp_path: Path,
) -> None:
    package = everything(tmp_path)
    settings = (ROOT / "pyproject.toml").read_text().replace('["caplab"]', '["made"]')
    (tmp_path / "pyproject.toml").write_text(settings)
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--no-cache", str(package)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_what_is_made_of_everything_the_language_has_passes_a_strict_type_checker(
    tmp_path: Path,
) -> None:
    everything(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--warn-unreachable", "-p", "made"],
        cwd=tmp_path,
        env={"MYPYPATH": f"{ROOT / 'src'}:{tmp_path}", "MYPY_CACHE_DIR": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        timeout=110,
    )
    mistakes = [line for line in done.stdout.splitlines() if line.startswith("made/")]
    assert not mistakes
    assert "source files" in done.stdout
