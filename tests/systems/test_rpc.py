"""libsel4rpc on real processes: a driver and its tests, an interrupt by hand, a child that dies."""

import json
import time
from pathlib import Path

import pytest

import caplab
from caplab.kernel.host.errors import RequestRefused
from replays import identical
from sources import ROOT

PATIENCE = 30.0


def manifest(folder: Path, *tests: str) -> Path:
    driver = {
        "run": "clients.rpc_driver",
        "args": {"tests": list(tests)},
        "rdes": ["pd"],
        "devices": ["irqs", "ioports", "ranges"],
    }
    system = {
        "name": "rpc",
        "uarts": ["uart0"],
        "irqs": [3],
        "timers": ["timer0"],
        "ranges": [{"address": 0x10440000, "size": "16KiB"}],
        "pds": {"driver": driver},
    }
    path = folder / "rpc.yaml"
    path.write_text(json.dumps(system))
    return path


def states(system: caplab.System) -> dict[int, str]:
    return {row["irq"]: row["state"] for row in system.irqs()}


def until_open(system: caplab.System, line: int) -> None:
    """Wait for a test to listen to a line; each look is a question to the kernel."""
    end = time.monotonic() + PATIENCE
    while states(system)[line] != "open":
        assert time.monotonic() < end, states(system)


def test_the_shipped_system_passes_all_its_tests_and_has_its_memory_back(
    tmp_path: Path,
) -> None:
    log = tmp_path / "log"
    with caplab.System(ROOT / "systems" / "rpc.yaml", record=log) as system:
        done = system.wait(timeout=PATIENCE)
        printed = system.logs("driver").decode()
    assert done["failed"] == []
    assert "6/6 tests passed, 16384 bytes are back" in printed
    identical(log)


def test_an_interrupt_by_hand_reaches_a_child_and_a_killed_childs_memory_its_parent(
    tmp_path: Path,
) -> None:
    with caplab.System(manifest(tmp_path, "by_hand", "by_hand", "retype")) as system:
        until_open(system, 3)
        assert states(system) == {0: "free", 3: "open", 16: "free"}
        for line, code in ((7, "no-such-irq"), (16, "irq-free")):
            with pytest.raises(RequestRefused) as refused:
                system.irq(line)
            assert refused.value.code == code
        assert system.irq(3) == {"irq": 3, "pd": "test0", "delivered": True, "pending": False}
        end = time.monotonic() + PATIENCE
        while "test1" not in {row.pd for row in system.ps()}:
            assert time.monotonic() < end
        until_open(system, 3)
        system.kill("test1")
        system.wait(timeout=PATIENCE)
        printed = system.logs("driver").decode()
    assert "Test by_hand passed" in printed
    assert "Test by_hand failed: it ended without a result" in printed
    assert "Test retype passed" in printed
    assert "2/3 tests passed, 16384 bytes are back" in printed
