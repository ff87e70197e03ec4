"""Uses a compound as a whole, and as one of the interfaces that it is made of."""

from caplab import Env
from caplab.servers.calc import Calc, client_Calc
from caplab.servers.calc_counter import client_CalcCounter


def main(env: Env) -> None:
    """Count and calculate at `calc_counter`."""
    both = client_CalcCounter(env.endpoint("calc_counter"))
    env.log(f"incremented to {both.increment()}, and to {both.increment()}")
    env.log(f"20 + 22 = {twice_the_sum(both, 10, 11)}")
    # What is a CalcCounter is a Calc, for whoever knows no more of it than that.
    calc = client_Calc(env.endpoint("calc_counter"))
    env.log(f"40 + 44 = {twice_the_sum(calc, 20, 22)}")


def twice_the_sum(calc: Calc, left: int, right: int) -> int:
    """Anything that is a Calc will do, here or elsewhere."""
    return calc.multiply(2, calc.add(left, right))
