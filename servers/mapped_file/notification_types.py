# Made by `caplab gen` of notification.idl a2b722d846158835
"""The constants and types of notification.idl."""

from __future__ import annotations

NOTIFY_FLUSHED = 1
NOTIFY_RESIZED = 2
