"""How a system will be confined on this host: the manifest's words, and what the host allows.

The host is tried each time (about ten milliseconds): what it allows depends on its settings, on
who starts the system, and on the container around both.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from caplab.kernel.boot.checked import CheckedSystem
from caplab.kernel.confine import probe
from caplab.kernel.confine.level import Choice, Finding, Impossible, Level, choose
from caplab.kernel.host.errors import HostError


class Host(NamedTuple):
    """What is known of a host; a test makes one up."""

    findings: Iterable[Finding]
    signs: Mapping[str, str]

    @classmethod
    def tried(cls) -> "Host":
        """This one, as it turns out now."""
        return cls(probe.probe(), probe.signs())


def decide(system: CheckedSystem, host: Host) -> tuple[Choice, dict[str, Level]]:
    """The system's level with its reasons, and the level of each PD, which is never stronger.

    Raises HostError (status 2) when the manifest demands what the host does not allow.
    """
    try:
        choice = choose(system.confinement, host.findings, host.signs)
        levels = {pd.name: _level(pd.name, pd.confinement, choice) for pd in system.pds}
    except Impossible as error:
        raise HostError("not-confined", f"{error}.", _fix(error.cure), status=2) from None
    return choice, levels


def _level(name: str, asked: str, choice: Choice) -> Level:
    level = choice.level if asked == "auto" else Level(asked)
    if level.strength <= choice.level.strength:
        return level
    message = f"{name} asks for confinement {level}, and the system has {choice.level} here"
    if choice.why:
        message += f": {choice.why}"
    raise HostError("not-confined", f"{message}.", _fix(choice.cure), status=2)


def _fix(cure: str) -> str:
    weaker = "`confinement: auto` takes what the host allows."
    return f"{cure}\n{weaker}" if cure else weaker


def write_down(spec: dict[str, Any], choice: Choice, levels: Mapping[str, Level]) -> None:
    """Into the boot specification: the levels for the host, the reasons for who looks."""
    spec["confinement"] = str(choice.level)
    spec["confined"] = {"asked": choice.asked, "why": choice.why, "cure": choice.cure}
    for pd in spec["pds"]:
        pd["confinement"] = str(levels[pd["name"]])
