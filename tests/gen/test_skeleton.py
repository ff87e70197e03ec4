"""What `caplab new` makes, and the names it refuses."""

from pathlib import Path

import pytest

from caplab.kernel.boot.generated import stale
from caplab.kernel.boot.manifest import check
from caplab.scripts.gen.idl.files import generate, write
from caplab.scripts.gen.skeleton import MAKERS, BadName, checked, make


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def texts(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["parking", "parking_lot", "p2"])
def test_a_new_server_has_the_name_everywhere_and_the_word_sample_nowhere(
    folder: Path, name: str
) -> None:
    make("server", Path(name))
    made = texts(folder)
    assert {f"{name}.proto", f"{name}_pb2.py", f"test_{name}.py", "server.py"} <= made.keys()
    assert not [file for file, text in made.items() if "sample" in (file + text).lower()]
    assert list(stale(folder / name)) == []
    assert all(file in made["README.md"] for file in ("example.yaml", f"test_{name}.py"))
    assert f"type_name = {name.upper()!r}".replace("'", '"') in made["server.py"]
    for file, text in made.items():
        if file.endswith(".py"):
            compile(text, file, "exec")


@pytest.mark.parametrize("name", ["parking", "parking_lot", "x_y"])
def test_a_new_component_imports_what_was_made_of_its_interface(folder: Path, name: str) -> None:
    make("component", folder / name)
    made = texts(folder)
    assert list(stale(folder / name)) == []
    leaf = name if name != "x_y" else "xy"
    for side in ("interface", "client", "server"):
        assert f"{leaf}_{side}.py" in made
    assert f"from {name}.{leaf}_client import" in made["__init__.py"]
    assert f"from {name}.{leaf}_interface import" in made[f"{leaf}_client.py"]
    outcome = check(str(folder / name / "example.yaml"))
    assert outcome.ok, outcome.render()
    before = dict(made)
    write(generate([folder / name / f"{name}.idl"]))
    assert texts(folder) == before


@pytest.mark.parametrize("name", ["parking", "parking_lot"])
def test_the_example_of_a_new_server_is_a_good_manifest(folder: Path, name: str) -> None:
    make("server", folder / name)
    outcome = check(str(folder / name / "example.yaml"))
    assert outcome.ok, outcome.render()


def test_a_new_system_is_a_good_manifest_and_a_client_a_good_program(folder: Path) -> None:
    make("system", folder / "mine")
    make("client", folder / "mine" / "driver")
    manifest = folder / "mine" / "caplab.yaml"
    added = "  driver:\n    run: ./driver\n    uses: {console: serial}\n"
    manifest.write_text(manifest.read_text() + added)
    outcome = check(str(manifest))
    assert outcome.ok, outcome.render()
    assert outcome.require().name == "mine"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("Parking", "lower-case letter"),
        ("my-server", "lower-case letters, digits and _"),
        ("2nd", "begin with a lower-case letter"),
        ("größe", "lower-case letter"),
        ("x" * 32, "longer than 31"),
        ("class", "a word of Python's own"),
        ("match", "a word of Python's own"),
        ("queue", "the name of another module"),
        ("yaml", "the name of another module"),
        ("caplab", "the name of another module"),
        ("sample", "the name of another module"),
        ("server", "the name of another module"),
        ("mo", "the root task itself serves"),
        ("pd", "the root task itself serves"),
    ],
)
@pytest.mark.parametrize("kind", MAKERS)
def test_a_bad_name_is_refused_with_a_sentence_and_nothing_is_made(
    folder: Path, kind: str, name: str, why: str
) -> None:
    with pytest.raises(BadName, match=why):
        make(kind, Path(name))
    assert not list(folder.iterdir())


@pytest.mark.parametrize("name", ["endpoint", "env", "place", "holder", "ground", "no_room"])
def test_a_server_is_not_called_what_its_own_text_calls_something_else(
    folder: Path, name: str
) -> None:
    with pytest.raises(BadName, match="uses for something else"):
        make("server", Path(name))
    assert not list(folder.iterdir())
    make("client", Path(name))


def test_nothing_is_written_over(folder: Path) -> None:
    make("client", Path("driver"))
    before = texts(folder)
    for kind in MAKERS:
        with pytest.raises(BadName, match="is there already"):
            make(kind, Path("driver"))
    Path("lot").write_text("a file")
    with pytest.raises(BadName, match="is there already"):
        make("server", Path("lot"))
    assert texts(folder) == before | {"lot": "a file"}


def test_an_empty_folder_and_folders_that_are_not_there_yet_will_do(folder: Path) -> None:
    Path("driver").mkdir()
    make("client", Path("driver"))
    assert Path("driver/main.py").is_file()
    assert checked(Path("a/b/pilot")) == "pilot"
    make("client", Path("a/b/pilot"))
    assert Path("a/b/pilot/main.py").is_file()


def test_a_server_that_cannot_be_made_leaves_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(name: str, where: Path) -> None:
        (where / "half").write_text("")
        raise OSError("the disk is full")

    monkeypatch.setitem(MAKERS, "server", fail)
    with pytest.raises(OSError, match="full"):
        make("server", Path("parking"))
    assert not list(folder.iterdir())
