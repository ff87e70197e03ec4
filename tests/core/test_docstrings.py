"""The table and the docstrings of its handlers say the same.

The reference page and the stubs come from both, so a heading that is misspelt or an argument that
is missing would be missing there.
"""

import inspect
import re

import pytest

from caplab.kernel.abi import Inv, ObjectType, Status, Sys
from caplab.kernel.core.syscalls import (
    INVOCATION_ROWS,
    INVOCATIONS,
    OBJECTS,
    ROWS,
    SYSCALLS,
    Invocation,
    Syscall,
)

HEADINGS = ("seL4", "Object", "Arguments", "Rights", "Blocks", "Answer", "Errors", "Differs")
NUMBERS = {status.name for status in Status}


def name(row: Syscall | Invocation) -> str:
    return row.name if isinstance(row, Invocation) else row.number.name


every = pytest.mark.parametrize("row", [*SYSCALLS, *INVOCATIONS], ids=name)
syscall = pytest.mark.parametrize("row", SYSCALLS, ids=name)
invocation = pytest.mark.parametrize("row", INVOCATIONS, ids=name)


def lines(row: Syscall | Invocation) -> list[str]:
    # Python 3.13 keeps docstrings without their indentation, older ones with it.
    text = inspect.getdoc(row.handler)
    assert text, f"{name(row)} has no docstring"
    return text.splitlines()


def sections(row: Syscall | Invocation) -> dict[str, str]:
    """Heading -> text; the summary and what follows it under the empty heading."""
    found: dict[str, list[str]] = {"": []}
    heading = ""
    for line in lines(row):
        match = re.match(r"([A-Za-z][A-Za-z0-9]*): +(.*)", line)
        if match:
            heading = match[1]
            assert heading not in found, f"{heading} stands twice"
            found[heading] = [match[2]]
        else:
            found[heading].append(line.strip())
    return {heading: " ".join(text).strip() for heading, text in found.items()}


@every
def test_a_handler_begins_with_a_sentence(row: Syscall | Invocation) -> None:
    first, *rest = lines(row)
    assert first[0].isupper()
    assert first.endswith("."), first
    assert not rest or rest[0] == ""


@every
def test_the_headings_are_known_and_in_order(row: Syscall | Invocation) -> None:
    found = [heading for heading in sections(row) if heading]
    assert set(found) <= set(HEADINGS)
    assert found == sorted(found, key=HEADINGS.index)


@every
def test_no_heading_says_none(row: Syscall | Invocation) -> None:
    for heading, text in sections(row).items():
        assert text, heading
        assert text.lower().rstrip(".") not in ("none", "nothing", "-", "no", "never"), heading


@every
def test_headings_of_one_docstring_are_aligned(row: Syscall | Invocation) -> None:
    columns = {
        match.end()
        for line in lines(row)
        if (match := re.match(r"(?:" + "|".join(HEADINGS) + r"): +", line))
    }
    assert len(columns) <= 1


@every
def test_errors_are_named_as_the_numbers_are(row: Syscall | Invocation) -> None:
    text = sections(row).get("Errors", "")
    named = set(re.findall(r"\b[A-Z][A-Z_]{3,}[A-Z]\b", text)) - {"IRQ_HANDLER"}
    assert named <= NUMBERS, named - NUMBERS
    assert named or not text or re.search(r"\bas [A-Z]", text), text


@invocation
def test_an_invocation_names_its_object_and_every_argument(row: Invocation) -> None:
    found = sections(row)
    assert re.match(r"[A-Z_]+", found["Object"])[0] == row.object.name  # type: ignore[index]
    for argument in (*row.words, *filter(None, [row.rest]), *row.caps):
        assert re.search(rf"\b{argument}\b", found.get("Arguments", "")), argument
    if not row.words and not row.caps:
        assert "Arguments" not in found
    if row.caps:
        assert "caps:" in found["Arguments"]


@syscall
def test_a_system_call_that_takes_a_capability_says_so(row: Syscall) -> None:
    found = sections(row)
    assert ("cptr" in found.get("Arguments", "")) == row.takes_cap
    assert "Object" not in found


def test_every_number_of_the_abi_has_its_row() -> None:
    assert [row.number for row in SYSCALLS] == list(Sys)
    assert {row.label for row in INVOCATIONS} == set(Inv)
    assert len(INVOCATION_ROWS) == len(INVOCATIONS)
    assert len(ROWS) == len(SYSCALLS)


def test_labels_and_names_agree() -> None:
    for row in INVOCATIONS:
        assert row.name == row.label.name.lower()
        assert row.body in ("words", "msgpack")


def test_every_object_counts_its_capabilities() -> None:
    kinds = {row.object for row in INVOCATIONS} | {
        ObjectType.ENDPOINT,
        ObjectType.NOTIFICATION,
        ObjectType.REPLY,
        ObjectType.SLAB,
    }
    assert kinds == set(OBJECTS)
    for module in OBJECTS.values():
        assert callable(module.attach)
        assert callable(module.detach)


def test_an_object_that_can_be_waited_for_says_how_waiting_ends() -> None:
    """Whoever may block says until when."""
    for number in (
        *(Sys.CALL, Sys.SEND, Sys.RECV, Sys.REPLY_RECV, Sys.WAIT),
        *(Sys.PARK, Sys.SLEEP, Sys.FAULT),
    ):
        assert "Blocks" in sections(ROWS[number])
    for number in (
        *(Sys.NB_SEND, Sys.NB_RECV, Sys.POLL, Sys.REPLY, Sys.YIELD, Sys.DEBUG),
        Sys.WITHDRAWN,
    ):
        assert "Blocks" not in sections(ROWS[number])
