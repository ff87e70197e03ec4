"""Manifests that are right, and the boot specifications they come to."""

import json
import sys
from pathlib import Path

import pytest

from caplab.kernel.boot.build import build
from caplab.kernel.boot.checked import CheckedSystem
from caplab.kernel.boot.manifest import check, shipped
from caplab.kernel.boot.programs import python_path

GOOD = sorted(file.stem for file in (Path(__file__).parent / "good").glob("*.yaml"))


def system(name: str) -> CheckedSystem:
    return check(f"{name}.yaml").require()


@pytest.mark.parametrize("name", GOOD)
def test_a_right_manifest_has_no_problem(name: str, folder: Path) -> None:
    assert check(f"{name}.yaml").render() == ""


def test_the_systems_that_come_with_caplab_are_right() -> None:
    assert {"hello", "shell"} <= set(shipped())
    assert {name: check(name).render() for name in shipped()} == dict.fromkeys(shipped(), "")


def test_the_smallest_manifest_gets_every_default(folder: Path) -> None:
    assert build(system("smallest"), shm_prefix="cl.0.") == {
        "name": "smallest",
        "manifest": str(folder / "smallest.yaml"),
        "semantics": "lab",
        "scheduler": "host",
        "uarts": [],
        "timers": [],
        "irqs": [],
        "ranges": [],
        "shm_prefix": "cl.0.",
        "exit_code_from": None,
        "cleanup": None,
        "cpus": None,
        "arms": [],
        "pds": [
            {
                "name": "hello",
                "run": {"module": "hello", "function": "main", "file": str(folder / "hello.py")},
                "args": {},
                "uses": {},
                "serves": None,
                "rdes": [],
                "manages": [],
                "faults": None,
                "devices": [],
                "threads": 1,
                "untyped": None,
                "priority": 100,
                "restart": None,
                "cleanup": None,
                "console": None,
                "role": "client",
                "path": [str(folder)],
                "debug": False,
            }
        ],
    }


def test_every_key_reaches_the_boot_specification(folder: Path) -> None:
    spec = build(system("every-key"), shm_prefix="cl.0.")
    assert (spec["name"], spec["semantics"], spec["uarts"], spec["exit_code_from"]) == (
        *("every-key.2", "sel4", ["uart0", "uart1"], "hello"),
    )
    assert (spec["timers"], spec["irqs"]) == (["timer0"], [3, 127])
    assert spec["ranges"] == [
        {"address": 0x10440000, "size": 0x3000},
        {"address": 4096, "size": 4096},
    ]
    hello, worker, shell = spec["pds"][1:]
    assert worker["devices"] == ["timer0", "irqs", "ioports", "ranges"]
    assert hello["args"] == {"name": "no", "count": 10, "ratio": 1}
    assert hello["uses"] == {"console": "serial", "other": "worker"}
    assert hello["untyped"] == 16 << 10
    assert (hello["threads"], hello["role"], hello["faults"]) == (32, "client", "worker")
    assert (hello["debug"], worker["debug"]) == (True, False)
    assert hello["console"] == {
        "escapes": True,
        "prefix": False,
        "buffering": "write-back",
        "focus": False,
    }
    assert worker["run"] == {"module": "deep.module", "function": "start", "file": None}
    assert (worker["serves"], worker["role"]) == ("endpoint", "server")
    assert (spec["scheduler"], shell["priority"]) == ("strict", 100)
    assert [pd["priority"] for pd in spec["pds"] if pd["name"] == "hello"] == [255]
    assert shell["uses"] == {"serial": "serial"}
    assert (shell["rdes"], shell["manages"]) == (["pd"], ["hello", "worker"])
    assert shell["role"] == "server"
    assert shell["path"] == [str(folder), str(folder / "pkg"), str(folder / "folder")]


def test_a_program_brings_its_defaults_and_the_manifest_overrides_them(folder: Path) -> None:
    serial = build(system("every-key"), shm_prefix="cl.0.")["pds"][0]
    assert serial["run"] == {"module": "folder.server", "function": "main", "file": None}
    assert (serial["serves"], serial["threads"], serial["role"]) == ("endpoint", 2, "server")
    assert serial["devices"] == ["uart1"]


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("1", 4096), ("4096", 4096), ("4097", 8192), ("16KiB", 16 << 10), ("4MiB", 4 << 20)]
    + [("1GiB", 1 << 30), ("'4096'", 4096), ("5KiB", 8192)],
)
def test_an_amount_of_memory_is_rounded_up_to_a_page(folder: Path, text: str, size: int) -> None:
    manifest = f"pds: {{hello: {{run: ./hello.py, untyped: {text}}}}}"
    (folder / "size.yaml").write_text(manifest)
    assert build(system("size"), shm_prefix="cl.0.")["pds"][0]["untyped"] == size


