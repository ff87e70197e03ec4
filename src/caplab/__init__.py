"""caplab: a capability-microkernel laboratory that runs on a laptop.

The names below are the public ones. Each is imported on first use, so that a
protection domain which needs `Env` alone does not pay for the control API.
"""

from importlib import import_module

# As typing has it. Importing typing takes a quarter of the time in which a bare Python starts, and
# a system boots when three processes have, one after the other.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from caplab.kernel.boot.system import System
    from caplab.pd.env import Env
    from caplab.pd.errors import CapError, IpcTimeout, MissingCap, PeerDied, ServiceError, Stop
    from caplab.pd.ipc import Message

__version__ = "0.1.0"

__all__ = [
    "CapError",
    "Env",
    "IpcTimeout",
    "Message",
    "MissingCap",
    "PeerDied",
    "ServiceError",
    "Stop",
    "System",
    "__version__",
]

_HOME = {
    "CapError": "caplab.pd.errors",
    "Env": "caplab.pd.env",
    "IpcTimeout": "caplab.pd.errors",
    "Message": "caplab.pd.ipc",
    "MissingCap": "caplab.pd.errors",
    "PeerDied": "caplab.pd.errors",
    "ServiceError": "caplab.pd.errors",
    "Stop": "caplab.pd.errors",
    "System": "caplab.kernel.boot.system",
}


def __getattr__(name: str) -> "Any":
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value  # the next use finds it without coming here
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
