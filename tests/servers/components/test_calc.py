"""Calc, Counter and CalcCounter: the seed's interfaces, served in both styles."""

import pytest

from caplab.pd.env import Env
from caplab.pd.idl import BadValue, OutOfRange
from caplab.servers.calc import Calc, DivisionByZero, client_Calc, ref_Calc, server_iface_Calc
from caplab.servers.calc.server import main as calc_main
from caplab.servers.calc_counter import client_CalcCounter
from caplab.servers.calc_counter.server import as_table, server_CalcCounter
from caplab.servers.calc_counter.server import main as both_main
from caplab.servers.counter import client_Counter
from caplab.servers.counter.server import main as counter_main
from components import serving
from threaded_system import ThreadedSystem

MOST, LEAST = (1 << 31) - 1, -(1 << 31)


def both_by_table(env: Env) -> None:
    both_main(env, "table")


@pytest.mark.parametrize("main", [calc_main, both_main, both_by_table])
def test_calc_calculates_and_divides_towards_zero(main) -> None:  # type: ignore[no-untyped-def]
    with serving(main) as system:
        calc: Calc = client_Calc(system.env("client").endpoint("server"))
        assert calc.add(40, 2) == 42
        assert calc.subtract(1, MOST) == LEAST + 2
        assert calc.multiply(-6, 7) == -42
        quotients = [calc.divide(*pair) for pair in ((7, 2), (-7, 2), (7, -2), (-7, -2), (0, -3))]
        assert quotients == [3, -3, -3, 3, 0]
        with pytest.raises(DivisionByZero, match="1 cannot be divided by zero"):
            calc.divide(1, 0)
        for overflow in (
            lambda: calc.add(MOST, 1),
            lambda: calc.subtract(LEAST, 1),
            lambda: calc.multiply(MOST, MOST),
            lambda: calc.divide(LEAST, -1),
            lambda: calc.pow(2, 31),
            lambda: calc.pow(3, MOST),
        ):
            with pytest.raises(OutOfRange):
                overflow()
        assert not system.faults


@pytest.mark.parametrize(
    ("base", "exponent", "power"),
    [
        (2, 30, 1 << 30),
        (-2, 31, LEAST),
        (0, 0, 1),
        (0, MOST, 0),
        (1, MOST, 1),
        (-1, MOST, -1),
        (-1, MOST - 1, 1),
        (7, 0, 1),
        (10, 9, 10**9),
    ],
)
def test_pow_is_that_of_integers_however_large_the_exponent(
    base: int, exponent: int, power: int
) -> None:
    assert server_iface_Calc.pow(ref_Calc(), base, exponent) == power
    with pytest.raises(BadValue, match="negative"):
        server_iface_Calc.pow(ref_Calc(), base, -1)


def test_counters_are_as_many_as_there_are_servers() -> None:
    with ThreadedSystem(
        {"name": "one", "main": counter_main, "serves": "endpoint", "role": "server"},
        {
            "name": "ten",
            "main": counter_main,
            "args": {"start": 10},
            "serves": "endpoint",
            "role": "server",
        },
        {"name": "client", "uses": {"one": "one", "ten": "ten"}},
    ) as system:
        env = system.env("client")
        one, ten = client_Counter(env.endpoint("one")), client_Counter(env.endpoint("ten"))
        assert [one.increment(), ten.increment(), one.increment()] == [1, 11, 2]


@pytest.mark.parametrize("main", [both_main, both_by_table])
def test_a_calc_counter_counts_and_calculates(main) -> None:  # type: ignore[no-untyped-def]
    with serving(main) as system:
        both = client_CalcCounter(system.env("client").endpoint("server"))
        assert [both.increment(), both.add(1, 2), both.increment()] == [1, 3, 2]
        assert both.as_Counter.increment() == 3


def test_two_objects_of_one_class_have_states_of_their_own_and_answer_here_too() -> None:
    one, other = server_CalcCounter(), server_CalcCounter()
    assert [one.increment(), one.increment(), other.increment()] == [1, 2, 1]
    table, another = as_table(), as_table()
    increment = table.iface.to_Counter.increment
    assert [increment(table.ref.as_Counter), increment(another.ref.as_Counter)] == [1, 1]
    assert table.iface.to_Calc.add(table.ref.as_Calc, 1, 2) == one.add(1, 2) == 3
