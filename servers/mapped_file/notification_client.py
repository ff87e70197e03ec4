# Made by `caplab gen` of notification.idl a2b722d846158835
"""The client's side of Notification, an interface of notification.idl."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from caplab.pd.idl import Client
from caplab.pd.idl.client import Way
from caplab.pd.idl.errors import out_of_range, refused, wrong_length
from caplab.servers.mapped_file.notification_interface import (
    PROTOCOL,
    Notification,
    NotificationError,
    iface_Notification,
    object_Notification,
    ref_Notification,
)

if TYPE_CHECKING:
    from caplab.pd.objects import Capability

__all__ = [
    "Notification",
    "NotificationError",
    "client_Notification",
    "client_iface_Notification",
    "iface_Notification",
    "object_Notification",
    "ref_Notification",
]

_SUBSCRIBE = Struct("<QQ")
_SUBSCRIBE_ANSWER = Struct("<q")
_UNSUBSCRIBE = Struct("<Qq")


class client_Notification(Client, Notification):
    """A Notification elsewhere, reached through `endpoint`."""

    _Notification: Way

    def subscribe(
        self, notification: Capability, flags: int, *, timeout: float | None = None
    ) -> int:
        """void subscribe(in cap notification, in uint32 flags, out int32 subscription)"""
        if not 0 <= flags <= 0xFFFFFFFF:
            raise out_of_range("flags", flags, "uint32")
        _answer = self._Notification.call(
            PROTOCOL, _SUBSCRIBE.pack(0, flags), caps=(notification,), timeout=timeout
        )
        if _answer.label:
            raise refused(NotificationError, _answer.label, _answer.data)
        _data = _answer.data
        subscription: int
        if len(_data) != 8:
            raise wrong_length("the answer of `subscribe`", len(_data), 8)
        (subscription,) = _SUBSCRIBE_ANSWER.unpack(_data)
        if not -0x80000000 <= subscription <= 0x7FFFFFFF:
            raise out_of_range("subscription", subscription, "int32")
        return subscription

    def unsubscribe(self, subscription: int, *, timeout: float | None = None) -> None:
        """void unsubscribe(in int32 subscription)"""
        if not -0x80000000 <= subscription <= 0x7FFFFFFF:
            raise out_of_range("subscription", subscription, "int32")
        _answer = self._Notification.call(
            PROTOCOL, _UNSUBSCRIBE.pack(1, subscription), timeout=timeout
        )
        if _answer.label:
            raise refused(NotificationError, _answer.label, _answer.data)


def _subscribe(ref: ref_Notification, notification: Capability, flags: int) -> int:
    return ref.remote(client_Notification).subscribe(notification, flags)


def _unsubscribe(ref: ref_Notification, subscription: int) -> None:
    ref.remote(client_Notification).unsubscribe(subscription)


client_iface_Notification = iface_Notification(subscribe=_subscribe, unsubscribe=_unsubscribe)
