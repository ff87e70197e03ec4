"""The root task's own services as a PD's directory has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caplab.kernel.abi import (
    SLOT_FIRST_ROOT,
    SPACE_ADS,
    SPACE_CPU,
    SPACE_EP,
    SPACE_MO,
    SPACE_PD,
    SPACE_RESSPC,
    ObjectType,
    ResourceType,
)

if TYPE_CHECKING:
    from caplab.kernel.core.cap import Slot
    from caplab.kernel.root.pd import PD

CORE = {
    "ads": (ResourceType.ADS, SPACE_ADS),
    "mo": (ResourceType.MO, SPACE_MO),
    "cpu": (ResourceType.CPU, SPACE_CPU),
    "pd": (ResourceType.PD, SPACE_PD),
    "ep": (ResourceType.EP, SPACE_EP),
    "resspc": (ResourceType.RESSPC, SPACE_RESSPC),
}
"""Type and space of the root task's own services."""
OWN_NAMES = {kind.name.lower() for kind in ResourceType} | {"domain", "sel4", "vcpu"}
"""Types of resource that are the root task's, as the model has them."""


def homes(pd: PD) -> list[Slot]:
    """A PD's capabilities to its own address space: the service `vmr`."""
    slots = sorted(pd.cspace.slots.items(), reverse=True)
    return [slot for _, slot in slots if slot.cap is not None and slot.cap.obj is pd.ads]


def services(pd: PD) -> dict[str, list[Slot]]:
    """The root task's services that a PD may ask, and its capabilities to each; what the root task
    gave it comes before its own copies.
    """
    found: dict[str, list[Slot]] = {}
    for index in sorted(pd.cspace.slots, key=lambda index: (index < SLOT_FIRST_ROOT, index)):
        slot = pd.cspace.slots[index]
        if slot.cap is not None and slot.cap.type == ObjectType.SERVICE:
            found.setdefault(slot.cap.obj.name, []).append(slot)
    return found
