# Made by `caplab gen` of notification.idl a2b722d846158835
"""The server's side of Notification, an interface of notification.idl."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from caplab.pd.idl import Op
from caplab.pd.idl.errors import out_of_range, wrong_length
from caplab.pd.ipc_server import ipc_server_loop_for
from caplab.servers.mapped_file.notification_interface import (
    Notification,
    NotificationError,
    iface_Notification,
    object_Notification,
    ref_Notification,
)

if TYPE_CHECKING:
    from caplab.pd.idl import Caps
    from caplab.pd.objects import Capability

__all__ = [
    "Notification",
    "NotificationError",
    "iface_Notification",
    "ipc_server_loop_for",
    "object_Notification",
    "ref_Notification",
]

_SUBSCRIBE = Struct("<QQ")
_SUBSCRIBE_ANSWER = Struct("<q")
_UNSUBSCRIBE = Struct("<Qq")


def _take_subscribe(_data: bytes, _caps: Caps) -> tuple[Capability, int]:
    if len(_data) != 16:
        raise wrong_length("`subscribe`", len(_data), 16)
    _, flags = _SUBSCRIBE.unpack(_data)
    if flags > 0xFFFFFFFF:
        raise out_of_range("flags", flags, "uint32")
    return _caps.any("notification"), flags


def _give_subscribe(subscription: int, _caps: Caps) -> bytes:
    if not -0x80000000 <= subscription <= 0x7FFFFFFF:
        raise out_of_range("subscription", subscription, "int32")
    return _SUBSCRIBE_ANSWER.pack(subscription)


def _take_unsubscribe(_data: bytes, _caps: Caps) -> tuple[int]:
    if len(_data) != 16:
        raise wrong_length("`unsubscribe`", len(_data), 16)
    _, subscription = _UNSUBSCRIBE.unpack(_data)
    if not -0x80000000 <= subscription <= 0x7FFFFFFF:
        raise out_of_range("subscription", subscription, "int32")
    return (subscription,)


def _give_unsubscribe(_result: None, _caps: Caps) -> bytes:
    return b""


OPERATIONS = (
    Op("subscribe", 0, _take_subscribe, _give_subscribe, takes=True),
    Op("unsubscribe", 1, _take_unsubscribe, _give_unsubscribe),
)
