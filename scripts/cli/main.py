"""The `caplab` command: finds the subcommand, runs it, and says what went wrong if something did.

Only the module of the command that is asked for is imported, and typer with nothing but that
command in it: `ps` and `kill` are typed often and should answer at once.
"""

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NamedTuple

from caplab.scripts.cli import show

DONE, BAD, WRONG, NOT_RUNNING, INTERRUPTED = 0, 1, 2, 3, 130


class Command(NamedTuple):
    """One subcommand, and where its function is."""

    group: str
    name: str
    module: str
    function: str
    summary: str


COMMANDS = (
    Command("Run", "up", "up", "up", "boot a system and show its console"),
    Command("Run", "down", "down", "down", "stop a system and say what it left behind"),
    Command("Run", "ls", "ls", "ls", "the systems that run"),
    Command("Run", "ps", "ps", "ps", "its protection domains: pid, state, whom they wait for"),
    Command("Run", "logs", "logs", "logs", "what PDs have printed on standard output and error"),
    Command("Run", "console", "attach", "console", "attach to a UART's console"),
    Command("Run", "send-keys", "send_keys", "send_keys", "type into a UART from a script"),
    Command("Run", "expect", "expect", "expect", "wait until a UART has printed something"),
    Command("Run", "attach", "debug", "attach", "attach to the debugger of a `debug: true` PD"),
    Command("Break", "kill", "kill", "kill", "kill a PD and see the cleanup, step by step"),
    Command("Break", "crash", "kill", "crash", "let a PD crash by itself"),
    Command("Break", "suspend", "suspend", "suspend", "stop a PD until `resume`"),
    Command("Break", "resume", "suspend", "resume", "let a suspended PD go on"),
    Command("Break", "restart", "restart", "restart", "start a PD anew, stopping it if it lives"),
    Command("Break", "irq", "irq", "irq", "raise an interrupt line by hand, or list them"),
    Command("Look", "caps", "caps", "caps", "a PD's capabilities, and where each came from"),
    Command("Look", "trace", "trace", "trace", "a line for each system call, with its answer"),
    Command("Look", "graph", "graph", "graph", "who holds what, and what is built on what"),
    Command("Look", "doctor", "doctor", "doctor", "what this host allows, and what would help"),
    Command("Look", "check", "check", "check", "find the mistakes of a manifest, run nothing"),
    Command("Look", "explain", "explain", "explain", "what an error code or a word means"),
    Command("Build", "new", "new", "new", "begin a server, a client or a system of your own"),
    Command("Build", "gen", "gen", "gen", "make Python of .idl and .proto files"),
    Command("Prove", "replay", "replay", "replay", "the state a recorded run led to, rebuilt"),
    Command("Prove", "bench", "bench", "bench", "measure caplab beside its yardsticks"),
)
USAGE = "Usage: caplab COMMAND [OPTIONS] …"
MORE = """\
`caplab COMMAND --help` has the options of a command. -n NAME, or CAPLAB_SYSTEM=NAME,
picks a system when several run.

Exit status: 0 done; 1 it ran, and the answer is bad; 2 the request was wrong;
3 the system is not running; 130 interrupted."""


def main() -> None:
    """Run the command line of this process and end it."""
    try:
        status = guarded(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = DONE
    sys.exit(status)


def guarded(arguments: Sequence[str]) -> int:
    """Run a command; whatever goes wrong becomes an error message and an exit status."""
    try:
        return run(list(arguments))
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - the last resort: no traceback of ours, ever
        return report(error)


def run(arguments: list[str]) -> int:
    """The command named by the first argument, on the others."""
    while len(arguments) > 1 and arguments[0] in ("-n", "--system"):
        os.environ["CAPLAB_SYSTEM"] = arguments[1]
        del arguments[:2]
    word = arguments[0] if arguments else "--help"
    if word == "--version":
        from caplab import __version__

        print(f"caplab {__version__}")
        return DONE
    if word in ("--help", "-h", "help"):
        print(overview())
        return DONE
    commands = {command.name: command for command in COMMANDS}
    if word not in commands:
        return unknown(word, list(commands))
    return invoke(commands[word], arguments[1:])


def invoke(command: Command, arguments: list[str]) -> int:
    """Let typer parse the arguments and call the command's function."""
    import typer

    function = getattr(import_module(f"caplab.scripts.cli.{command.module}"), command.function)
    # Markup off: its help would import rich, and show our backquotes and brackets as markup.
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    # What `explain` is asked for may be a negative number: no option, then.
    numbers = {"ignore_unknown_options": command.name == "explain"}
    app.command(command.name, context_settings=numbers)(function)
    parser: Any = typer.main.get_command(app)
    status = parser.main(args=arguments, prog_name=f"caplab {command.name}", standalone_mode=False)
    return status if isinstance(status, int) else DONE


def report(error: Exception) -> int:
    """Print an error in its one form; the exit status that goes with it."""
    if hasattr(error, "problems"):  # a manifest: places, quotes and fixes, ready to be shown
        print(error, file=sys.stderr)
        return WRONG
    if hasattr(error, "format_message"):  # typer's, of an option or argument
        context = getattr(error, "ctx", None)
        usage = f"See `{context.command_path} --help`." if context else ""
        show.error(error.format_message().replace("Value error, ", ""), usage, "bad-request")
        return WRONG
    status = getattr(error, "status", None)
    if isinstance(status, int):
        show.error(str(error), getattr(error, "fix", ""), getattr(error, "code", ""))
        return status
    if os.environ.get("CAPLAB_TRACEBACK"):
        raise error
    show.error(
        f"This is a fault in caplab: {type(error).__name__}: {error}",
        "CAPLAB_TRACEBACK=1 in the environment shows where it happened.",
    )
    return BAD


def overview() -> str:
    """The page of `caplab --help`."""
    width = max(len(command.name) for command in COMMANDS)
    lines = [USAGE]
    for group in dict.fromkeys(command.group for command in COMMANDS):
        lines += ["", f"{group}:"]
        lines += [
            f"  {command.name:<{width}}  {command.summary}"
            for command in COMMANDS
            if command.group == group
        ]
    return "\n".join([*lines, "", MORE])


def unknown(word: str, names: list[str]) -> int:
    import difflib

    close = difflib.get_close_matches(word, names, n=1)
    what = "option" if word.startswith("-") else "command"
    fix = f"Did you mean `caplab {close[0]}`?" if close else "`caplab --help` lists what there is."
    show.error(f"There is no {what} {show.harmless(word)!r}.", fix, "bad-request")
    return WRONG
