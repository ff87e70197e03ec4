"""A client with one argument of each kind."""

from caplab import Env


def main(env: Env, name: str = "world", count: int = 1, *, ratio: float = 1.0) -> None:
    env.log(name * count, ratio)
