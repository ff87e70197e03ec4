"""From a checked manifest to the boot specification: the one page the kernel starts from.

It is plain data that JSON can hold. Nothing in it comes from a clock or a random number; the
shared-memory prefix, which is random, is given.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from caplab.kernel.boot.checked import CheckedPd, CheckedSystem
from caplab.kernel.boot.model import SYSTEM_RULE, valid_system_name

Spec = dict[str, Any]


def build(
    system: CheckedSystem,
    *,
    shm_prefix: str,
    name: str | None = None,
    arms: Sequence[Mapping[str, Any]] = (),
) -> Spec:
    """The boot specification of a system.

    `name` runs it under another name. `arms` are crashes and kills that wait for a PD's N-th
    system call: {"pd", "action": "kill"|"crash", "how", "after"}. Raises ValueError for a name
    that cannot be one, and for an arm whose PD is not of this system.
    """
    if name is not None and not valid_system_name(name):
        raise ValueError(f"{name!r} cannot name a system: use {SYSTEM_RULE}")
    names = [pd.name for pd in system.pds]
    for arm in arms:
        if arm["pd"] not in names:
            raise ValueError(f"there is no PD {arm['pd']}; the PDs are {', '.join(names)}")
    return {
        "name": name or system.name,
        "manifest": str(system.file),
        "semantics": system.semantics,
        "scheduler": system.scheduler,
        "uarts": list(system.uarts),
        "timers": list(system.timers),
        "irqs": list(system.irqs),
        "ranges": [{"address": address, "size": size} for address, size in system.ranges],
        "shm_prefix": shm_prefix,
        "exit_code_from": system.exit_code_from,
        "cleanup": None if system.cleanup is None else dict(system.cleanup),
        "cpus": None if system.cpus is None else list(system.cpus),
        "arms": [dict(arm) for arm in arms],
        "pds": [_pd(pd) for pd in system.pds],
    }


def _pd(pd: CheckedPd) -> Spec:
    return {
        "name": pd.name,
        "run": pd.program._asdict(),
        "args": dict(pd.args),
        "uses": dict(pd.uses),
        "serves": dict(pd.serves) if isinstance(pd.serves, Mapping) else pd.serves,
        "rdes": list(pd.rdes),
        "manages": list(pd.manages),
        "faults": pd.faults,
        "devices": list(pd.devices),
        "threads": pd.threads,
        "untyped": pd.untyped,
        "priority": pd.priority,
        "restart": None if pd.restart is None else dict(pd.restart),
        "cleanup": None if pd.cleanup is None else dict(pd.cleanup),
        "console": None if pd.console is None else dict(pd.console),
        "role": pd.role,
        "path": list(pd.path),
        "debug": pd.debug,
    }
