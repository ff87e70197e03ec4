"""Beginnings of a user's own servers, clients and systems: what `caplab new` makes.

A resource server is caplab's sample server with the word replaced, so what is copied is what is
tested; a component is made of templates, and its test is run by ours.
"""

from __future__ import annotations

import importlib.util
import keyword
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from string import Template

from caplab.kernel.abi import ResourceType
from caplab.scripts.gen.idl.files import generate
from caplab.scripts.gen.idl.files import write as write_idl
from caplab.scripts.gen.idl.words import GENERATED, snake
from caplab.scripts.gen.protos import write

CAPLAB = Path(__file__).parents[2]
TEMPLATES = CAPLAB / "scripts" / "templates"
LONGEST = 31
"""Characters of a name: it becomes that of a type of resource."""
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_TAKEN = {"caplab", "sample", "google", "test", "tests", "server", "client", "protocol", "root"}
_SERVICES = {kind.name.lower() for kind in ResourceType} | {"domain"}


_LAST_ROW = "| `pd.yaml` | what a manifest need not say: it serves a space |\n"
_MORE_ROWS = """\
| `example.yaml`, `example.py` | a system with the server and two clients, for `caplab up` |
| `test_sample.py` | a test for `pytest`: the model, a client's crash, a space that a policy takes |
"""


class BadName(ValueError):
    """A name that something new cannot have; the message is a sentence."""


def checked(path: Path) -> str:
    """The name of something new at a path: that of its folder. Raises BadName."""
    name = path.resolve().name
    if not _NAME.fullmatch(name):
        raise BadName(
            f"{name!r} cannot be imported by that name: begin with a lower-case letter, and use"
            " lower-case letters, digits and _ alone"
        )
    if len(name) > LONGEST:
        raise BadName(f"{name!r} is longer than {LONGEST} characters")
    if keyword.iskeyword(name) or keyword.issoftkeyword(name):
        raise BadName(f"{name!r} is a word of Python's own")
    if name in _SERVICES:
        raise BadName(f"{name!r} is what the root task itself serves")
    if name in _TAKEN or name in sys.stdlib_module_names or _importable(name, path):
        raise BadName(f"{name!r} is the name of another module, which would be imported instead")
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise BadName(f"{path} is there already, and nothing is written over")
    return name


def _importable(name: str, path: Path) -> bool:
    spec = importlib.util.find_spec(name)
    if spec is None:
        return False
    places = list(spec.submodule_search_locations or ()) or [spec.origin or ""]
    return any(Path(place).resolve() != path.resolve() for place in places)


def server(name: str, folder: Path) -> None:
    """A resource server with its test and an example. Raises BadName."""
    change = _renaming(name)
    sources = {change(file.name): file for file in _sources(CAPLAB / "servers" / "sample")}
    sources[change("test_sample.py")] = TEMPLATES / "test_sample.py"
    sources["example.py"] = CAPLAB / "clients" / "sample" / "main.py"
    texts = {made: file.read_text() for made, file in sources.items()}
    written = (CAPLAB / "systems" / "sample.yaml").read_text()
    _distinct(name, "\n".join((*texts.values(), written)))
    texts["README.md"] = texts["README.md"].replace(_LAST_ROW, _LAST_ROW + _MORE_ROWS)
    for made, text in texts.items():
        (folder / made).write_text(change(text))
    manifest = _aligned(change(written))
    manifest = manifest.replace(f"name: {name}\n", f"name: {name}\npath: [..]\n", 1)
    (folder / "example.yaml").write_text(manifest)
    write(folder / f"{name}.proto")


def _aligned(text: str) -> str:
    """A manifest whose words have other lengths now, with its comments in columns again."""
    text = re.sub(r"(?m)^#   (caplab .*?)  +", lambda told: f"#   {told[1]:<31}", text)
    return re.sub(r"(?m)^( +\S.*?)  +#", r"\1  #", text)


def _distinct(name: str, text: str) -> None:
    """Refuse a name that means something else already in the text that it is put into."""
    classes = set(re.findall(r"\b[A-Z]\w*", text))
    pds = set(re.findall(r"^  (\w+):$", text, re.MULTILINE))
    if name in pds or classes & {_camel(name), f"{_camel(name)}Server", name.upper()}:
        raise BadName(f"{name!r} is a word that the server or its example uses for something else")


def component(name: str, folder: Path) -> None:
    """A server of an interface, with its test and an example."""
    if _camel(name) in {"Path", "System", "Env", "NoSuchText", "OutOfRange"} | GENERATED:
        raise BadName(f"{name!r} is a word that the server or its example uses for something else")
    files = {
        f"{name}.idl": "interface",
        "__init__.py": "init",
        "server.py": "server",
        "example.py": "example",
        "example.yaml": "example_yaml",
        "pd.yaml": "pd_yaml",
        f"test_{name}.py": "test",
        "README.md": "readme",
    }
    _fill(name, folder, {file: f"idl/{template}" for file, template in files.items()})
    write_idl(generate([folder / f"{name}.idl"], package=name))


def client(name: str, folder: Path) -> None:
    """A program that prints on the console."""
    (folder / "__init__.py").write_text(f'"""{_camel(name)}, a client."""\n')
    _fill(name, folder, {"main.py": "client_main", "README.md": "client_readme"})


def system(name: str, folder: Path) -> None:
    """A manifest, and a program that it runs."""
    _fill(name, folder, {"caplab.yaml": "system_caplab", "hello.py": "system_hello"})


MAKERS: dict[str, Callable[[str, Path], None]] = {
    "server": server,
    "component": component,
    "client": client,
    "system": system,
}


def make(kind: str, path: Path) -> list[Path]:
    """Make a folder with something new, all of it or nothing; its files. Raises BadName, OSError"""
    name = checked(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{name}.") as workshop:
        folder = Path(workshop, name)
        folder.mkdir()
        MAKERS[kind](name, folder)
        if path.exists():
            path.rmdir()  # it is empty
        shutil.move(folder, path)
    return sorted(path.iterdir())


def _sources(folder: Path) -> Iterator[Path]:
    """The files written by hand; what is generated is generated anew."""
    for file in sorted(folder.iterdir()):
        if file.is_file() and not file.stem.endswith("_pb2"):
            yield file


def _renaming(name: str) -> Callable[[str], str]:
    """From the sample server's text to that of a server of another name, beside its manifest."""
    words = (
        ("caplab.servers.sample", name),
        ("servers.sample", f"./{name}"),
        ("servers/sample", name),
        ("clients.sample", "./example.py"),
        ("caplab up sample", f"caplab up {name}/example.yaml"),
        ("sample", name),
        ("Sample", _camel(name)),
        ("SAMPLE", name.upper()),
    )
    found = re.compile("|".join(re.escape(word) for word, _ in words))
    return lambda text: found.sub(lambda match: dict(words)[match[0]], text)


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _fill(name: str, folder: Path, templates: dict[str, str]) -> None:
    for file, template in templates.items():
        text = (TEMPLATES / f"{template}.txt").read_text()
        leaf = snake(_camel(name))
        filled = Template(text).substitute(name=name, Name=_camel(name), leaf=leaf)
        (folder / file).write_text(filled)
