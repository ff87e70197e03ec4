"""What the figures were measured on."""

import os
import platform
from pathlib import Path
from typing import Any

BUSY = 0.5
"""Share of the CPUs others keep busy from which a reader should know."""


def machine() -> dict[str, Any]:
    """The host and the versions that decide how fast a message is."""
    import psutil  # not needed until something is measured
    import zmq

    from caplab import __version__

    return {
        "cpu": cpu_model(Path("/proc/cpuinfo").read_text()) or platform.machine(),
        "cpus": os.cpu_count(),
        "cpus_allowed": len(os.sched_getaffinity(0)),
        "memory": psutil.virtual_memory().total,
        "load": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "pyzmq": zmq.pyzmq_version(),
        "libzmq": zmq.zmq_version(),
        "caplab": __version__,
    }


def cpu_model(cpuinfo: str) -> str:
    """The model name of x86-64; aarch64 has none there."""
    for line in cpuinfo.splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            return value.strip()
    return ""


def described(found: dict[str, Any]) -> str:
    """The machine in a line, and in another what may spoil the figures."""
    text = (
        f"{found['cpu']}, {found['cpus_allowed']} of {found['cpus']} CPUs, {found['system']},"
        f" {found['python']}, pyzmq {found['pyzmq']} (libzmq {found['libzmq']})"
    )
    if found["load"] > BUSY * found["cpus_allowed"]:
        text += f"\nload {found['load']}: others use this machine, which spoils the figures"
    return text
