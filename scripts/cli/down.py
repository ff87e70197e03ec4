"""`caplab down`: stop a system in reverse order and count what it left behind."""

from caplab.kernel.boot.running import Running
from caplab.kernel.host import rundir
from caplab.scripts.cli import show
from caplab.scripts.cli.ls import tell_cleared
from caplab.scripts.cli.options import Format, OutputFormat, SystemName


def down(system: SystemName = None, output: OutputFormat = Format.TEXT) -> int:
    """Stop a system: PDs first that use others, and each has two seconds to end by itself."""
    cleared = rundir.reap_stale()
    if output is Format.TEXT:
        tell_cleared(cleared)
    running = Running.attach(system)
    report = running.down()
    left = show.left_behind(report["left"])
    if output is Format.JSON:
        show.as_json({"system": running.name, **report})
    else:
        show.say(ending(running.name, report["pds"], report["seconds"], left))
    return 1 if left else 0


def ending(name: str, pds: int, seconds: float, left: str) -> str:
    """The sentence about a system that went down."""
    took = f"{name} is down: {show.count(pds, 'PD')} stopped in {show.duration(seconds)}"
    if left:
        return f"{took}. LEFT BEHIND: {left}."
    return f"{took}, and nothing is left behind: no process, segment, socket or file."
