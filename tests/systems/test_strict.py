"""`scheduler: strict` on real processes: who runs when, and who waits."""

from pathlib import Path

import caplab
from caplab.kernel.boot.replay import rebuild

JUDGE = '''
def main(env, runners):
    """Lets all start when all are there, then writes down in which order they call."""
    endpoint, uart = env.endpoint("server"), env.device("uart0")
    held = []
    for _ in range(runners):
        endpoint.recv()
        held.append(env.slots.place(env.cnode.save_caller))
    for slot in held:
        env.cap(type(endpoint), slot).send()
    message = endpoint.recv()
    while True:
        uart.write(b"%d" % message.label)
        message = endpoint.reply_recv()
'''
RUNNER = """
import time


def main(env, number, spin=False):
    judge = env.endpoint("judge")
    judge.call()
    for _ in range(20):
        judge.call(number)
    for count in range(spin and 100_000):
        env.device("uart1").write(b"%d " % count)  # which asks nothing of the kernel
        # A computation that takes long and spares the machine; the test itself never sleeps.
        time.sleep(0.01)
"""


def manifest(folder: Path, scheduler: str, **runners: str) -> Path:
    """A judge above all, and runners: `name: "number, priority, more"`."""
    (folder / "judge.py").write_text(JUDGE)
    (folder / "runner.py").write_text(RUNNER)
    lines = [
        f"scheduler: {scheduler}",
        "uarts: [uart0, uart1]",
        "pds:",
        "  judge:",
        "    run: ./judge.py",
        f"    args: {{runners: {len(runners)}}}",
        "    serves: endpoint",
        "    devices: [uart0]",
        "    priority: 200",
    ]
    for name, words in runners.items():
        number, priority, *spin = words.split()
        more = ", spin: true" if spin else ""
        lines += [
            f"  {name}:",
            "    run: ./runner.py",
            f"    args: {{number: {number}{more}}}",
            "    uses: [judge]",
            f"    priority: {priority}",
            *(["    devices: [uart1]"] if spin else []),
        ]
    path = folder / "strict.yaml"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_processes_take_turns_by_priority_and_each_runs_until_it_blocks(tmp_path: Path) -> None:
    path = manifest(tmp_path, "strict", low="1 10", high="3 30", middle="2 20")
    with caplab.System(path, paranoid=True) as system:
        assert system.wait(60)["failed"] == []
        assert system.console.expect("3" * 20 + "2" * 20 + "1" * 20)


def test_equals_take_turns_call_by_call(tmp_path: Path) -> None:
    path = manifest(tmp_path, "strict", a="1 10", b="2 10")
    with caplab.System(path, paranoid=True) as system:
        assert system.wait(60)["failed"] == []
        assert system.console.expect("(12){20}|(21){20}")


def test_one_that_computes_for_ever_starves_the_lower_until_it_is_killed(tmp_path: Path) -> None:
    path = manifest(tmp_path, "strict", low="1 10", hog="2 30 spin")
    with caplab.System(path, paranoid=True) as system:
        system.console["uart1"].expect("1 ")
        row = system.pd("low")
        assert (row.state, row.reason) == ("waiting", "ready: hog runs, priority 30")
        system.kill("hog")
        system.console.expect("1" * 20)
        assert [one["pd"] for one in system.wait(60)["failed"]] == ["hog"]


def test_a_stopped_hog_lets_others_run_and_goes_on_when_it_is_resumed(tmp_path: Path) -> None:
    path = manifest(tmp_path, "strict", low="1 10", hog="2 30 spin")
    with caplab.System(path, paranoid=True) as system:
        counted = system.console["uart1"]
        counted.expect("1 ")
        system.suspend("hog")
        system.console.expect("1" * 20)
        system.resume("hog")
        counted.expect(" 100 ")  # a second's work, of which it had not done much
        assert system.pd("hog").state == "running"
        system.kill("hog")


def test_a_recorded_strict_run_ends_in_the_identical_hash(tmp_path: Path) -> None:
    log = tmp_path / "log"
    path = manifest(tmp_path, "strict", low="1 10", hog="2 30 spin", equal="3 10")
    with caplab.System(path, record=log) as system:
        system.console.expect("2" * 20)
        system.suspend("hog")
        system.resume("hog")
        system.kill("hog")
        system.wait(60)
    state = rebuild(log)
    assert state.whole
    assert state.first_difference is None
