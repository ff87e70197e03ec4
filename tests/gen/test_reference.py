"""docs/reference.md is what the table says."""

from caplab.kernel.core.syscalls import INVOCATIONS, SYSCALLS
from caplab.scripts.gen import reference


def test_the_committed_reference_is_what_the_table_says() -> None:
    assert reference.OUTPUT.read_text() == reference.page()


def test_every_row_has_an_entry_with_a_sentence() -> None:
    text = reference.page()
    assert text.count("\n### ") == len(SYSCALLS) + len(INVOCATIONS)
    assert "\n\n\n" not in text
