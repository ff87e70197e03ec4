"""The house rules a machine can hold: who imports whom, how long a file is, what is a link.

Each test collects every offence before it fails, so that one run names them all.
"""

import ast
import sys
import tomllib
from collections.abc import Iterator

import pytest

from sources import FOLDERS, ROOT, Import, Source, sources

MAX_FILE = 400
GENERATED = {"pd/invocations.py"}
"""One stub per row of the kernel's table; nobody reads it from top to bottom."""
MAX_FUNCTION = 60

PURE = {
    *(
        "__future__",
        "abc",
        "array",
        "bisect",
        "collections",
        "copy",
        "dataclasses",
        "enum",
        "functools",
    ),
    *("hashlib", "heapq", "itertools", "json", "math", "operator", "re", "string", "struct"),
    *("types", "typing", "msgpack"),
    "signal",  # its table of names only: tests/core/test_purity.py looks closer
}
"""What kernel/core and kernel/root may import besides themselves: none can touch the world."""

WORLD = {"open", "print", "input", "exec", "eval", "breakpoint", "__import__"}
"""Built-in functions that would let the pure folders touch it all the same."""

HEAVY = ("pydantic", "networkx", "rich", "typer", "jinja2", "lark", "grpc_tools")
"""Slow to import: never in a PD, in the kernel process or in the zygote."""

ZMQ_FILES = {"kernel/host/loop.py", "pd/transport.py"}

CODE = sources(*FOLDERS)
TESTS = sources("tests")


def told(source: Source, line: int, why: str) -> str:
    return f"{source.name}:{line}: {why}"


def imports_of(*prefixes: str) -> Iterator[tuple[Source, Import]]:
    return ((s, i) for s in CODE if s.under(*prefixes) for i in s.imports)


def test_all_but_three_entries_of_src_caplab_are_links_to_the_folders() -> None:
    package = ROOT / "src" / "caplab"
    entries = {path.name: path for path in package.iterdir() if path.name != "__pycache__"}
    real = {name for name, path in entries.items() if not path.is_symlink()}
    assert real == {"__init__.py", "__main__.py", "py.typed"}
    links = {name: path.readlink().as_posix() for name, path in entries.items() if name not in real}
    assert links == {name: f"../../{name}" for name in (*FOLDERS, "systems")}


def test_ruff_bans_every_bare_folder_name() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    assert set(settings["flake8-tidy-imports"]["banned-api"]) == set(FOLDERS)
    assert "TID" in settings["select"]


def test_nobody_imports_a_folder_by_its_bare_name() -> None:
    bad = [
        told(s, i.line, f"import caplab.{i.module}")
        for s in (*CODE, *TESTS)
        for i in s.imports
        if i.level or i.within(*FOLDERS, "systems", "tests")
    ]
    assert not bad, bad


def test_the_abi_imports_only_the_standard_library() -> None:
    bad = [
        told(s, i.line, i.module)
        for s, i in imports_of("kernel/abi.py")
        if i.module.split(".")[0] not in sys.stdlib_module_names
    ]
    assert not bad, bad


def test_the_core_and_the_root_task_do_no_io() -> None:
    ours = ("caplab.kernel.abi", "caplab.kernel.core", "caplab.kernel.root")
    bad = [
        told(s, i.line, f"{i.module} is not pure")
        for s, i in imports_of("kernel/core", "kernel/root")
        if not i.within(*ours) and i.module.split(".")[0] not in PURE
    ]
    bad += [
        told(s, line, f"{name}() touches the world")
        for s in CODE
        if s.under("kernel/core", "kernel/root")
        for name, line in s.calls()
        if name in WORLD
    ]
    assert not bad, bad


def test_a_pd_knows_of_the_kernel_only_the_abi() -> None:
    bad = [
        told(s, i.line, i.module)
        for s, i in imports_of("pd")
        if i.within("caplab") and not i.within("caplab.pd", "caplab.kernel.abi")
    ]
    assert not bad, bad


def may_import(source: Source, imported: Import) -> bool:
    """Of a server's or client's imports within caplab."""
    folder = ".".join(source.module.split(".")[:3])  # caplab.servers.serial
    if imported.within("caplab.servers"):
        own = imported.within(folder)
        if imported.module.endswith(".server"):
            return own and source.path.name == "parent.py"
        name = imported.module.split(".")[2:]
        return own or len(name) == 1 or (len(name) == 2 and name[1] == "parent")
    if imported.within("caplab.kernel"):
        return imported.within("caplab.kernel.abi")
    return imported.module == "caplab" or imported.within("caplab.pd", folder)


def test_servers_and_clients_use_a_server_only_by_its_client_api_and_parent() -> None:
    bad = [
        told(s, i.line, i.module)
        for s, i in imports_of("servers", "clients")
        if i.within("caplab") and not may_import(s, i)
    ]
    assert not bad, bad


