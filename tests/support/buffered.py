"""Clients of the serial server that print in one way or another, and the ends of their server."""

from typing import Any

from caplab.servers.serial import Serial
from threaded_system import ThreadedSystem


def ready(system: ThreadedSystem) -> None:
    system.until(lambda: system.root.latest["serial"].received)


def connect(system: ThreadedSystem, buffering: str, name: str = "a", **more: Any) -> Serial:
    return Serial.connect(system.env(name).endpoint("console"), buffering=buffering, **more)


def kill_server(system: ThreadedSystem) -> None:
    system.operate(op="kill", pd="serial")
    system.operate(op="restart", pd="serial")
    ready(system)


def silence(system: ThreadedSystem) -> None:
    """Keep the server from doing anything until it is killed, once it has nothing to do."""
    system.until(lambda: system.blocked("serial"))
    system.operate(op="suspend", pd="serial")
