"""From a name to a typed object, and what to say when there is none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from caplab.kernel.abi import ObjectType
from caplab.pd.errors import FailedLookup, MissingCap
from caplab.pd.objects import (
    AddressSpace,
    AdsService,
    Capability,
    CpuService,
    Device,
    DomainSet,
    Endpoint,
    EpService,
    IoPortControl,
    IrqControl,
    MoService,
    PdCap,
    PdService,
    SpaceService,
    Timer,
    Untyped,
)
from caplab.pd.objects.domain import MANAGED

if TYPE_CHECKING:
    from caplab.pd.env import Env
    from caplab.pd.objects import Found

C = TypeVar("C", bound=Capability)

RDE, UNTYPED = "rde:", "untyped"
"""How the names of RDEs and of a PD's own untypeds begin."""
DOMAIN = "domain"
IRQS, IOPORTS, RANGES = "irqs", "ioports", "ranges"
"""Names of what of the machine no device stands for; of more than one range, the first."""
SERVICES: Mapping[str, type[Capability]] = MappingProxyType(
    {
        "pd": PdService,
        "resspc": SpaceService,
        "mo": MoService,
        "ep": EpService,
        "ads": AdsService,
        "vmr": AddressSpace,
        "cpu": CpuService,
    }
)
"""What the root task's services are as objects; `vmr` is the PD's own address space."""
ATTACHED = "vmr:"
"""How the names of what is attached to the own address space begin."""


def find(env: Env, kind: type[C], name: str) -> C:
    """The object that goes by `name` in this PD, as it is now. Raises MissingCap."""
    try:
        found = env.pd.lookup(name)
    except FailedLookup:
        raise MissingCap(_missing(env, kind, name)) from None
    if found.type != kind.type:
        raise MissingCap(
            f"{name!r} is {_a(found.type)} in {env.name}, not {_a(kind.type)}"
            f" (it came from {found.origin or 'the root task'})"
        )
    return kind(env, found.slot, name=name, renewal=found.renewal)


def of_kind(env: Env, kind: type[C], prefix: str) -> dict[str, C]:
    """All objects whose names begin so, by the rest of their names."""
    return {
        name.removeprefix(prefix): kind(env, found.slot, name=name, renewal=found.renewal)
        for name, found in env.pd.names().items()
        if name.startswith(prefix) and found.type == kind.type
    }


def _a(kind: ObjectType) -> str:
    name = kind.name.lower().replace("_", " ")
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"


def _missing(env: Env, kind: type[Capability], name: str) -> str:
    same = {n: f for n, f in env.pd.names().items() if f.type == kind.type}
    there = ", ".join(f"{n!r}{_origin(f)}" for n, f in sorted(same.items())) or "none"
    plural = kind.type.name.lower().replace("_", " ") + "s"
    return (
        f"{env.name} has no {kind.type.name.lower()} named {name!r}; its {plural}: {there}."
        f" Under `{env.name}:` in the manifest add: {_line(kind, name)}"
    )


def _origin(found: Found) -> str:
    return f" (from {found.origin})" if found.origin else ""


def _line(kind: type[Capability], name: str) -> str:
    """The manifest line that would have given the PD this capability."""
    lines: dict[type[Capability], Callable[[], str]] = {
        Device: lambda: f"devices: [{name}]",
        Timer: lambda: f"devices: [{name}]",
        IrqControl: lambda: f"devices: [{name}]",
        IoPortControl: lambda: f"devices: [{name}]",
        PdService: lambda: f"rdes: [{name.removeprefix(RDE)}]",
        SpaceService: lambda: f"rdes: [{name.removeprefix(RDE)}]",
        DomainSet: lambda: f"rdes: [{name.removeprefix(RDE)}]",
        Untyped: lambda: "untyped: 4MiB",
        PdCap: lambda: f"manages: [{name.removeprefix(MANAGED)}]",
    }
    if kind is Endpoint and name == "server":
        return "serves: endpoint"
    if kind is Endpoint and name.startswith(RDE):
        return f"uses: [PD-THAT-SERVES-{name.removeprefix(RDE)}]"
    return lines.get(kind, lambda: f"uses: {{{name}: PD-THAT-SERVES-IT}}")()
