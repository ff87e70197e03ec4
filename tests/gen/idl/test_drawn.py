"""Interfaces that Hypothesis writes: compiled, served over the kernel, called with any values."""

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from caplab.scripts.gen.idl import model
from caplab.scripts.gen.idl.compiler import BadIdl, compiled
from caplab.scripts.gen.idl.words import python, python_method
from components import built, serving
from drawn import drawing

INTEGERS = (
    *("char", "unsigned char", "short", "unsigned short int", "int", "unsigned", "long"),
    *("unsigned long long", "int8_t", "uint16_t", "int32_t", "uint64_t", "size_t", "bool"),
)
NAMES = st.sampled_from(
    [
        *("left", "right", "from", "lambda", "answer", "data", "count", "index", "self", "timeout"),
        *("len", "member", "value", "size", "get_it", "PROTOCOL", "print", "type", "x", "y"),
    ]
)
TYPES = """
enum Colour { RED, GREEN = 5, class, LAST = 0x7fffffffffffffff, FIRST = -1 };
struct Point { int x; unsigned char y; };
struct Line { Point from; Point to[2]; Colour count; string<5> name; array<bool, 3> flags; };
typedef array<bytes<3>, 2> pieces_t;
"""


@st.composite
def spelt(draw: st.DrawFn, deep: int = 2) -> str:
    """A type as it is written."""
    plain = [*INTEGERS, "Colour", "Point", "Line", "pieces_t"]
    bound = draw(st.integers(1, 9))
    kinds = [*plain, f"string<{bound}>", f"bytes<{bound}>"]
    if deep and draw(st.booleans()):
        return f"array<{draw(spelt(deep - 1))}, {min(bound, 3)}>"
    return draw(st.sampled_from(kinds))


@st.composite
def operation(draw: st.DrawFn, name: str, number: int) -> str:
    oneway = draw(st.integers(0, 5)) == 0
    ways = ["in"] if oneway else ["in", "out", "inout"]
    names = draw(st.lists(NAMES, max_size=4, unique=True))
    parameters = []
    for each in names:
        exact = f"[{draw(st.integers(1, 3))}]" if draw(st.integers(0, 4)) == 0 else ""
        parameters.append(f"{draw(st.sampled_from(ways))} {draw(spelt())} {each}{exact}")
    opcode = f"[opcode({number * 7 + 3})] " if draw(st.booleans()) else ""
    return f"{opcode}{'oneway ' * oneway}void {name}({', '.join(parameters)});"


@st.composite
def interface(draw: st.DrawFn, name: str, protocol: int) -> str:
    names = draw(st.lists(NAMES, min_size=1, max_size=3, unique_by=str.lower))
    operations = [draw(operation(each, number)) for number, each in enumerate(names)]
    label = f"[protocol({protocol})] " if draw(st.booleans()) else ""
    return f"{label}interface {name} {{ {' '.join(operations)} }};"


@st.composite
def files(draw: st.DrawFn) -> str:
    """A file with two interfaces and what they compose."""
    first = draw(interface("First", 5))
    second = draw(interface("Second", 6))
    return f"{TYPES}\n{first}\n{second}\ninterface Both composes First, Second;\n"


def values(one: model.Type, made: Any) -> st.SearchStrategy[Any]:
    """Any value of a type."""
    match one:
        case model.Int(low=low, high=high):
            return st.integers(low, high)
        case model.Bool():
            return st.booleans()
        case model.Enum(name=name):
            return st.sampled_from(list(getattr(made, name)))
        case model.Text(most):
            return st.text(max_size=most).filter(lambda text: len(text.encode()) <= most)
        case model.Octets(most):
            return st.binary(max_size=most)
        case model.Array(element, most, exact):
            inner = values(element, made)
            least = most if exact else 0
            return st.lists(inner, min_size=least, max_size=most).map(tuple)
        case model.Struct(name=name, fields=fields):
            return st.tuples(*(values(each, made) for _, each in fields)).map(
                lambda told: getattr(made, name)(*told)
            )
    raise AssertionError(one)


class Script:
    """What a component was asked, and what it is to answer."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.answers: list[Any] = []

    def component(self, kind: Any, operations: list[str]) -> Any:
        def does(_: Any, *arguments: Any) -> Any:
            self.asked.append(arguments)
            return self.answers.pop(0)

        names = {python_method(name) for name in operations}
        return type(f"server_{kind.__name__}", (kind,), dict.fromkeys(names, does))()


def run(text: str, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "drawn.idl").write_text(text)
        try:
            (file,) = compiled([folder / "drawn.idl"])
        except BadIdl as bad:
            if {problem.code for problem in bad.problems} != {"CL120"}:  # a message too long
                raise
            assume(False)
        with built(folder, drawn=text) as made:
            calls(file, made, data)


def calls(file: model.File, made: Any, data: st.DataObject) -> None:
    first, second, _ = file.interfaces
    script = Script()
    parts = [
        script.component(getattr(made, each.name), [op.name for op in each.operations])
        for each in (first, second)
    ]
    both = type("server_Both", (type(parts[0]), type(parts[1]), made.Both), {})()
    with serving(lambda env: made.Both.serve(env, both)) as system:
        endpoint = system.env("client").endpoint("server")
        for iface in (first, second):
            client = getattr(made, f"client_{iface.name}")(endpoint)
            for op in iface.operations:
                asked = [data.draw(values(each.type, made), each.name) for each in op.asked]
                answered = [data.draw(values(each.type, made), each.name) for each in op.answered]
                script.answers.append(_one(answered))
                method = getattr(client, python_method(op.name))
                given = {python(each.name): v for each, v in zip(op.asked, asked, strict=True)}
                assert method(**given) == _one(answered)
                if op.oneway:
                    system.until(lambda: not script.answers)
                assert list(script.asked.pop()) == asked
        assert not script.asked
        assert not system.faults


def _one(answered: list[Any]) -> Any:
    if len(answered) < 2:
        return answered[0] if answered else None
    return tuple(answered)


@drawing(12)
@given(text=files(), data=st.data())
def test_any_interface_carries_any_values(text: str, data: st.DataObject) -> None:
    run(text, data)


@pytest.mark.fuzz
@pytest.mark.slow
@pytest.mark.timeout(1200)
@drawing(400, anew=True)
@given(text=files(), data=st.data())
def test_very_many_interfaces_carry_any_values(text: str, data: st.DataObject) -> None:
    run(text, data)
