# Made by `caplab gen` of notification.idl a2b722d846158835
"""The interface Notification of notification.idl: what client and server share."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, NamedTuple

from caplab.pd.idl import Component, IdlError, Interface, Ref

if TYPE_CHECKING:
    from collections.abc import Callable

    from caplab.pd.objects import Capability

PROTOCOL = 0x4C347D31B8331399
VERSION = 0x6D5BCFF9D435CD7D


class NotificationError(IdlError):
    """What Notification refuses."""


class Notification(Component):
    """Answers Notification: an object of this PD, or a client of one elsewhere."""

    @abstractmethod
    def subscribe(self, notification: Capability, flags: int) -> int:
        """void subscribe(in cap notification, in uint32 flags, out int32 subscription)"""

    @abstractmethod
    def unsubscribe(self, subscription: int) -> None:
        """void unsubscribe(in int32 subscription)"""


class ref_Notification(Ref):
    """The state of a Notification: `ptr`, or `cap`, an endpoint that leads to it."""

    __slots__ = ()


class iface_Notification(NamedTuple):
    """Functions that do the operations of Notification, the ref their first."""

    subscribe: Callable[[ref_Notification, Capability, int], int]
    unsubscribe: Callable[[ref_Notification, int], None]


class object_Notification(NamedTuple):
    """A Notification as state and functions, without a class of its own."""

    ref: ref_Notification
    iface: iface_Notification


Notification.iface = Interface(
    "Notification",
    PROTOCOL,
    VERSION,
    Notification,
    object_Notification,
    NotificationError,
    "caplab.servers.mapped_file.notification_server",
)
