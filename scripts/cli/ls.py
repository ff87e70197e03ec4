"""`caplab ls`: the systems that run. Starts none, and clears what killed ones have left."""

from caplab.kernel.host import rundir
from caplab.scripts.cli import show
from caplab.scripts.cli.options import Format, OutputFormat


def ls(output: OutputFormat = Format.TEXT) -> int:
    """List the systems that run."""
    cleared = rundir.reap_stale()
    runs = rundir.list_running()
    if output is Format.JSON:
        systems = [
            {
                "system": run.name,
                "kernel_pid": run.info.get("kernel_pid"),
                "manifest": run.info.get("manifest"),
                "run_dir": str(run.path),
            }
            for run in runs
        ]
        stale = [
            {"system": one.name, "segments": one.segments, "sockets": one.sockets}
            for one in cleared
        ]
        show.as_json({"systems": systems, "cleared": stale})
        return 0
    tell_cleared(cleared)
    if not runs:
        show.say("no system is running; `caplab up` starts one")
        return 0
    rows = [
        (run.name, run.info.get("kernel_pid"), run.info.get("manifest"), run.path) for run in runs
    ]
    show.table(("SYSTEM", "KERNEL", "MANIFEST", "RUN DIRECTORY"), rows)
    return 0


def tell_cleared(cleared: list[rundir.Cleared]) -> None:
    """Say what a killed system had left behind and is gone now."""
    for one in cleared:
        left = show.left_behind({"segments": one.segments, "sockets": one.sockets})
        show.say(f"cleared what {one.name} had left when it was killed: {left or 'its files'}")
