"""Programs people have for serial lines, as far as they are installed here."""

import shutil

import pytest

MISSING = "is not installed"
"""Ends the reason of each test that is left out for that; the run's summary collects them."""


def needed(program: str) -> pytest.MarkDecorator:
    """Marks a test that cannot be run without this program."""
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} {MISSING}")
