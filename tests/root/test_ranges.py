"""Device memory: who gets it, what it may become, and that no byte of it is anybody else's."""

from typing import Any

import pytest

from caplab.kernel.abi import SLOT_CNODE, ObjectType, Status
from caplab.kernel.core.effects import DestroySegment
from caplab.kernel.root.machine import around, pieces
from lab import Lab, Thread, ok, refused

UNTYPED, FRAME, NTFN = ObjectType.UNTYPED, ObjectType.FRAME, ObjectType.NOTIFICATION
AT = 0x10440000


def system(*ranges: tuple[int, int], **driver: Any) -> tuple[Lab, Thread]:
    pds = {
        "driver": {"devices": ["ranges"], "serves": "endpoint", "rdes": ["pd"], **driver},
        "app": {"uses": {"driver": "driver"}},
    }
    given = [{"address": address, "size": size} for address, size in ranges or ((AT, 0x3000),)]
    lab = Lab(pds, ranges=given)
    return lab, lab["driver"]


def info(thread: Thread, name: str) -> tuple[int, ...]:
    """address, size_bits, device, left"""
    return ok(thread.invoke("untyped_info", name)).words


@pytest.mark.parametrize(
    ("address", "size", "found"),
    [
        (0x1000, 0x1000, [(0x1000, 12)]),
        (AT, 0x4000, [(AT, 14)]),
        (AT, 0x3000, [(AT, 13), (AT + 0x2000, 12)]),
        (0x3000, 0x5000, [(0x3000, 12), (0x4000, 14)]),
        (0, 0x3000, [(0, 13), (0x2000, 12)]),
    ],
)
def test_a_range_is_aligned_powers_of_two(
    address: int, size: int, found: list[tuple[int, int]]
) -> None:
    assert pieces(address, size) == found


def test_who_names_ranges_gets_an_untyped_for_each_part() -> None:
    lab, driver = system((AT, 0x3000), (0x1000, 0x1000))
    assert info(driver, "ranges") == (0x1000, 12, 1, 0x1000)
    assert info(driver, "ranges.1") == (AT, 13, 1, 0x2000)
    assert info(driver, "ranges.2") == (AT + 0x2000, 12, 1, 0x1000)
    assert "ranges" not in lab["app"].pd.names


def test_a_frame_of_device_memory_lies_where_it_says() -> None:
    _, driver = system()
    ok(driver.retype(FRAME, 20, 12, count=2, of="ranges"))
    for slot, address in ((20, AT), (21, AT + 0x1000)):
        assert ok(driver.invoke("frame_get_address", slot)).words == (address,)
    assert info(driver, "ranges")[3] == 0
    ok(driver.delete(20))
    ok(driver.delete(21))
    assert info(driver, "ranges")[3] == 0x2000


def test_device_memory_becomes_nothing_but_frames_and_untypeds() -> None:
    _, driver = system()
    refused(Status.INVALID_ARGUMENT, driver.retype, NTFN, 20, of="ranges")
    ok(driver.retype(UNTYPED, 20, 12, of="ranges"))
    assert info(driver, 20)[2] == 1


def test_ordinary_memory_lies_around_the_ranges() -> None:
    assert around([], 5, 4) == 16
    assert around([(0x1000, 0x1FFF)], 0x800, 12) == 0x2000
    assert around([(0x1000, 0x1FFF), (0x2000, 0x2FFF)], 0x1000, 12) == 0x3000
    assert around([(0x5000, 0x5FFF)], 0x1000, 12) == 0x1000
    lab, driver = system((0x100000, 0x1000), (0x400000, 0x1000))
    whole = [info(driver, "untyped")[:2], info(lab["app"], "untyped")[:2]]
    for address, bits in whole:
        for hole in (0x100000, 0x400000):
            assert not address <= hole < address + (1 << bits)


def test_a_child_is_given_lines_and_ports_and_no_device_memory() -> None:
    pds = {"driver": {"devices": ["ranges", "irqs", "ioports", "timer0"], "rdes": ["pd"]}}
    lab = Lab(pds, ranges=[{"address": AT, "size": 4096}], timers=["timer0"])
    driver = lab["driver"]
    with_ranges = {"name": "child", "run": "x", "devices": ["ranges"], "receive": 30}
    answer = refused(Status.INVALID_ARGUMENT, driver.invoke, "pd_create", "rde:pd", **with_ranges)
    assert answer.words == (4,)
    child = driver.create("child", 30, devices=["irqs", "ioports", "timer0"])
    types = {name: child.cap(name).type for name in ("irqs", "ioports", "timer0")}
    assert types == {
        "irqs": ObjectType.IRQ_CONTROL,
        "ioports": ObjectType.IOPORT_CONTROL,
        "timer0": ObjectType.DEVICE,
    }


def test_a_new_generation_has_all_of_it_again_and_survivors_nothing() -> None:
    lab, driver = system(restart={"policy": "always", "backoff": 0, "max": 3})
    ok(driver.retype(FRAME, 20, 12, of="ranges"))
    app = lab["app"]
    app.call("driver", slot=30)
    ok(driver.recv())
    ok(driver.reply(caps=[20]))
    ok(app.woken())
    assert app.cap(30) is not None
    lab.die("driver")
    assert app.cap(30) is None
    assert any(isinstance(effect, DestroySegment) for effect in lab.all_effects)
    again = lab["driver"]
    assert again is not driver
    assert info(again, "ranges") == (AT, 13, 1, 0x2000)
    ok(again.retype(FRAME, 20, 13, of="ranges"))


def test_taking_device_memory_back_goes_in_slices() -> None:
    lab, driver = system((0x10400000, 0x200000))
    ok(driver.retype(ObjectType.CNODE, 19, 10))
    node = {"node_index": 19, "node_depth": 64}
    for at in range(0, 512, 256):
        ok(driver.retype(FRAME, at, 12, count=256, of="ranges", **node))
    app = lab["app"]
    app.call("driver", slot=30)
    ok(driver.recv())
    ok(driver.reply(caps=[19]))
    ok(app.woken())
    lab.exited("driver")
    assert lab.work() >= 2
    assert app.cap(30) is not None
    ok(app.invoke("cnode_revoke", SLOT_CNODE, index=30, depth=64))
