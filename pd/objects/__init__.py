"""Capabilities as Python objects: one class per kind of object, its verbs as methods."""

from caplab.pd.objects.address_space import AddressSpace
from caplab.pd.objects.capability import Capability, Receive
from caplab.pd.objects.cnode import CNode
from caplab.pd.objects.components import AdsService, CpuService, EpService, MoService
from caplab.pd.objects.device import Device
from caplab.pd.objects.domain import Child, PdCap, PdService
from caplab.pd.objects.domain_set import DomainSet
from caplab.pd.objects.endpoint import Endpoint
from caplab.pd.objects.ioport import IoPort, IoPortControl
from caplab.pd.objects.irq import Irq, IrqControl
from caplab.pd.objects.memory import Memory
from caplab.pd.objects.notification import Notification
from caplab.pd.objects.own_pd import ClientRow, Found, OwnPd, Row, Work
from caplab.pd.objects.space import Space, SpaceService
from caplab.pd.objects.tcb import Tcb
from caplab.pd.objects.timer import Timer, TimerPorts
from caplab.pd.objects.untyped import Untyped, UntypedInfo

__all__ = [
    "AddressSpace",
    "AdsService",
    "CNode",
    "Capability",
    "Child",
    "ClientRow",
    "CpuService",
    "Device",
    "DomainSet",
    "Endpoint",
    "EpService",
    "Found",
    "IoPort",
    "IoPortControl",
    "Irq",
    "IrqControl",
    "Memory",
    "MoService",
    "Notification",
    "OwnPd",
    "PdCap",
    "PdService",
    "Receive",
    "Row",
    "Space",
    "SpaceService",
    "Tcb",
    "Timer",
    "TimerPorts",
    "Untyped",
    "UntypedInfo",
    "Work",
]
