"""From `run` to a function, and the sentences for what cannot run."""

import sys
from pathlib import Path

import pytest

from caplab.pd import faults, loader, runtime
from caplab.pd.loader import CannotStart
from caplab.pd.modules import BadProgram
from caplab.pd.spawn import SpawnInfo
from fakes import answer, fake_env

HELLO = SpawnInfo(1, "hello")


@pytest.fixture
def program(tmp_path: Path, monkeypatch):
    """Write a program and give the Env of a PD that runs it."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)

    def write(source: str, **args: object):
        file = tmp_path / "prog.py"
        file.write_text(source)
        run = {"module": "prog", "function": "main", "file": str(file)}
        return fake_env(name="hello", run=run, args=args, path=(str(tmp_path),))

    yield write
    sys.modules.pop("prog", None)


def test_main_is_called_with_env_and_the_manifests_arguments(program) -> None:
    env = program("def main(env, a, b=2, *, c=3): return [env.name, a, b, c]", a=1, c=5)
    assert loader.run_main(env) == ["hello", 1, 2, 5]


def test_a_word_of_the_manifest_is_resolved_by_the_pd_itself(program, tmp_path) -> None:
    program("def main(env): return 'ran'")
    env = fake_env(run="./prog.py", path=(str(tmp_path),))
    assert loader.run_main(env) == "ran"
    assert not (tmp_path / "__pycache__").exists(), "something is left beside the user's file"


def test_a_module_of_a_code_root_is_found_by_name(tmp_path, monkeypatch) -> None:
    (tmp_path / "cl_pkg").mkdir()
    (tmp_path / "cl_pkg" / "mod.py").write_text("def go(env): return __name__")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    env = fake_env(run="cl_pkg.mod:go", path=(str(tmp_path),))
    assert loader.run_main(env) == "cl_pkg.mod"
    assert not (tmp_path / "cl_pkg" / "__pycache__").exists()


@pytest.mark.parametrize(
    ("source", "args", "says"),
    [
        ("def mian(env): pass", {}, "has no function main; it defines: mian"),
        ("from os import getcwd", {}, "it defines: no function"),
        ("main = 5", {}, "main in .*prog.py is not a function"),
        ("def main(): pass", {}, "must take `env` as its first argument"),
        ("def main(env, count): pass", {}, "missing a required argument: 'count'"),
        (
            "def main(env, count=1): pass",
            {"cuont": 2},
            r"unexpected keyword argument 'cuont' \(it takes count\)",
        ),
    ],
)
def test_what_cannot_run_is_a_sentence(program, source, args, says) -> None:
    env = program(source, **args)
    with pytest.raises(CannotStart, match=says) as refused:
        loader.run_main(env)
    assert "Traceback" not in faults.describe(refused.value, HELLO)


@pytest.mark.parametrize("run", ["./nothing.py", "servers.nothing", "nonsense"])
def test_a_word_that_names_no_program_is_a_sentence(run, tmp_path) -> None:
    with pytest.raises(BadProgram) as refused:
        loader.run_main(fake_env(run=run, path=(str(tmp_path),)))
    assert faults.describe(refused.value, HELLO).startswith("hello cannot start: ")


@pytest.mark.parametrize(
    "run",
    [
        {"module": "cl_absent.mod", "function": "main", "file": None},
        {"module": "cl_absent", "function": "main", "file": "/nowhere/cl_absent.py"},
    ],
)
def test_a_module_that_went_away_since_the_check_is_a_sentence(run) -> None:
    with pytest.raises(CannotStart, match="there is no"):
        loader.load(run, ())
    sys.modules.pop("cl_absent", None)


def told_of(env, capsys) -> str:
    """What stderr says of a PD that ran into an exception."""
    assert runtime.execute(env, loader.run_main, lambda status: None) == 1
    return capsys.readouterr().err


def test_a_type_error_inside_main_is_the_programs_own(program, capsys) -> None:
    told = told_of(program("def main(env):\n    return 1 + 'x'"), capsys)
    assert told.startswith("Traceback")
    assert (told.count("File"), "prog.py" in told) == (1, True)


def test_a_broken_import_in_the_program_is_told_from_the_program_on(program, capsys) -> None:
    told = told_of(program("import cl_not_there\ndef main(env): pass"), capsys)
    assert (told.count("File"), "prog.py" in told) == (1, True)


def test_a_syntax_error_names_its_line(program, capsys) -> None:
    assert "line 2" in told_of(program("def main(env):\n    x = = 1"), capsys)


def test_a_refused_call_is_told_up_to_the_line_that_made_it(program, capsys) -> None:
    env = program("def main(env):\n    env.sleep(1)")
    env.first.transport.answers.append(answer(3))
    told = told_of(env, capsys)
    assert (told.count("File"), "env.sleep(1)" in told) == (1, True)
    assert "IllegalOperation: Sleep on slot 0" in told
