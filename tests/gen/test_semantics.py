"""docs/semantics.md is what the docstrings say, and nothing that differs is left out."""

import ast

from caplab.kernel.core.syscalls import INVOCATIONS, SYSCALLS
from caplab.scripts.gen import semantics

SAID_ELSEWHERE = {
    "blocking.py: suspend",
    "blocking.py: resume",
    "fault.py: missing",
    "fault.py: capability",
    "fault.py: handler",
    "fault.py: unhandled",
    "kernel.py: answer_frame",
    "kernel.py: restart_or_free",
    "kernel.py: silent",
}
"""By the handler in tcb.py, at the head of fault.py, and for the whole kernel in outcome.py."""


def test_the_committed_page_is_what_the_docstrings_say() -> None:
    assert semantics.OUTPUT.read_text("utf-8") == semantics.page(), (
        "run python -m caplab.scripts.gen.semantics"
    )


def test_sentences_are_sorted_by_the_mode_they_hold_in() -> None:
    found = semantics.difference("x", "lab mode tells. The host decides; seL4 | does not")
    assert found == ("x", "Lab mode tells.", "The host decides; seL4 \\| does not.")
    assert semantics.difference("x", "seL4 drops it; in lab mode it is told").both == ""


def test_a_differs_ends_at_the_next_heading_or_paragraph() -> None:
    doc = """Do it.

    Differs: one
        and two
    Errors:  three

    Four.
    """
    assert semantics.differs(doc) == "one and two"
    assert semantics.differs("Do it.") == semantics.differs(None) == ""


def test_every_difference_of_the_table_is_on_the_page() -> None:
    page = semantics.page()
    for row in (*SYSCALLS, *INVOCATIONS):
        if "Differs:" in (row.handler.__doc__ or ""):
            name = getattr(row, "name", "") or row.number.name.lower()
            assert f"\n| `{name}` |" in page


def test_whatever_asks_for_the_mode_says_what_differs() -> None:
    """A public function of the core that does one thing in lab mode and another in seL4's."""
    silent = {
        f"{path.name}: {node.name}"
        for path in sorted((semantics.ROOT / "kernel" / "core").glob("*.py"))
        if path.name not in ("state.py", "invariants.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
        if any(isinstance(part, ast.Attribute) and part.attr == "lab" for part in ast.walk(node))
        if not semantics.differs(ast.get_docstring(node))
    }
    assert silent <= SAID_ELSEWHERE
