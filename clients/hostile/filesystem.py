"""Attacks on files: to change what others run, and to read what is none of a PD's business."""

from __future__ import annotations

import os
from functools import partial

import msgpack

from caplab import Env
from caplab.clients.hostile.attack import Order, each

SECRETS = ("/etc/passwd", "/etc/hostname", "/proc/1/environ", "/proc/self/maps", "/root/.profile")


def write_code(env: Env, order: Order) -> None:
    """Open Python's and caplab's own code for writing; nothing is written."""
    files = {"Python": os.__file__, "caplab": __file__, "a library": msgpack.__file__}
    each({name: partial(_open, path, os.O_WRONLY) for name, path in files.items()})


def leave_files(env: Env, order: Order) -> None:
    """Create a file where the next PD, or a user, would find it."""
    folders = {"/tmp", "/dev", "/", os.path.dirname(__file__), os.path.dirname(os.__file__)}
    each({folder: partial(_create, f"{folder}/caplab-was-here") for folder in sorted(folders)})


def read_secrets(env: Env, order: Order) -> None:
    """Read files of the host."""
    each({path: partial(_open, path, os.O_RDONLY) for path in SECRETS})


def _open(path: str, flags: int) -> None:
    os.close(os.open(path, flags | os.O_CLOEXEC))


def _create(path: str) -> None:
    _open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    os.unlink(path)
