"""Whatever an `.idl` file holds, the compiler says what it means or what is wrong with it."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caplab.scripts.gen.idl.compiler import BadIdl, compiled
from caplab.scripts.gen.idl.files import generate
from drawn import drawing

GOOD = (Path(__file__).parent / "everything" / "all.idl").read_text()
BASE = (Path(__file__).parent / "everything" / "base.idl").read_text()
PIECES = re.findall(r"\w+|\s+|[^\w\s]", GOOD)
NEW = st.sampled_from(
    [*sorted({each for each in PIECES if not each.isspace()}), "", "/*", '"', "-1", "0x", "é", "\0"]
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("idl")
    (folder / "base.idl").write_text(BASE)
    return folder


@drawing(150)
@given(changes=st.lists(st.tuples(st.integers(0, len(PIECES) - 1), NEW), min_size=1, max_size=3))
def test_a_file_with_a_few_words_changed_is_compiled_or_refused_in_its_own_lines(
    folder: Path, changes: list[tuple[int, str]]
) -> None:
    pieces = list(PIECES)
    for at, new in changes:
        pieces[at] = new
    judged(folder, "".join(pieces))


def judged(folder: Path, text: str) -> None:
    file = folder / "any.idl"
    file.write_text(text)
    try:
        generate([file])
    except BadIdl as bad:
        lines = text.expandtabs(1).split("\n")
        placed(bad, lines)


def placed(bad: BadIdl, lines: list[str]) -> None:
    """Every problem says what is wrong, where, and what to do."""
    assert bad.problems
    for problem in bad.problems:
        assert problem.message
        assert problem.fix
        place = problem.place
        if place.file.endswith("any.idl") and place.line:
            assert place.text == lines[place.line - 1]
            assert 1 <= place.column <= len(place.text) + 1


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", None),
        ("const X = " + "9" * 5000 + ";", "a number of 5000 digits"),
        ("const X = 0x" + "f" * 5000 + ";", "a number of 5002 digits"),
        ("interface X { void f(in " + "array<" * 3000 + "int" + ", 1>" * 3000 + " x); };", "deep"),
        ("struct " * 100_000, "cannot stand here"),
        ("\ufeffinterface X { void f(); };", None),
        ("interface X { void f(); };\r\n// end\r\n", None),
        ("interface X\x0c{ void f(); };", None),
        ('import "\0";', "there is no"),
        ('import "' + "x" * 5000 + '";', "there is no"),
        ('import "/";', "there is no"),
        ("enum E { A = 0x7fffffffffffffff, B };", "64 bits hold no more"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_extremes_are_no_faults_of_the_compiler(folder: Path, text: str, why: str | None) -> None:
    file = folder / "extreme.idl"
    file.write_bytes(text.encode())
    if why is None:
        compiled([file])
        return
    with pytest.raises(BadIdl, match=why) as bad:
        compiled([file])
    assert len(str(bad.value)) < 3000


def test_a_file_that_is_no_text_or_too_large_or_a_folder_is_refused(folder: Path) -> None:
    (folder / "latin.idl").write_bytes(b"/* gr\xf6\xdfe */")
    (folder / "large.idl").write_text(" " * ((1 << 20) + 1))
    (folder / "folder.idl").mkdir()
    for name, why in (
        ("latin", "is not UTF-8: byte 5"),
        ("large", "it is larger than 1048576 bytes"),
        ("folder", "cannot be read: Is a directory"),
        ("nowhere", "cannot be read: No such file"),
    ):
        with pytest.raises(BadIdl, match=why):
            compiled([folder / f"{name}.idl"])
