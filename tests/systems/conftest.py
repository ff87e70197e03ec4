"""Every test of this folder starts real processes, and every one must leave nothing."""

import pytest


@pytest.fixture(autouse=True)
def nothing_left(baseline: None) -> None:
    """The baseline check, without asking."""
