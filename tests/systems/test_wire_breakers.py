"""A PD that breaks the rules of the wire is faulted; everybody else runs on."""

import re
from pathlib import Path

import pytest

import caplab

BREAKER = """
from caplab.kernel.abi import FRAME_MAX, REQUEST, Sys

def frame(call=Sys.YIELD, flags=0, cptr=0, length=0, version=1, ncaps=0, tail=b""):
    return REQUEST.pack(version, call, flags, length, cptr, 0, ncaps) + tail

WAYS = {
    "an empty frame": [b""],
    "a frame shorter than its header": [b"garbage"],
    "random bytes": [bytes(range(256)) * 3],
    "a wrong version": [frame(version=9)],
    "unknown flags": [frame(flags=0x8000)],
    "a length that lies": [frame(length=4000)],
    "more bytes than it says": [frame(tail=b"x" * 100)],
    "too many capabilities": [frame(ncaps=200)],
    "an endless body": [frame(length=0xFFFFFFFF)],
    "two calls at once": [frame(Sys.RECV, cptr=4), frame()],
    "a frame beyond the limit": [frame(tail=b"x" * (FRAME_MAX + 1))],
}

def main(env, way="random bytes"):
    socket = env.utcb().transport.socket
    env.yield_()
    if way == "three parts":
        more = 2  # ZMQ_SNDMORE
        socket.send(frame(), more)
        socket.send(b"two", more)
        socket.send(b"three")
    else:
        for each in WAYS[way]:
            socket.send(each)
    while True:
        socket.recv()
"""
FORGER = """
from caplab.kernel.abi import Sys
from caplab.pd import stubs

def main(env):
    transport = env.utcb().transport
    for cptr in [0, 5, 100, 511, 512, 1023, 1024, 1 << 40, (1 << 64) - 1]:
        for caps in [(), (7,), (1 << 63,)]:
            for call in (Sys.CALL, Sys.SEND, Sys.NB_SEND, Sys.RECV, Sys.NB_RECV, Sys.SIGNAL):
                frame = stubs.request(call, cptr, 99, b"x" * 40, caps)
                answer = stubs.answer(transport.call(frame))
                assert answer.status != 0, (call, cptr, caps)
    print("every forged slot was refused", flush=True)
"""
ENDLESS = """
import os, socket, stat

def link():
    '''The connection that ZeroMQ made, to write into it by hand.'''
    for number in range(3, 64):
        try:
            if stat.S_ISSOCK(os.fstat(number).st_mode):
                found = socket.socket(fileno=os.dup(number))
                if str(found.getpeername()).endswith("kernel.sock"):
                    return found
        except OSError:
            pass

def main(env, size=0):
    env.yield_()
    part = bytes([3]) + size.to_bytes(8, "big") + bytes(size)
    several = part * (1 + 65536 // len(part))
    connection = link()
    connection.setblocking(True)
    for _ in range((1 << 30) // len(several)):
        connection.sendall(several)
"""
BUSY = """
import time

def main(env):
    end = time.monotonic() + 1
    while time.monotonic() < end:
        pass
"""
INNOCENT = """
  echo-server: {run: servers.echo}
  serial: {run: servers.serial, devices: [uart0]}
  echo: {run: clients.echo, args: {count: 300}, uses: {console: serial, echo: echo-server}}
"""
WAYS = {
    "an empty frame": "0 bytes",
    "a frame shorter than its header": "7 bytes",
    "random bytes": "version",
    "a wrong version": "version 9",
    "unknown flags": "unknown flags",
    "a length that lies": "its header says",
    "more bytes than it says": "its header says",
    "too many capabilities": "200 capabilities",
    "an endless body": "body of 4294967295 bytes",
    "two calls at once": "two calls at once",
    "a frame beyond the limit": "connection",
    "three parts": "more than one part",
}


@pytest.mark.parametrize("way", WAYS)
def test_a_pd_that_breaks_the_wire_is_faulted_and_nobody_else(tmp_path: Path, way: str) -> None:
    (tmp_path / "breaker.py").write_text(BREAKER)
    manifest = tmp_path / "wire.yaml"
    breaker = f"  breaker: {{run: ./breaker.py, args: {{way: {way}}}}}\n"
    manifest.write_text(f"uarts: [uart0]\npds:{INNOCENT}{breaker}")
    with caplab.System(manifest, paranoid=True) as system:
        failed = system.wait(30)["failed"]
        assert [one["pd"] for one in failed] == ["breaker"]
        row = system.assert_nothing_left_of("breaker")
        assert row.state == "faulted"
        assert WAYS[way] in row.reason
        assert system.console.expect("300 of 300 messages came back")


def test_forged_slots_are_refused_one_by_one(tmp_path: Path) -> None:
    (tmp_path / "forger.py").write_text(FORGER)
    manifest = tmp_path / "forged.yaml"
    manifest.write_text("pds: {forger: {run: ./forger.py}}\n")
    with caplab.System(manifest, paranoid=True) as system:
        assert system.wait(30)["failed"] == []
        assert b"every forged slot was refused" in system.logs("forger")


@pytest.mark.parametrize("size", [0, 1000, 65536])
def test_a_message_of_endless_parts_ends_its_sender_before_the_kernel_is_large(
    tmp_path: Path, size: int
) -> None:
    (tmp_path / "endless.py").write_text(ENDLESS)
    (tmp_path / "busy.py").write_text(BUSY)
    manifest = tmp_path / "parts.yaml"
    sender = f"  endless: {{run: ./endless.py, args: {{size: {size}}}}}\n"
    manifest.write_text(f"uarts: [uart0]\npds:{INNOCENT}{sender}  busy: {{run: ./busy.py}}\n")
    with caplab.System(manifest) as system:
        kernel = int(system.info()["kernel_pid"])
        failed = system.wait(30)["failed"]
        assert [one["pd"] for one in failed] == ["endless"]
        assert re.search("unfinished message|no call", failed[0]["reason"])
        assert system.console.expect("300 of 300 messages came back")
        peak = next(line for line in status(kernel) if line.startswith("VmHWM"))
        assert int(peak.split()[1]) < 160 * 1024


def status(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/status").read_text().splitlines()