def test_the_memory_of_a_program_may_stand_in_its_defaults(folder: Path) -> None:
    (folder / "folder" / "pd.yaml").write_text("untyped: 1MiB")
    (folder / "size.yaml").write_text("path: ['.']\npds: {s: {run: ./folder}}")
    assert build(system("size"), shm_prefix="cl.0.")["pds"][0]["untyped"] == 1 << 20


def test_a_boot_specification_survives_json(folder: Path) -> None:
    for name in GOOD:
        spec = build(system(name), shm_prefix="cl.0.")
        assert json.loads(json.dumps(spec)) == spec


def test_a_system_can_run_under_another_name(folder: Path) -> None:
    assert build(system("smallest"), shm_prefix="cl.0.", name="mine")["name"] == "mine"
    with pytest.raises(ValueError, match="cannot name a system"):
        build(system("smallest"), shm_prefix="cl.0.", name="../escape")


def test_arms_are_for_pds_of_the_system(folder: Path) -> None:
    arm = {"pd": "hello", "action": "crash", "how": "segv", "after": 3}
    assert build(system("smallest"), shm_prefix="cl.0.", arms=[arm])["arms"] == [arm]
    with pytest.raises(ValueError, match="there is no PD helo; the PDs are hello"):
        build(system("smallest"), shm_prefix="cl.0.", arms=[{**arm, "pd": "helo"}])


def test_the_defaults_of_a_folder_are_not_those_of_a_file_in_it(folder: Path) -> None:
    (folder / "m.yaml").write_text("pds: {a: {run: ./folder/server.py}, b: {run: './hello.py'}}\n")
    (folder / "pd.yaml").write_text("serves: endpoint\n")
    assert [pd.serves for pd in check("m.yaml").require().pds] == [None, None]


def test_only_a_pd_that_serves_is_proposed_as_a_provider(folder: Path) -> None:
    (folder / "m.yaml").write_text(
        "pds:\n  serial1: {run: ./hello.py}\n  echo: {run: ./echo.py, serves: endpoint}\n"
        "  hello: {run: ./hello.py, uses: [serial]}\n"
    )
    (problem,) = check("m.yaml").problems
    assert [note.message for note in problem.notes] == ["PDs that serve something: echo"]
    assert problem.fix == "declare `serial` under `pds`, or name one of them"


def test_one_refused_name_is_reported_once_for_all_its_uses(folder: Path) -> None:
    (folder / "m.yaml").write_text(
        "pds:\n  my hello: {run: ./echo.py, serves: endpoint}\n"
        "  other: {run: ./hello.py, uses: {it: my hello}, manages: [my hello]}\n"
    )
    codes = [problem.code for problem in check("m.yaml").problems]
    assert codes == ["CL014", "CL014", "CL014"]  # thrice the name, and no broken route


def test_a_refused_value_breaks_no_route(folder: Path) -> None:
    (folder / "m.yaml").write_text(
        "uarts: uart0\npds:\n  echo: {run: ./echo.py, serves: endpiont, devices: [uart0]}\n"
        "  other: {run: ./hello.py, uses: [echo], args: [1]}\n"
        "  third: {run: ./nope.py, uses: [fourth]}\n  fourth: {run: ./nope.py}\n"
    )
    codes = [problem.code for problem in check("m.yaml").problems]
    assert codes == ["CL012", "CL013", "CL012", "CL031", "CL031"]


def test_all_problems_come_in_one_go_ordered_by_place(folder: Path) -> None:
    problems = check("three-mistakes.yaml").problems
    assert [(each.code, each.place.line) for each in problems] == [
        *(("CL014", 1), ("CL023", 7), ("CL035", 10)),
    ]


def test_a_program_that_does_not_compile_is_reported_once_for_all_its_pds(folder: Path) -> None:
    (folder / "m.yaml").write_text("pds: {a: {run: ./broken.py}, b: {run: ./broken.py}}\n")
    assert [problem.code for problem in check("m.yaml").problems] == ["CL032"]


def test_the_place_of_a_syntax_error_is_that_of_pythons_own_message(folder: Path) -> None:
    (folder / "open.py").write_text('def main(env):\n    lines = ("one",\n    return lines\n')
    (folder / "m.yaml").write_text("pds: {a: {run: ./open.py}}\n")
    (problem,) = check("m.yaml").problems
    assert (problem.code, str(problem.place)) == ("CL032", "open.py:2:13")
    assert problem.message == "open.py does not compile: '(' was never closed"


