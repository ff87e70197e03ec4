"""From the text of an `.idl` file to its tree, or to the place where it cannot be read."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from caplab.kernel.boot.problems import Place, Problem
from caplab.scripts.gen.idl import tree

GRAMMAR = Path(__file__).with_name("grammar.lark")
EXPECTED = {
    "NAME": "a name",
    "SIGNED": "a number",
    "STRING": 'a file in "quotes"',
    "ANGLED": "a file in <angles>",
    "$END": "the end of the file",
    "SEMICOLON": "`;`",
    "COMMA": "`,`",
    "LPAR": "`(`",
    "RPAR": "`)`",
    "LBRACE": "`{`",
    "RBRACE": "`}`",
    "LSQB": "`[`",
    "RSQB": "`]`",
    "EQUAL": "`=`",
    "LESSTHAN": "`<`",
    "MORETHAN": "`>`",
}
"""What lark calls the words of the language, and what a reader does."""
INTENDED = ("SEMICOLON", "RPAR", "RBRACE", "MORETHAN", "RSQB", "COMMA")
"""What was most likely forgotten, where several words could stand."""


class Unreadable(Exception):
    """A file that is not of the language; `problem` says where."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


@cache
def parser() -> Lark:
    return Lark(
        GRAMMAR.read_text(), parser="lalr", propagate_positions=False, maybe_placeholders=True
    )


def parse(text: str, file: str) -> tree.Tree:
    """The tree of a file's text; `file` is its name as messages show it. Raises Unreadable."""
    lines = text.split("\n")
    try:
        parsed = parser().parse(text)
    except UnexpectedInput as wrong:
        raise Unreadable(_problem(wrong, lines, file)) from None
    try:
        made: tree.Tree = _Builder(lines, file).transform(parsed)
    except RecursionError:
        message = "types are nested too deeply in it"
        raise Unreadable(
            Problem(
                "CL111", message, Place(file), "give the inner ones names of their own: typedef"
            )
        ) from None
    return made


def _problem(wrong: UnexpectedInput, lines: list[str], file: str) -> Problem:
    if isinstance(wrong, UnexpectedToken) and wrong.token.type == "$END":
        line = max((n for n, text in enumerate(lines, 1) if text.strip()), default=1)
        place = Place(file, line, max(1, len(lines[line - 1].rstrip())), 1, lines[line - 1])
        message = "the file ends in the middle of something"
        return Problem("CL111", message, place, _fix(wrong.expected, "the end"))
    width = len(str(wrong.token)) if isinstance(wrong, UnexpectedToken) else 1
    place = Place(file, wrong.line, wrong.column, max(1, width), lines[wrong.line - 1])
    if isinstance(wrong, UnexpectedCharacters):
        if text_begins(place, "/*"):
            return Problem("CL111", "a comment begins here and never ends", place, "close it: */")
        message = f"`{place.text[place.column - 1]}` cannot stand here"
        return Problem("CL111", message, place, "take it out")
    assert isinstance(wrong, UnexpectedToken)
    message = f"`{wrong.token}` cannot stand here"
    return Problem("CL111", message, place, _fix(wrong.expected, f"`{wrong.token}`"))


def text_begins(place: Place, with_: str) -> bool:
    """Whether a text stands at a place."""
    return place.text.startswith(with_, place.column - 1)


def _fix(expected: set[str], before: str) -> str:
    if len(expected) == 1 and (only := next(iter(expected))) in INTENDED:
        return f"write {EXPECTED[only]} before {before}"
    for word in INTENDED:
        if word in expected and len(expected) > 1:
            return f"write {EXPECTED[word]} before {before}, or what else you mean"
    told = sorted(EXPECTED.get(word, f"`{_keyword(word)}`") for word in expected)
    return f"what can stand here is {', '.join(told)}"


def _keyword(terminal: str) -> str:
    for each in parser().terminals:
        if each.name == terminal:
            return str(each.pattern.value)
    return terminal.lower()


def _given(children: list[Any]) -> list[Any]:
    return [child for child in children if child is not None]


@v_args(inline=False)
class _Builder(Transformer[Token, tree.Tree]):
    """lark's tree as ours."""

    def __init__(self, lines: list[str], file: str) -> None:
        super().__init__()
        self._lines, self._file = lines, file

    def _word(self, token: Token) -> tree.Word:
        line, column = token.line or 1, token.column or 1
        place = Place(self._file, line, column, len(token), self._lines[line - 1])
        return tree.Word(str(token), place)

    NAME = SIGNED = STRING = ANGLED = _word

    def start(self, items: list[Any]) -> tree.Tree:
        return tree.Tree(tuple(items))

    def number(self, children: list[Any]) -> tree.Word:
        word: tree.Word = children[0]
        return word

    number_literal = number

    def argument(self, children: list[Any]) -> tuple[tree.Piece, ...]:
        return tuple(children)

    def generic(self, children: list[Any]) -> tree.Generic:
        return tree.Generic(children[0], tuple(children[1:]))

    def typed(self, children: list[Any]) -> tree.Typed:
        *pieces, count = children
        return tree.Typed(tuple(pieces), count)

    def attribute(self, children: list[Any]) -> tree.Attribute:
        return tree.Attribute(children[0], children[1])

    def attributes(self, children: list[Any]) -> tuple[tree.Attribute, ...]:
        return tuple(children)

    def operation(self, children: list[Any]) -> tree.Operation:
        attributes, *rest = children
        words = tuple(each for each in rest if isinstance(each, tree.Word))
        typed = tuple(each for each in rest if isinstance(each, tree.Typed))
        return tree.Operation(attributes or (), words, typed)

    def error(self, children: list[Any]) -> tree.ErrorNumber:
        return tree.ErrorNumber(*children)

    def body(self, children: list[Any]) -> list[Any]:
        return children

    def composes(self, children: list[Any]) -> tuple[tree.Word, ...]:
        return tuple(children)

    def interface(self, children: list[Any]) -> tree.Interface:
        attributes, name, content = children
        if isinstance(content, tuple):
            return tree.Interface(name, attributes or (), composes=content)
        return tree.Interface(
            name,
            attributes or (),
            tuple(each for each in content if isinstance(each, tree.Operation)),
            tuple(each for each in content if isinstance(each, tree.ErrorNumber)),
        )

    def struct(self, children: list[Any]) -> tree.Struct:
        return tree.Struct(children[0], tuple(children[1:]))

    def enumerator(self, children: list[Any]) -> tuple[tree.Word, tree.Word | None]:
        return children[0], children[1]

    def enum(self, children: list[Any]) -> tree.Enum:
        return tree.Enum(children[0], tuple(_given(children[1:])))

    def const(self, children: list[Any]) -> tree.Const:
        return tree.Const(*children)

    def typedef(self, children: list[Any]) -> tree.Typedef:
        return tree.Typedef(children[0])

    def include(self, children: list[Any]) -> tree.Import:
        return tree.Import(children[0], True)

    def using(self, children: list[Any]) -> tree.Import:
        return tree.Import(children[0], False)
