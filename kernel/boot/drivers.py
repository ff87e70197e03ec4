"""Programs of caplab's own of which it is known what they do with UARTs when they start.

A device listed for two PDs may be meant so: one can have it and never claim it, or take it over
from another. Two that are sure to claim the same one at once are a mistake.
"""

from typing import NamedTuple

from caplab.kernel.boot.entries import Entry
from caplab.kernel.boot.problems import Place
from caplab.pd.modules import Program

SERIAL = Program("caplab.servers.serial.server", "main", None)
PARENT = Program("caplab.clients.parent.main", "main", None)
_PARENTS = {"thread": "uart0", "process": "uart1"}
"""Arguments of the demonstration of a Parent that name its UARTs, and their defaults."""
_OWN = ("caplab.servers.", "caplab.clients.")


class Claim(NamedTuple):
    """A UART that a PD claims as it starts, and where the manifest says so."""

    uart: str
    at: Place
    by_default: bool = False
    """The entry says nothing of it; `at` is the program that it runs."""


def claims(pd: Entry) -> list[Claim]:
    """The devices that the PD's program is known to claim as it starts."""
    args = pd.keys.args
    program = _program(pd)
    if program == PARENT:
        return [
            Claim(args[key], pd.at("args", key)) if key in args else Claim(uart, pd.at("run"), True)
            for key, uart in _PARENTS.items()
        ]
    if program != SERIAL or args.get("parent"):
        return []
    if one := args.get("device"):
        return [Claim(one, pd.at("args", "device"))]
    if "devices" not in pd.keys.model_fields_set:
        return [Claim(name, pd.at("run"), True) for name in pd.value("devices")]
    return [Claim(name, pd.at("devices", place)) for place, name in enumerate(pd.keys.devices)]


def may_print(pd: Entry, pds: dict[str, Entry]) -> bool:
    """Whether the PD can come to be a client of a serial server, as far as that can be told."""
    program = _program(pd)
    if program is None or program == PARENT:
        return True
    if program == SERIAL:
        return False
    # A program of the user's may be a Parent itself, or be handed the capability by a client.
    if not _of_caplab(program) and (pd.serves or pd.value("devices")):
        return True
    return any(name not in pds or _may_serve(pds[name]) for name in pd.keys.uses.values())


def is_serial_server(pd: Entry) -> bool:
    return _program(pd) == SERIAL


def _may_serve(provider: Entry) -> bool:
    """Whether clients of it may print: it is a serial server, or may be a Parent of one."""
    program = _program(provider)
    return program is None or program in (SERIAL, PARENT) or not _of_caplab(program)


def _program(pd: Entry) -> Program | None:
    return pd.found.program if pd.found is not None else None


def _of_caplab(program: Program) -> bool:
    return program.file is None and program.module.startswith(_OWN)
