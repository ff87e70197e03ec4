"""Calculates, and says what a server refuses."""

from caplab import Env
from caplab.pd.idl import OutOfRange
from caplab.servers.calc import DivisionByZero, client_Calc


def main(env: Env, numerator: int = -7, denominator: int = 2) -> None:
    """Ask the server at `calc` for each of its operations once."""
    calc = client_Calc(env.endpoint("calc"))
    env.log(f"40 + 2 = {calc.add(40, 2)}")
    env.log(f"1 - 3 = {calc.subtract(1, 3)}")
    env.log(f"6 * 7 = {calc.multiply(6, 7)}")
    env.log(f"2 ** 10 = {calc.pow(2, 10)}")
    env.log(f"{numerator} / {denominator} = {calc.divide(numerator, denominator)}")
    try:
        calc.divide(1, 0)
    except DivisionByZero as error:
        env.log(f"error {error.code}: {error}")
    try:
        calc.multiply(1 << 20, 1 << 20)
    except OutOfRange as error:
        env.log(f"error {error.code}: {error}")
