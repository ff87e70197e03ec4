"""What `caplab explain` knows: every error and status, and a glossary, from `catalogue.yaml`.

The same file makes docs/errors.md and docs/glossary.md (scripts/gen/docs.py). pydantic is not
needed here, so that `explain` answers at once.
"""

import re
import textwrap
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple, TypedDict

import yaml

from caplab.kernel.abi import Status
from caplab.kernel.boot.problems import meant

FILE = Path(__file__).with_name("catalogue.yaml")
WIDTH = 88


class ErrorEntry(TypedDict):
    title: str
    explanation: str
    example: str
    fix: str


class _StatusEntry(TypedDict):
    meaning: str
    when: str
    do: str
    sel4: str


class StatusEntry(_StatusEntry, total=False):
    exception: str


class ExceptionEntry(TypedDict):
    meaning: str
    do: str


class RefusalEntry(ExceptionEntry):
    number: int


class _Term(TypedDict):
    text: str


class Term(_Term, total=False):
    aliases: list[str]
    see: list[str]


class Catalogue(TypedDict):
    errors: Mapping[str, ErrorEntry]
    commands: Mapping[str, ExceptionEntry]
    statuses: Mapping[str, StatusEntry]
    exceptions: Mapping[str, ExceptionEntry]
    services: Mapping[str, Mapping[str, RefusalEntry]]
    glossary: Mapping[str, Term]


class Article(NamedTuple):
    """One thing to explain: the words it is found by, and what is said."""

    words: tuple[str, ...]
    title: str
    paragraphs: tuple[tuple[str, str], ...]
    """(label, text); the first has no label."""

    def text(self) -> str:
        parts = [self.title]
        for label, paragraph in self.paragraphs:
            prefix = f"  {label}: " if label else "  "
            parts.append(
                textwrap.fill(
                    paragraph.strip(),
                    WIDTH,
                    initial_indent=prefix,
                    subsequent_indent="  " if not label else " " * len(prefix),
                    break_long_words=False,
                    break_on_hyphens=False,
                )
            )
        return "\n".join(parts)


class UnknownWord(LookupError):
    """Neither a code, a status nor a term; `str()` says what was probably meant."""

    def __init__(self, word: str, near: str | None) -> None:
        hint = f"did you mean `{near}`?" if near else "try `CL020`, `REVOKED`, `11` or `badge`"
        super().__init__(f"there is nothing to explain about `{word}`: {hint}")
        self.near = near


@cache
def catalogue() -> Catalogue:
    """The whole of it, as data."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    loaded: Catalogue = yaml.load(FILE.read_text("utf-8"), Loader=loader)
    return loaded


def explain(word: str) -> str:
    """What a code, status, number, exception or term means; case and hyphens do not matter.

    A number is looked up among statuses and the refusals of services. Raises UnknownWord.
    """
    articles = list(_articles())
    wanted = {_folded(word), _folded(word).removesuffix("s")}
    if (code := re.fullmatch(r"cl0*([0-9]+)", _folded(word))) is not None:
        wanted.add(_folded(f"CL{int(code[1]):03}"))
    found = [each for each in articles if wanted & {_folded(one) for one in each.words}]
    if not found:
        raise UnknownWord(word, meant(word, [one for each in articles for one in each.words]))
    return "\n\n".join(each.text() for each in found)


def words() -> list[str]:
    """Every word `explain` knows, for completion."""
    return sorted({one for each in _articles() for one in each.words}, key=str.casefold)


def _folded(word: str) -> str:
    word = word.strip().casefold().replace("\N{MINUS SIGN}", "-")
    if re.fullmatch(r"[-+]?\d+", word):
        return word
    return re.sub(r"[^0-9a-z]", "", word)


def _articles() -> Iterator[Article]:
    data = catalogue()
    for code, error in data["errors"].items():
        said = (("", error["explanation"]), ("example", error["example"]), ("fix", error["fix"]))
        yield Article((code,), f"{code}: {error['title']}", said)
    for code, refusal in data["commands"].items():
        title = f"{code}: what a command was refused for"
        yield Article((code,), title, (("", refusal["meaning"]), ("do", refusal["do"])))
    for name, status in data["statuses"].items():
        yield _status(name, status)
    for name, exception in data["exceptions"].items():
        yield Article((name,), name, (("", exception["meaning"]), ("do", exception["do"])))
    for service, refusals in data["services"].items():
        for name, each in refusals.items():
            number = each["number"]
            found_by = (name, str(number), f"{service} {number}")
            title = f"{name} ({number}), a refusal of the {service} server"
            yield Article(found_by, title, (("", each["meaning"]), ("do", each["do"])))
    for name, term in data["glossary"].items():
        see = (("see", ", ".join(term["see"])),) if term.get("see") else ()
        yield Article((name, *term.get("aliases", ())), name, (("", term["text"]), *see))


def _status(name: str, status: StatusEntry) -> Article:
    number = Status[name].value
    raised = status.get("exception")
    found_by = [name, str(number), *([raised] if raised else [])]
    found_by += re.findall(r"seL4_\w+", status["sel4"])[:1]
    said = [("", status["meaning"]), ("when", status["when"]), ("do", status["do"])]
    said += [("raised as", raised)] if raised else []
    said.append(("seL4", status["sel4"]))
    return Article(tuple(found_by), f"{name} ({number}), a status of a call", tuple(said))
