# Made by `caplab gen` of dataspace.idl a5f1a7f181865e94
"""The constants and types of dataspace.idl."""

from __future__ import annotations

MAP_READ = 1
MAP_WRITE = 2
