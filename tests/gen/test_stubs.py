"""The generated invocations are those of the table."""

import inspect

from caplab.kernel.core.syscalls import INVOCATIONS
from caplab.pd import invocations
from caplab.scripts.gen import stubs


def test_the_committed_stubs_are_what_the_table_generates() -> None:
    assert stubs.OUTPUT.read_text() == stubs.generate(), "run: python -m caplab.scripts.gen.stubs"


def test_every_row_of_the_table_has_a_stub_with_its_arguments() -> None:
    for row in INVOCATIONS:
        parameters = list(inspect.signature(getattr(invocations, row.name)).parameters)
        given = set(parameters) - {"transport", "cptr", "receive", "renewal"}
        assert given == {*row.words, *row.caps, row.rest} - {""}, row.name
