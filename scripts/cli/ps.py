"""`caplab ps`: the rows of the kernel, and what only the reader can measure."""

from typing import Any

import psutil

from caplab.kernel.boot.running import Running
from caplab.kernel.host import rundir
from caplab.kernel.host.console_wire import FramingError
from caplab.kernel.host.watcher import Watcher
from caplab.scripts.cli import confinement, show
from caplab.scripts.cli.options import Format, OutputFormat, SystemName

REASON_MAX = 40
LINE_PATIENCE = 1.0
"""Seconds for a line to say what it has done."""
UART_HEADS = ("UART", "PTY", "KEYBOARD", "CONSOLES", "PRINTED", "TYPED", "DROPPED")


def ps(system: SystemName = None, output: OutputFormat = Format.TEXT) -> int:
    """Show the protection domains of a running system."""
    running = Running.attach(system)
    info = rundir.read_info(running.run_dir)
    level = info.get("confinement") or {"level": "none"}
    rows = [{**row, **measured(row["pid"])} for row in running.control.ask("ps")["pds"]]
    if output is Format.JSON:
        show.as_json(
            {
                "system": running.name,
                "kernel_pid": info.get("kernel_pid"),
                "zygote_pid": info.get("zygote_pid"),
                "run_dir": str(running.run_dir),
                "confinement": level,
                "pds": rows,
                "uarts": uarts(running),
            }
        )
        return 0
    heads = ("PD", "GEN", "PID", "ROLE", "STATE", "WHY", "CALLS", "CAPS", "PSS", "CPU")
    show.table(heads, [_line(row) for row in rows])
    lines = uarts(running)
    if lines:
        print()
        show.table(UART_HEADS, [_uart(line) for line in lines])
    show.say(confinement.in_force(level, rows))
    return 0


def uarts(running: Running) -> list[dict[str, Any]]:
    """What each line says of itself; one that does not answer is left out."""
    found: list[dict[str, Any]] = []
    for uart in running.uarts():
        path = str(running.run_dir / uart / "socket")
        try:
            with Watcher(path, mode="watch", scrollback=False, timeout=LINE_PATIENCE) as watcher:
                found.append(watcher.status())
        except (OSError, FramingError):
            continue
    return [{**line, "consoles": line["consoles"] - 1} for line in found]  # we were one


def _uart(line: dict[str, Any]) -> tuple[object, ...]:
    losses = {
        "typed": line["input_dropped"],
        "printed for a slow PTY": line["behind"],
        "not logged": line["unlogged"],
    }
    dropped = ", ".join(f"{count} {of}" for of, count in losses.items() if count)
    printed, typed = line["written"], line["typed"]
    return line["uart"], line["tty"], line["writer"], line["consoles"], printed, typed, dropped


def measured(pid: int | None) -> dict[str, Any]:
    """Memory and processor time of a process; null when it is gone or not ours to look at."""
    pss = cpu = None
    if pid is not None:
        try:
            process = psutil.Process(pid)
            times = process.cpu_times()
            cpu = times.user + times.system
            pss = process.memory_full_info().pss
        except psutil.Error:
            pass
    return {"pss": pss, "cpu": cpu}


def shortened(reason: str) -> str:
    """A reason that fits into a table; JSON has all of it."""
    return reason if len(reason) <= REASON_MAX else f"{reason[: REASON_MAX - 1]}…"


def _line(row: dict[str, Any]) -> tuple[object, ...]:
    return (
        row["pd"],
        row["generation"],
        row["pid"],
        row["role"],
        row["state"],
        shortened(row["reason"]),
        row["calls"],
        row["caps"],
        None if row["pss"] is None else show.size(row["pss"]),
        None if row["cpu"] is None else show.duration(row["cpu"]),
    )
