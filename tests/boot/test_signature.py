"""Arguments against the parameters of `main`, by its syntax tree alone."""

import ast
from typing import Any

import pytest

from caplab.kernel.boot.signature import NoEntry, fits, misfits, read


def codes(source: str, **args: Any) -> list[tuple[str, str]]:
    signature = read(ast.parse(source), "main")
    assert signature is not None
    return [(each.code, each.name) for each in misfits(signature, args)]


@pytest.mark.parametrize(
    ("parameters", "args"),
    [
        ("env", {}),
        ("env, name", {"name": 1}),
        ("env, name='x'", {}),
        ("env, *, name", {"name": 1}),
        ("env, *, name='x'", {}),
        ("env, **rest", {"anything": 1}),
        ("env, /, name", {"name": 1}),
        ("env, name='x', /", {}),
        ("*everything", {}),
        ("env: 'Env', name: str = 'x'", {"name": "y"}),
    ],
)
def test_arguments_that_fit_are_left_alone(parameters: str, args: dict[str, Any]) -> None:
    assert codes(f"def main({parameters}): pass", **args) == []


def test_what_fits_can_really_be_called_and_what_does_not_cannot() -> None:
    """The same verdict as Python's own, for every shape of parameters."""
    shapes = ["env", "env, a", "env, a=1", "env, *, a", "env, *, a=1", "env, **k", "env, a, b=1"]
    for shape in shapes:
        namespace: dict[str, Any] = {}
        exec(f"def main({shape}): pass", namespace)
        for args in ({}, {"a": 1}, {"b": 1}, {"a": 1, "b": 2}, {"env": 1}):
            try:
                namespace["main"](None, **args)
            except TypeError:
                assert codes(f"def main({shape}): pass", **args), (shape, args)
            else:
                assert not codes(f"def main({shape}): pass", **args), (shape, args)


def test_every_missing_argument_is_named_in_one_problem() -> None:
    signature = read(ast.parse("def main(env, a, b=1, *, c): pass"), "main")
    assert signature is not None
    (missing,) = misfits(signature, {})
    assert (missing.code, missing.fix) == ("CL036", "write  args: {a: …, c: …}")


def test_a_wrong_type_comes_with_what_to_write_instead() -> None:
    source = "def main(env, a: str = '', b: int = 0, c: list = []): pass"
    signature = read(ast.parse(source), "main")
    assert signature is not None
    assert [each.fix for each in misfits(signature, {"a": 7, "b": "-7", "c": 1})] == [
        'quote it:  a: "7"',
        "drop the quotes:  b: -7",
        "give it a value of that type, or change c in main",
    ]


TYPES: list[tuple[str, Any, bool]] = [
    *(("int", 1, True), ("int", True, False), ("int", 1.5, False), ("int", "1", False)),
    *(("float", 1, True), ("float", 1.5, True), ("float", "x", False), ("float", True, False)),
    *(("str", "x", True), ("str", 1, False), ("str", None, False), ("bool", False, True)),
    *(("bool", 0, False), ("None", None, True), ("None", 0, False), ("'int'", "x", False)),
    *(("int | None", None, True), ("int | None", "x", False), ("'int | str'", "x", True)),
    *(("Optional[int]", None, True), ("typing.Optional[int]", "x", False)),
    *(("Union[int, str]", "x", True), ("Union[int, str]", 1.5, False)),
    *(("Literal['a', 'b']", "b", True), ("Literal['a']", "c", False), ("Literal[1]", True, False)),
    *(("list[int]", [1, 2], True), ("list[int]", [1, "x"], False), ("list", {}, False)),
    *(("Sequence[str]", ["x"], True), ("dict[str, int]", {"a": 1}, True)),
    *(("dict[str, int]", {"a": "x"}, False), ("dict", [], False), ("list[list[int]]", [[1]], True)),
    *(("Annotated[int, 'unit']", "x", False), ("Mine", "x", True), ("a.Mine[int]", 3, True)),
    *(("'not python('", 3, True), ("object", 3, True), ("Any", None, True)),
]


@pytest.mark.parametrize(("annotation", "value", "wanted"), TYPES)
def test_a_value_fits_the_type_it_was_annotated_with(
    annotation: str, value: Any, wanted: bool
) -> None:
    assert fits(value, ast.parse(annotation, mode="eval").body) is wanted


@pytest.mark.parametrize(
    "source",
    [
        "from elsewhere import main",
        "import elsewhere as main",
        "from elsewhere import *",
        "main = make()",
        "main: Main = make()",
        "@decorated\ndef main(): pass",
        "try:\n    from fast import main\nexcept ImportError:\n    from slow import main",
    ],
)
def test_a_main_that_cannot_be_known_without_importing_is_not_judged(source: str) -> None:
    assert read(ast.parse(source), "main") is None


def test_the_last_of_several_definitions_counts_wherever_it_stands() -> None:
    source = "def main(): pass\nif True:\n    def main(env, name): pass\n"
    assert codes(source, name="x") == []
    assert codes(source) == [("CL036", "")]


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("def start(env): pass", "CL033"),
        ("class main: pass", "CL033"),
        ("async def main(env): pass", "CL033"),
        ("class C:\n    def main(env): pass", "CL033"),
        ("def outer():\n    def main(env): pass", "CL033"),
        ("def main(): pass", "CL034"),
        ("def main(*, env): pass", "CL034"),
        ("def main(env, name, /): pass", "CL034"),
    ],
)
def test_what_cannot_be_the_entry_of_a_pd_is_refused(source: str, code: str) -> None:
    with pytest.raises(NoEntry) as refused:
        read(ast.parse(source), "main")
    assert refused.value.code == code
