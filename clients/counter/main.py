"""Counts, together with whoever else uses the same counter."""

from caplab import Env
from caplab.servers.counter import client_Counter


def main(env: Env, times: int = 3) -> None:
    """Increment the counter at `counter` so many times."""
    counter = client_Counter(env.endpoint("counter"))
    for _ in range(times):
        env.log(f"incremented to {counter.increment()}")