@pytest.mark.parametrize("text", ["\0", "x = " + "(" * 5000 + ")" * 5000, "\udc80", "# coding: x"])
def test_a_file_python_cannot_read_at_all_is_refused(text: str, folder: Path) -> None:
    (folder / "odd.py").write_bytes(text.encode("utf-8", "surrogateescape"))
    (folder / "m.yaml").write_text("pds: {a: {run: ./odd.py}}\n")
    assert [problem.code for problem in check("m.yaml").problems] == ["CL032"]


def test_what_only_the_checking_process_could_import_is_not_found(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A PD does not see the folder of the script, or of the tests, that boots it."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "shop.py").write_text("def main(env): pass\n")
    (elsewhere / "deep").mkdir()
    (elsewhere / "deep" / "__init__.py").touch()
    monkeypatch.syspath_prepend(elsewhere)
    (folder / "m.yaml").write_text("pds: {a: {run: 'shop:main'}, b: {run: ./pkg/deep}}\n")
    (folder / "pkg" / "deep" / "main.py").write_text("def main(env): pass\n")
    assert [problem.code for problem in check("m.yaml").problems] == ["CL031"]


def test_without_a_second_interpreter_the_own_path_is_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for missing in ("/no/such/python", "/bin/false"):
        monkeypatch.setattr(sys, "executable", missing)
        python_path.cache_clear()
        assert python_path() == tuple(sys.path)
    python_path.cache_clear()


def test_checking_imports_no_code_of_the_user(folder: Path) -> None:
    marker = folder / "imported"
    trap = f"open({str(marker)!r}, 'w').close()\n\ndef main(env): pass\n"
    package = folder / "shop"
    package.mkdir()
    (package / "__init__.py").write_text(trap)
    (package / "counter.py").write_text(trap)
    (folder / "trap.py").write_text(trap)
    (folder / "m.yaml").write_text(
        "pds: {a: {run: ./trap.py}, b: {run: 'shop.counter:main'}, c: {run: 'shop:main'}}\n"
    )
    assert check("m.yaml").render() == ""
    assert not marker.exists()
    assert not list(folder.rglob("__pycache__"))


def test_the_packages_on_the_way_to_a_program_are_compiled_too(folder: Path) -> None:
    (folder / "shop").mkdir()
    (folder / "shop" / "__init__.py").write_text("1 +\n")
    (folder / "shop" / "counter.py").write_text("def main(env): pass\n")
    (folder / "m.yaml").write_text("pds: {a: {run: 'shop.counter:main'}}\n")
    (problem,) = check("m.yaml").problems
    assert (problem.code, str(problem.place)) == ("CL032", "shop/__init__.py:1:4")


def test_a_server_of_resources_and_the_reach_of_deaths_get_into_the_boot_specification(
    folder: Path,
) -> None:
    spec = build(system("spaces"), shm_prefix="cl.0.")
    parking, again, never = spec["pds"]
    assert spec["cleanup"] == {"pd_depth": "all", "space_depth": 2}
    assert parking["cleanup"] == {"space_depth": 0}
    assert (parking["serves"], parking["role"]) == ({"space": "PARKING"}, "server")
    assert (again["cleanup"], again["serves"]) == (None, {"space": "PARKING"})
    assert (never["serves"], never["role"]) == (None, "client")
    assert never["uses"] == {"lot": "parking", "serial": "again"}
    assert parking["rdes"] == ["resspc"]
    assert parking["restart"] == {"policy": "on-failure", "backoff": 0, "max": 3}
    assert again["restart"] == {"policy": "always", "backoff": 0.5, "max": 5}
    assert never["restart"]["policy"] == "no"


def test_each_type_of_resource_needs_a_code_and_spaces_of_one_type_share_it(folder: Path) -> None:
    def manifest(types: int) -> str:
        rows = [f"  p{n}: {{run: ./echo.py, serves: {{space: T{n % types}}}}}" for n in range(300)]
        return "pds:\n" + "\n".join(rows)

    (folder / "many.yaml").write_text(manifest(245))
    assert check("many.yaml").render() == ""
    (folder / "many.yaml").write_text(manifest(246))
    (problem,) = check("many.yaml").problems
    assert (problem.code, problem.place.line) == ("CL019", 247)
    assert problem.message == "`T245` is one type of resource too many"
