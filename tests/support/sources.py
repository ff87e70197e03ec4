"""The project's own Python files, read as syntax trees for the house rules."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("kernel", "pd", "servers", "clients", "scripts")


@dataclass(frozen=True)
class Import:
    """One imported module: `from caplab.kernel import abi` is `caplab.kernel.abi`."""

    module: str
    line: int
    level: int = 0

    def within(self, *packages: str) -> bool:
        return any(self.module == name or self.module.startswith(name + ".") for name in packages)


@dataclass(frozen=True)
class Source:
    """One file; `name` is its path in the tree, `module` the name it is imported by."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @property
    def module(self) -> str:
        parts = ("caplab", *self.path.relative_to(ROOT).with_suffix("").parts)
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @cached_property
    def text(self) -> str:
        return self.path.read_text()

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, str(self.path))

    def under(self, *prefixes: str) -> bool:
        return any(self.name == p or self.name.startswith(p.rstrip("/") + "/") for p in prefixes)

    @cached_property
    def imports(self) -> list[Import]:
        """All of them: at the top, in functions, and for the type checker alone."""
        found = []
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found += [Import(alias.name, node.lineno) for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                found += [_from(node, alias.name) for alias in node.names]
        return found

    def calls(self) -> Iterator[tuple[str, int]]:
        """Dotted names that are called, with their lines: `time.sleep`, `open`."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                yield ast.unparse(node.func), node.lineno


def _from(node: ast.ImportFrom, name: str) -> Import:
    module = node.module or ""
    if module.split(".")[0] == "caplab" and _is_module(f"{module}.{name}"):
        module = f"{module}.{name}"
    return Import(module, node.lineno, node.level)


def _is_module(dotted: str) -> bool:
    place = ROOT.joinpath(*dotted.split(".")[1:])
    return place.with_suffix(".py").exists() or (place / "__init__.py").exists()


def generated(path: Path) -> bool:
    if path.stem.endswith("_pb2") or "generated" in path.parts:
        return True
    with path.open() as text:
        return text.readline().startswith("# Made by `caplab gen`")


def sources(*folders: str) -> list[Source]:
    """Every Python file written by hand under the folders, in order of name."""
    paths = (path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return [Source(path) for path in sorted(paths) if not generated(path)]
