"""Write docs/conformance.md: `python -m caplab.scripts.gen.conformance`.

One row per case of sel4test: the list in tests/sel4test/cases.csv, joined with the tests whose
docstrings name a case (`ID: what it asserts`, or several ids before the colon).
"""

import ast
import csv
import re
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
OUTPUT = ROOT / "docs" / "conformance.md"
TESTS = ROOT / "tests"
CASES = TESTS / "sel4test" / "cases.csv"
MADE = "<!-- made by `python -m caplab.scripts.gen.conformance` from the tests' docstrings -->"
CLASSES = {
    "D": "direct",
    "P": "priorities",
    "F": "faults",
    "M": "MCS object logic",
    "N": "",
}
HELD, NOT_YET, NOT_APPLICABLE = "held", "not yet", "not applicable"
IDS = re.compile(r"([A-Z][A-Z_]*\d+(?:, [A-Z][A-Z_]*\d+)*): ")


class Case(NamedTuple):
    """A case of sel4test."""

    id: str
    kind: str
    kernel: str
    why_not: str

    @property
    def applicable(self) -> bool:
        """Can a process-level emulator of the classic kernel re-create it?"""
        return self.kind != "N" and self.kernel != "MCS"

    @property
    def reason(self) -> str:
        """Why it is not applicable."""
        return self.why_not if self.kind == "N" else "MCS kernel; caplab has classic semantics"


class Test(NamedTuple):
    """A test that re-creates cases."""

    ids: tuple[str, ...]
    asserts: str
    name: str
    path: str


def cases() -> list[Case]:
    """Every case, in the order of the ids."""
    with CASES.open(encoding="utf-8", newline="") as file:
        _, *rows = csv.reader(file)
    return sorted(Case(*row) for row in rows)


def tests() -> list[Test]:
    """Every test that names a case in its docstring, in the order of the files."""
    found = []
    for path in sorted(TESTS.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                paragraph = " ".join((ast.get_docstring(node) or "").split("\n\n")[0].split())
                match = IDS.match(paragraph)
                if match:
                    ids = tuple(match[1].split(", "))
                    says = paragraph[match.end() :]
                    found.append(Test(ids, says, node.name, path.relative_to(ROOT).as_posix()))
    return found


def row(case: Case, by: list[Test]) -> str:
    """One line of the table."""
    asserts = "<br>".join(dict.fromkeys(_cell(test.asserts) for test in by))
    links = "<br>".join(f"[{_sentence(test)}](../{test.path})" for test in by)
    if by:
        verdict = HELD
    elif case.applicable:
        verdict = NOT_YET
    else:
        verdict, asserts = NOT_APPLICABLE, case.reason
    return f"| `{case.id}` | {CLASSES[case.kind]} | {asserts} | {links} | {verdict} |"


def _sentence(test: Test) -> str:
    return test.name.removeprefix("test_").replace("_", " ")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def page() -> str:
    """The whole page."""
    by_id: dict[str, list[Test]] = {}
    for test in tests():
        for name in test.ids:
            by_id.setdefault(name, []).append(test)
    listed = cases()
    applicable = [case for case in listed if case.applicable]
    held = sum(case.id in by_id for case in applicable)
    head = f"""# Conformance

{MADE}

sel4test, the test suite of seL4, has {len(listed)} cases. {len(applicable)} of them can be
re-created by an emulator whose protection domains are processes and whose kernel is the classic
one, without MCS: **{held} of {len(applicable)} are held**. Each is told in caplab's own words and
run under `semantics: sel4`; where a case asserts less than it means to, its intent is tested: all
sixteen masks of rights, all lengths of message. Most run against the kernel core inside one
process, messages, rights and the serial server between real processes too. The rest needs
hardware or a clock that caplab does not have, or the MCS kernel.

A case is `{HELD}` when a test of this repository names it; the tests run at every change."""
    table = ["| Case | Class | Asserts | Test | Verdict |", "|---|---|---|---|---|"]
    first = [row(case, by_id.get(case.id, [])) for case in applicable]
    rest = [row(case, []) for case in listed if not case.applicable]
    why = ["| Case | Class | Why not | Test | Verdict |", "|---|---|---|---|---|"]
    parts = [head, "## Applicable", "\n".join(table + first)]
    parts += ["## Not applicable", "\n".join(why + rest)]
    return "\n\n".join(parts) + "\n"


def main() -> int:
    """Write the page; with `--check` only say whether it is up to date."""
    wanted = page()
    if "--check" in sys.argv[1:]:
        return int(not OUTPUT.exists() or OUTPUT.read_text("utf-8") != wanted)
    OUTPUT.write_text(wanted, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