@pytest.mark.parametrize(
    ("importer", "module", "allowed"),
    [
        ("clients/hello/main.py", "caplab.servers.serial", True),
        ("clients/hello/main.py", "caplab.servers.serial.parent", True),
        ("clients/hello/main.py", "caplab.servers.serial.server", False),
        ("clients/hello/main.py", "caplab.servers.serial.client", False),
        ("clients/hello/main.py", "caplab.kernel.abi", True),
        ("clients/hello/main.py", "caplab.kernel.core.cap", False),
        ("clients/hello/main.py", "caplab.clients.shell.main", False),
        ("clients/hello/main.py", "caplab.scripts.cli", False),
        ("servers/serial/parent.py", "caplab.servers.serial.server", True),
        ("servers/serial/client.py", "caplab.servers.serial.server", False),
        ("servers/other/parent.py", "caplab.servers.serial.server", False),
        ("servers/serial/server.py", "caplab.servers.serial.client", True),
    ],
)
def test_the_rule_for_servers_and_clients_says_what_it_should(
    importer: str, module: str, allowed: bool
) -> None:
    assert may_import(Source(ROOT / importer), Import(module, 1)) is allowed


def named(source: Source, imported: Import) -> bool:
    """The manifest and the runtime must find the same program under a name."""
    return source.under("kernel/boot") and imported.within("caplab.pd.modules")


def test_the_kernel_never_imports_what_it_runs() -> None:
    bad = [
        told(s, i.line, i.module)
        for s, i in imports_of("kernel")
        if i.within("caplab.servers", "caplab.clients", "caplab.scripts")
        or (i.within("caplab.pd") and s.name != "kernel/host/zygote.py" and not named(s, i))
    ]
    assert not bad, bad


def test_zmq_is_imported_in_two_files() -> None:
    inside = ("kernel", "pd", "servers", "clients")
    found = {s.name for s, i in imports_of(*inside) if i.within("zmq")}
    assert found <= ZMQ_FILES


def test_confinement_knows_only_the_standard_library_and_itself() -> None:
    bad = [
        told(s, i.line, i.module)
        for s, i in imports_of("kernel/confine")
        if not i.within("caplab.kernel.confine")
        and i.module.split(".")[0] not in sys.stdlib_module_names
    ]
    assert not bad, bad


def test_heavy_libraries_stay_out_of_pds_and_of_the_kernel_process() -> None:
    inside = (
        *("kernel/abi.py", "kernel/core", "kernel/root", "kernel/host"),
        "kernel/confine",
    )
    bad = [
        told(s, i.line, i.module)
        for s, i in imports_of(*inside, "pd", "servers", "clients")
        if i.within(*HEAVY)
    ]
    assert not bad, bad


def test_importing_a_module_does_nothing() -> None:
    bad = [
        told(s, node.lineno, ast.unparse(node))
        for s in CODE
        for node in s.tree.body
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    ]
    bad += [
        told(s, node.lineno, ast.unparse(node) + ": state belongs in an object")
        for s in CODE
        for node in ast.walk(s.tree)
        if isinstance(node, ast.Global)
    ]
    assert not bad, bad


def test_no_file_is_longer_than_an_evening_allows() -> None:
    lengths = {s.name: len(s.text.splitlines()) for s in (*CODE, *TESTS)}
    written = {name: n for name, n in lengths.items() if name not in GENERATED}
    long = {name: n for name, n in written.items() if n > MAX_FILE}
    assert not long, long


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of the body; a docstring may be as long as its facts need."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def test_no_function_is_longer_than_a_screen() -> None:
    long = [
        told(s, node.lineno, f"{node.name}: {length(node)} lines")
        for s in (*CODE, *TESTS)
        for node in ast.walk(s.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and length(node) > MAX_FUNCTION
    ]
    assert not long, long


def test_every_folder_of_code_has_a_readme() -> None:
    folders = {s.path.parent for s in CODE} | {
        ROOT / name for name in ("src", "tests", "tests/support", "docs", "systems")
    }
    missing = [str(f.relative_to(ROOT)) for f in sorted(folders) if not (f / "README.md").is_file()]
    assert not missing, missing


def test_every_module_says_what_it_is() -> None:
    bad = [s.name for s in CODE if ast.get_docstring(s.tree) is None]
    assert not bad, bad


def test_no_module_is_named_for_nothing() -> None:
    vague = {"utils", "util", "helpers", "common", "misc"}
    assert not [s.name for s in (*CODE, *TESTS) if s.path.stem in vague]


def test_no_mark_of_unfinished_work_is_left() -> None:
    words = ("TO" + "DO", "FIX" + "ME", "X" * 3, "NotImplemented" + "Error")
    bad = [
        told(s, number, word)
        for s in (*CODE, *TESTS)
        for number, line in enumerate(s.text.splitlines(), 1)
        for word in words
        if word in line
    ]
    assert not bad, bad


def test_tests_wait_on_events_and_never_sleep() -> None:
    bad = [
        told(s, line, "wait on what will happen")
        for s in TESTS
        for name, line in s.calls()
        if name == "time.sleep"
    ]
    bad += [
        told(s, node.lineno, "wait on what will happen")
        for s in TESTS
        for node in ast.walk(s.tree)
        if isinstance(node, ast.ImportFrom)
        and node.module == "time"
        and any(alias.name == "sleep" for alias in node.names)
    ]
    assert not bad, bad
