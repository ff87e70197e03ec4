"""Holds toys on top of a chain of servers, uses them over and over, and says what becomes of them.

Something to watch while the servers under it are killed.
"""

from caplab import CapError, Env, MissingCap
from caplab.pd.resource import ResourceError
from caplab.servers.toy import Toy


def main(env: Env, count: int = 2, rounds: int | None = None, pause: float = 1.0) -> None:
    """Hold `count` toys of the server `top` and use each once a round, for ever or `rounds` times.

    A toy that cannot be used any more is dropped; new ones take the place of what is missing.
    """
    held: list[Toy] = []
    said: dict[str, None] = {}
    while rounds is None or rounds > 0:
        rounds = None if rounds is None else rounds - 1
        now: dict[str, None] = {}
        held = [toy for toy in held if _used(toy, now)]
        try:
            while len(held) < count:
                held.append(Toy.alloc(env.endpoint("top")))
                now[f"{env.name}: got number {held[-1].id}"] = None
        except (CapError, MissingCap, ResourceError) as refused:
            now[f"{env.name}: nothing new: {refused}"] = None
        for line in now:
            if line not in said:
                env.log(line)
        said = now
        if pause and rounds != 0:
            env.sleep(pause)
    for toy in held:
        toy.endpoint.delete()


def _used(toy: Toy, said: dict[str, None]) -> bool:
    """Use a toy; whether it is worth keeping."""
    try:
        said[toy.use()] = None
    except (CapError, ResourceError) as lost:
        said[f"number {toy.id} is lost: {lost}"] = None
        toy.endpoint.delete()
        return False
    return True
