"""Seed 004, section C, 2 to 5: both styles, state, local and remote alike, by interface."""

import functools
from collections.abc import Iterator
from typing import Any

import pytest

from caplab.pd.env import Env
from caplab.pd.errors import MissingCap
from caplab.pd.ipc_server import IpcServer, ipc_server_loop_for
from components import built, serving
from threaded_system import ThreadedSystem

CALC = """
interface Calc {
    error DivisionByZero = 33;
    void add(in int left, in int right, out int result);
    void divide(in int numerator, in int denominator, out int quotient, out int remainder);
};
"""
COUNTER = "interface Counter { void increment(out int result); };"
TALLY = """
interface Tally { void add(inout long number); void total(out long total); };
"""
BOTH = """
import "calc.idl"; import "counter.idl"; import "tally.idl";
interface CalcCounter composes Calc, Counter;
interface CalcTally composes Calc, Tally;
interface All composes CalcCounter, Tally;
"""


@pytest.fixture(scope="module")
def idl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("idl")
    with built(folder, calc=CALC, counter=COUNTER, tally=TALLY, both=BOTH) as made:
        yield made


def calc_class(idl: Any) -> Any:
    class server_Calc(idl.Calc):  # type: ignore[misc,name-defined]
        def add(self, left: int, right: int) -> int:
            return left + right

        def divide(self, numerator: int, denominator: int) -> Any:
            if not denominator:
                raise idl.DivisionByZero("by zero")
            quotient = abs(numerator) // abs(denominator)
            quotient = quotient if (numerator < 0) == (denominator < 0) else -quotient
            return quotient, numerator - quotient * denominator

    return server_Calc


def calc_object(idl: Any) -> Any:
    def calc_add(ref: Any, left: int, right: int) -> int:
        assert ref.ptr == 0
        return left + right

    def calc_divide(ref: Any, numerator: int, denominator: int) -> Any:
        return calc_class(idl)().divide(numerator, denominator)

    table = idl.iface_Calc(add=calc_add, divide=calc_divide)
    return idl.object_Calc(ref=idl.ref_Calc(ptr=0), iface=table)


def counter_increment(ref: Any) -> int:
    ref.ptr["value"] += 1
    return int(ref.ptr["value"])


@pytest.mark.parametrize("style", [lambda idl: calc_class(idl)(), calc_object])
def test_a_component_is_a_class_or_a_ref_with_a_table_of_functions(idl: Any, style: Any) -> None:
    with serving(lambda env: idl.Calc.serve(env, style(idl), "server")) as system:
        calc = idl.client_Calc(system.env("client").endpoint("server"))
        assert calc.add(40, 2) == 42
        assert calc.divide(-7, 2) == (-3, -1)
        assert calc.divide(-7, 2).remainder == -1
        with pytest.raises(idl.DivisionByZero, match=r"^by zero$") as refused:
            calc.divide(1, 0)
        assert isinstance(refused.value, idl.CalcError)
        assert refused.value.code == 33


def test_a_local_object_and_a_client_are_used_alike_in_both_styles(idl: Any) -> None:
    def sum_of(calc: Any) -> int:
        return int(calc.add(1, 2))

    def sum_by_table(obj: Any) -> int:
        return int(obj.iface.add(obj.ref, 1, 2))

    with serving(lambda env: ipc_server_loop_for(env, idl.Calc.iface, calc_object(idl))) as system:
        endpoint = system.env("client").endpoint("server")
        assert sum_of(calc_class(idl)()) == sum_of(idl.client_Calc(endpoint)) == 3
        remote = idl.object_Calc(ref=idl.ref_Calc(cap=endpoint), iface=idl.client_iface_Calc)
        assert sum_by_table(calc_object(idl)) == sum_by_table(remote) == 3
        assert isinstance(idl.client_Calc(endpoint), idl.Calc)


