"""docs/conformance.md is what the tests say, and no case is forgotten."""

from caplab.scripts.gen import conformance

NOT_YET: set[str] = set()
"""Applicable cases that no test re-creates so far."""


def test_the_committed_page_is_what_the_tests_say() -> None:
    assert conformance.OUTPUT.read_text("utf-8") == conformance.page(), (
        "run python -m caplab.scripts.gen.conformance"
    )


def test_every_applicable_case_has_a_test_or_is_known_to_have_none() -> None:
    held = {name for test in conformance.tests() for name in test.ids}
    applicable = {case.id for case in conformance.cases() if case.applicable}
    assert applicable - held == NOT_YET


def test_no_test_names_a_case_that_is_none_or_not_applicable() -> None:
    applicable = {case.id for case in conformance.cases() if case.applicable}
    for test in conformance.tests():
        assert set(test.ids) <= applicable, test


def test_the_list_is_as_long_as_the_suite() -> None:
    listed = conformance.cases()
    assert len({case.id for case in listed}) == len(listed) == 240
    assert sum(case.applicable for case in listed) == 101
    assert all(case.why_not for case in listed if case.kind == "N")


def test_every_named_test_is_one_that_pytest_runs() -> None:
    """A name in a nested function would be counted and never run."""
    for test in conformance.tests():
        text = (conformance.ROOT / test.path).read_text("utf-8")
        assert f"\ndef {test.name}(" in text, test
