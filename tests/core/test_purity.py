"""kernel/core and kernel/root touch nothing outside themselves. A shorter list than the house's."""

import ast

from sources import Source, sources

CODE = sources("kernel/core", "kernel/root")
ALLOWED = {
    "__future__",
    "bisect",
    "collections",
    "collections.abc",
    "hashlib",
    "heapq",
    "math",
    "msgpack",
    "re",
    "signal",
    "struct",
    "types",
    "typing",
}
ONLY = {"signal": {"Signals"}, "hashlib": {"sha256"}}
"""Of these, the harmless part alone: a table of numbers, a hash."""
WORLD = {
    *("open", "print", "input", "exec", "eval", "compile", "breakpoint", "__import__"),
    *("globals", "vars", "id", "hash", "exit"),
}
"""Of the last line `id` and `hash` differ from run to run; a replay would differ with them."""


MAKERS = ("dict", "list", "set", "deque", "count")


def told(source: Source, line: int, what: str) -> str:
    return f"{source.name}:{line}: {what}"


def test_the_pure_folders_import_a_short_list_and_each_other() -> None:
    ours = ("caplab.kernel.abi", "caplab.kernel.core", "caplab.kernel.root")
    bad = [
        told(s, i.line, i.module)
        for s in CODE
        for i in s.imports
        if not i.within(*ours) and i.module not in ALLOWED
    ]
    assert not bad, bad


def test_of_modules_that_could_do_more_only_the_harmless_names_are_taken() -> None:
    bad = []
    for s in CODE:
        for node in ast.walk(s.tree):
            if isinstance(node, ast.ImportFrom) and node.module in ONLY:
                names = {alias.name for alias in node.names}
                bad += [told(s, node.lineno, name) for name in names - ONLY[node.module]]
            if isinstance(node, ast.Import):
                bad += [
                    told(s, node.lineno, f"from {alias.name} import … what is needed")
                    for alias in node.names
                    if alias.name == "signal"
                ]
    assert not bad, bad


def test_nothing_is_called_that_touches_the_world_or_differs_from_run_to_run() -> None:
    checks = {"kernel/core/invariants.py": {"id"}}  # told apart within one check, never kept
    bad = [
        told(s, line, f"{name}()")
        for s in CODE
        for name, line in s.calls()
        if name in WORLD - checks.get(s.name, set())
    ]
    assert not bad, bad


def test_no_clock_thread_log_or_randomness_is_even_named() -> None:
    words = {"time", "random", "secrets", "threading", "logging", "os", "sys", "socket", "asyncio"}
    bad = [
        told(s, node.lineno, node.id)
        for s in CODE
        for node in ast.walk(s.tree)
        if isinstance(node, ast.Name) and node.id in words
    ]
    assert not bad, bad


def test_no_generator_keeps_state_between_steps() -> None:
    """Jobs are data, so that they are hashed and replayed; invariants and truths only read."""
    bad = [
        told(s, node.lineno, "yield")
        for s in CODE
        if s.path.name not in ("invariants.py", "truths.py")
        for node in ast.walk(s.tree)
        if isinstance(node, ast.Yield | ast.YieldFrom | ast.AsyncFunctionDef)
    ]
    assert not bad, bad


def test_no_set_is_walked_through() -> None:
    """The order of a set is not that of its making. Sets here are asked, or sorted first."""
    bad = []
    for s in CODE:
        sets = {
            node.target.attr
            for node in ast.walk(s.tree)
            if isinstance(node, ast.AnnAssign)
            and isinstance(node.target, ast.Attribute)
            and ast.unparse(node.annotation).startswith("set[")
        }
        for node in ast.walk(s.tree):
            walked = node.iter if isinstance(node, ast.For | ast.comprehension) else None
            if isinstance(walked, ast.Attribute) and walked.attr in sets | {"to_stop"}:
                bad.append(told(s, walked.lineno, ast.unparse(walked)))
            if isinstance(walked, ast.Set | ast.SetComp):
                bad.append(told(s, walked.lineno, ast.unparse(walked)))
    assert not bad, bad


def test_no_module_holds_state() -> None:
    """Module-level names are constants: no empty list, map or queue waits there to be filled."""
    bad = []
    for s in CODE:
        for node in s.tree.body:
            value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
            made = isinstance(value, ast.List | ast.Dict | ast.Set)
            empty = made and not ast.unparse(value)[1:-1]
            called = isinstance(value, ast.Call) and ast.unparse(value.func) in MAKERS
            if empty or called:
                bad.append(told(s, node.lineno, ast.unparse(node)))
    assert not bad, bad
