"""Attacks what the judge tells it to, as often as it survives that."""

from caplab import Env
from caplab.clients.hostile.attack import Order, attempt
from caplab.clients.hostile.judging import Say, tell
from caplab.clients.hostile.table import BY_NAME


def main(env: Env, attacks: list[str]) -> None:
    """Be there for the `attacks` of these names. Ends when the judge has no more orders."""
    told = tell(env, Say.HELLO, name=env.name, attacks=attacks)
    while told.order:
        order = Order(**told.order, gift=told.slot)
        outcome = attempt(BY_NAME[order.attack], env, order)
        told = tell(env, Say.DONE, **outcome._asdict())
