"""Either side of an exchange is killed at each of its calls: the other is told, and never hangs."""

from collections.abc import Callable

import pytest

from caplab.kernel.root.pd import Arm, regate
from caplab.pd.env import Env
from caplab.pd.l4 import EINTR, ESRCH, L4Thread
from threaded_system import ThreadedSystem

GONE = (-ESRCH, -EINTR)
ROUNDS = 3
CALLS = range(1, 41)


def client(l4: L4Thread, to: int) -> list[Callable[[], int]]:
    buffer = bytearray(2048)
    return [
        lambda: l4.sendrecv(to, to, 1),
        lambda: l4.sendrecv_full(to, to, 2),
        lambda: l4.send(to, 3),
        lambda: l4.receive(to),
        lambda: l4.sendrecv_extended(to, to, 4, buffer),
    ]


def server(l4: L4Thread, from_: int) -> list[Callable[[], int]]:
    buffer = bytearray(2048)
    return [
        lambda: l4.receive(from_),
        lambda: l4.ipc_return(0),
        lambda: l4.receive_full(from_),
        lambda: l4.ipc_return_full(0),
        lambda: l4.receive(from_),
        lambda: l4.ipc_return(0),
        lambda: l4.receive_extended(from_, buffer),
        lambda: l4.ipc_return_extended(0, buffer),
    ]


def program(
    other: str, steps: Callable[[L4Thread, int], list[Callable[[], int]]], ends: dict[str, int]
) -> Callable[[Env], None]:
    """Goes through its steps until one of them fails; then only a failure of its own ends it."""

    def main(env: Env) -> None:
        l4 = L4Thread(env)
        to = l4.thread_id(other)
        ends[env.name] = to if to < 0 else 0
        for step in steps(l4, to) * ROUNDS:
            if ends[env.name] < 0:
                return
            ends[env.name] = step()

    return main


@pytest.mark.parametrize("victim", ["client", "server"])
def test_whoever_is_killed_at_whichever_call_the_other_ends(victim: str) -> None:
    reached = 0
    for after in CALLS:
        ends: dict[str, int] = {}
        steps = {"client": program("the-server", client, ends)}
        steps["server"] = program("the-client", server, ends)
        serving = {"serves": "endpoint", "role": "server"}
        uses = [{"the-server": "server"}, {"the-client": "client"}]
        pds = [{"name": name, "uses": use} for name, use in zip(steps, uses, strict=True)]
        with ThreadedSystem(*({**pd, **serving} for pd in pds), uarts=()) as system:
            one = system.root.latest[victim]
            one.arms.append(Arm("kill", "9", after))
            regate(one)
            for name, main in steps.items():
                system.start(name, main)
            system.until(lambda: all(pd.ended for pd in system.root.latest.values()))
            other = system.root.latest["server" if victim == "client" else "client"]
            assert other.ended == "exited", system.faults
            if one.ended == "killed":
                reached += 1
                assert ends[other.name] in (*GONE, 0), (after, ends)
    assert reached > 20