def test_a_compound_by_tables_has_the_state_that_as_names(idl: Any) -> None:
    counter = {"value": 0}

    def main(env: Env) -> None:
        ref = idl.ref_CalcCounter(ptr=0, as_Counter=idl.ref_Counter(ptr=counter))
        iface = idl.iface_CalcCounter(
            to_Calc=calc_object(idl).iface,
            to_Counter=idl.iface_Counter(increment=counter_increment),
        )
        obj = idl.object_CalcCounter(ref=ref, iface=iface)
        ipc_server_loop_for(env, idl.CalcCounter.iface, obj, "server")

    with serving(main) as system:
        endpoint = system.env("client").endpoint("server")
        both = idl.client_CalcCounter(endpoint)
        assert [both.increment(), both.add(1, 1), both.increment()] == [1, 2, 2]
        # What is a CalcCounter answers as a Calc and as a Counter.
        assert idl.client_Calc(endpoint).add(2, 2) == 4
        assert both.as_Counter.increment() == counter["value"] == 3
        remote = idl.object_CalcCounter(
            ref=idl.ref_CalcCounter(cap=endpoint), iface=idl.client_iface_CalcCounter
        )
        assert remote.iface.to_Counter.increment(remote.ref.as_Counter) == 4


def test_an_object_that_inherits_two_interfaces_with_an_add_each_answers_by_interface(
    idl: Any,
) -> None:
    class server_Tally(idl.Tally):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            self.sum = 0

        def add(self, number: int) -> int:
            self.sum += number
            return self.sum

        def total(self) -> int:
            return self.sum

    class Whole(calc_class(idl), server_Tally, idl.CalcTally):  # type: ignore[misc,name-defined]
        pass

    class Apart(calc_class(idl), server_Tally):  # type: ignore[misc]
        pass

    def apart(env: Env) -> None:
        server = IpcServer(env)
        obj = Apart()
        server.bind(idl.Calc.iface, obj)
        server.bind(idl.Tally.iface, obj)
        server.run()

    for main in (lambda env: idl.CalcTally.serve(env, Whole()), apart):
        with serving(main) as system:
            both = idl.client_CalcTally(system.env("client").endpoint("server"))
            assert both.as_Calc.add(20, 22) == 42
            assert both.as_Tally.add(7) == 7
            assert both.as_Tally.add(7) == both.as_Tally.total() == 14


def test_a_compound_of_a_compound_answers_every_part(idl: Any) -> None:
    class server_All(calc_class(idl), idl.All):  # type: ignore[misc,name-defined]
        counter = 0

        def increment(self) -> int:
            self.counter += 1
            return self.counter

        def total(self) -> int:
            return self.counter

    with serving(lambda env: idl.All.serve(env, server_All())) as system:
        every = idl.client_All(system.env("client").endpoint("server"))
        assert every.as_CalcCounter.as_Calc.add(1, 2) == 3
        assert [every.increment(), every.total()] == [1, 1]


def test_a_mixed_in_class_that_is_no_component_may_do_an_operation(idl: Any) -> None:
    class Increments:
        def increment(self) -> int:
            return 1

    class server_Counter(Increments, idl.Counter):  # type: ignore[misc,name-defined]
        pass

    with serving(lambda env: idl.Counter.serve(env, server_Counter())) as system:
        assert idl.client_Counter(system.env("client").endpoint("server")).increment() == 1


def test_what_is_no_object_of_the_interface_is_refused_before_the_first_message(idl: Any) -> None:
    class Half(idl.Calc):  # type: ignore[misc,name-defined]
        def add(self, left: int, right: int) -> int:
            return 0

    for wrong, why in (
        (calc_class(idl), r"server_Calc \(a class, not an object\) is no Calc"),
        (object(), r"is no Calc: make it one of Calc, or give object_Calc\(ref, iface\)"),
        (idl.object_Calc(idl.ref_Calc(), idl.iface_Calc(None, None)), "`add` of the table of Calc"),
    ):
        main = functools.partial(idl.Calc.serve, obj=wrong)
        with serving(main) as system, pytest.raises(TypeError, match=why):
            raise system.faults["server"]
    with pytest.raises(TypeError, match="abstract"):
        Half()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("sever", r"server has no endpoint named 'sever'; its endpoints: .*'server'"),
        ("untyped", "'untyped' is an untyped in server, not an endpoint"),
        ("other", "'other' is an endpoint that server may call and not receive on"),
    ],
)
def test_a_wrong_capability_name_is_reported(idl: Any, name: str, why: str) -> None:
    def main(env: Env) -> None:
        idl.Calc.serve(env, calc_class(idl)(), name)

    with ThreadedSystem(
        {"name": "peer", "serves": "endpoint"},
        {"name": "server", "main": main, "serves": "endpoint", "uses": {"other": "peer"}},
    ) as system:
        system.until(lambda: system.faults)
        with pytest.raises(MissingCap, match=why):
            raise system.faults["server"]
