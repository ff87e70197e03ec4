"""Domains on real processes: two that never block take turns, because the schedule says so."""

from pathlib import Path

import caplab

SYSTEM = """
scheduler: strict
pds:
  partition: {run: ./partition.py, threads: 3, rdes: [domain]}
"""
PARTITION = """
import functools

from caplab.kernel.abi import DOMAIN_DURATION_MAX

TURNS = 6


def work(turns, done, number, env, arg):
    while len(turns) < TURNS:
        if turns[-1:] != [number]:
            turns.append(number)
        env.yield_()
    done.signal()


def main(env):
    turns, domains, done = [], env.domains(), env.notification()
    for number in (1, 2):
        worker = env.thread(functools.partial(work, turns, done, number))
        domains.set(number, worker)
    for number in (1, 2):
        domains.configure(number - 1, number, 5)
    domains.configure(2, 0, 5)
    print("domains take turns", flush=True)
    domains.start()
    done.wait()
    domains.configure(0, 0, DOMAIN_DURATION_MAX)
    domains.configure(1, 0, 0)
    domains.start()
    print(sorted(set(turns)), len(turns), flush=True)
"""


def test_two_threads_that_never_block_take_turns(tmp_path: Path) -> None:
    (tmp_path / "partition.py").write_text(PARTITION)
    path = tmp_path / "domains.yaml"
    path.write_text(SYSTEM)
    with caplab.System(path, paranoid=True) as system:
        assert system.wait(30)["failed"] == []
        assert system.logs("partition").decode().splitlines() == [
            "domains take turns",
            "[1, 2] 6",
        ]
