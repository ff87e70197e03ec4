"""Write docs/semantics.md: `python -m caplab.scripts.gen.semantics`.

Every difference from seL4 stands in a docstring under the heading `Differs`: of a handler of the
kernel's table, of another function of the kernel, or of a library or server. A sentence of it
that speaks of lab mode holds under `semantics: lab`; any other holds in both modes.
"""

import ast
import inspect
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from caplab.kernel.abi import ObjectType
from caplab.kernel.core.rows import Invocation, Syscall
from caplab.kernel.core.syscalls import INVOCATIONS, SYSCALLS
from caplab.scripts.gen.reference import HEADING

ROOT = Path(__file__).resolve().parents[2]
OUTPUT = ROOT / "docs" / "semantics.md"
MADE = "<!-- made by `python -m caplab.scripts.gen.semantics` from the Differs of docstrings -->"
KERNEL = ("kernel/core", "kernel/root", "kernel/host")
LIBRARIES = ("pd", "servers")
HEAD = f"""# How caplab differs from seL4

{MADE}

The specification is the classic (non-MCS) seL4. `semantics: sel4` in a manifest behaves as that
kernel does, its silences included; [conformance.md](conformance.md) says how far that is tested.
`semantics: lab`, the default, answers with an error and a reason wherever seL4 says nothing, and
frees every caller whose reply can never come. Below is each difference that there is: those of
lab mode alone, and those of both modes, which come from running on processes of a host.
[reference.md](reference.md) describes each call whole."""
TABLE = "| | In lab mode | In both modes |\n|---|---|---|"

Documented = ast.Module | ast.ClassDef | ast.FunctionDef


class Difference(NamedTuple):
    """What one docstring says under `Differs`."""

    title: str
    lab: str
    both: str

    def row(self) -> str:
        return f"| {self.title} | {self.lab} | {self.both} |"


def differs(doc: str | None) -> str:
    """The text under the heading `Differs` of a docstring, in one line; empty if it has none."""
    parts = HEADING.split(inspect.cleandoc(doc or ""))
    found = dict(zip(parts[1::2], parts[2::2], strict=True))
    return " ".join(found.get("Differs", "").split("\n\n")[0].split())


def difference(title: str, text: str) -> Difference:
    """Sort the sentences of a `Differs` by the mode in which they hold."""
    sentences = re.split(r"(?<=\.) (?=[A-Z])", text.rstrip("."))
    sentences = [_sentence(one) for one in sentences]
    lab = [one for one in sentences if re.search(r"\b[Ll]ab mode\b", one)]
    both = [one for one in sentences if one not in lab]
    return Difference(title, *(" ".join(part).replace("|", "\\|") for part in (lab, both)))


def _sentence(text: str) -> str:
    first = text if text.startswith("seL4") else text[0].upper() + text[1:]
    return first.rstrip(".") + "."


def of_rows(rows: Sequence[Syscall | Invocation]) -> Iterator[Difference]:
    """What differs in handlers of the table."""
    for row in rows:
        text = differs(row.handler.__doc__)
        if text:
            name = row.name if isinstance(row, Invocation) else row.number.name.lower()
            yield difference(f"`{name}`", text)


def of_files(folders: tuple[str, ...]) -> Iterator[Difference]:
    """What differs in functions, classes and modules that are no handlers."""
    rows: tuple[Syscall | Invocation, ...] = (*SYSCALLS, *INVOCATIONS)
    handlers = {
        (Path(inspect.getfile(row.handler)).resolve(), row.handler.__name__) for row in rows
    }
    for path in sorted(path for each in folders for path in (ROOT / each).rglob("*.py")):
        for title, node in _documented(ast.parse(path.read_text("utf-8")), ""):
            text = differs(ast.get_docstring(node))
            if text and (path, title) not in handlers:
                module = path.relative_to(ROOT).with_suffix("").as_posix()
                name = f"`{module}`" + (f" `{title}`" if title else "")
                yield difference(f"{name}: {_first(node)}", text)


def _first(node: Documented) -> str:
    """What it is, as its docstring begins."""
    return " ".join((ast.get_docstring(node) or "").split("\n\n")[0].split())


def _documented(node: Documented, title: str) -> Iterator[tuple[str, Documented]]:
    yield title, node
    for child in node.body:
        if isinstance(child, ast.ClassDef | ast.FunctionDef):
            yield from _documented(child, f"{title}.{child.name}".lstrip("."))


def page() -> str:
    """The whole page."""
    parts = [HEAD, "## System calls", _table(of_rows(list(SYSCALLS)))]
    for kind in ObjectType:
        found = list(of_rows([row for row in INVOCATIONS if row.object is kind]))
        if found:
            parts += [f"## On {_article(kind.name)} {kind.name} capability", _table(iter(found))]
    parts += ["## Elsewhere in the kernel", _table(of_files(KERNEL))]
    parts += ["## Libraries and servers", _table(of_files(LIBRARIES))]
    return "\n\n".join(parts) + "\n"


def _article(word: str) -> str:
    return "an" if word[0] in "AEIOU" else "a"


def _table(found: Iterator[Difference]) -> str:
    return "\n".join([TABLE, *(each.row() for each in found)])


def main() -> int:
    """Write the page; with `--check` only say whether it is up to date."""
    wanted = page()
    if "--check" in sys.argv[1:]:
        return int(not OUTPUT.exists() or OUTPUT.read_text("utf-8") != wanted)
    OUTPUT.write_text(wanted, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
