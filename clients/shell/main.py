"""An interactive shell on the console, with power over what it manages and nothing else.

There is no check in here that keeps it from killing others: it has no capability to them.
"""

import sys
from collections.abc import Callable
from inspect import signature
from typing import Any

from caplab import CapError, Env, PeerDied
from caplab.pd.objects import PdCap
from caplab.servers.serial import Serial

CRASHES = ("segv", "abort", "exception", "exit:N", "oom", "bus")
"""Not `hang`: the shell would wait for an end that does not come. `caplab crash` has it."""
ENDED = ("exited", "faulted", "killed")
COLUMNS = ("pd", "state", "calls", "caps", "reason")


def main(env: Env, prompt: str = "caplab> ") -> None:
    """Read commands from the console until `exit` or ^D; exit 1 when the console dies."""
    try:
        with Serial.connect(env.endpoint("console")) as console:
            console.prompt = prompt
            console.write("This is a PD. It manages what `ps` shows; `help` lists the commands.\n")
            Shell(env, console).run()
    except PeerDied as died:
        print(f"{env.name}: the console is gone: {died}", file=sys.stderr)
        env.exit(1)


class Refused(Exception):
    """A command that cannot be done; the message says why, and what could be."""


class Shell:
    """The commands, over one console."""

    def __init__(self, env: Env, console: Serial) -> None:
        self.env = env
        self.console = console
        self.commands: dict[str, tuple[Callable[..., None], str, str]] = {
            "help": (self.help, "", "these commands"),
            "ps": (self.ps, "", "the PDs this shell manages"),
            "echo": (self.echo, "WORDS", "print the words"),
            "kill": (self.kill, "PD", "end a PD, and say what the cleanup did"),
            "crash": (self.crash, "PD [HOW]", f"make a PD fail: {', '.join(CRASHES)}"),
            "exit": (self.exit, "", "end this shell (or ^D)"),
        }
        self.running = True

    def run(self) -> None:
        """Read and do, until there is nothing more to read."""
        while self.running:
            line = self.console.read_line()
            if line is None:
                return
            self.do(line)

    def do(self, line: str) -> None:
        """One command. What is wrong with it is said, and nothing is done."""
        name, *words = line.split() or [""]
        if not name:
            return
        try:
            if name not in self.commands:
                raise Refused(f"there is no command {name}; `help` lists those there are")
            do, arguments, _ = self.commands[name]
            try:
                signature(do).bind(*words)
            except TypeError:
                raise Refused(f"write it so: {name} {arguments}".rstrip()) from None
            do(*words)
        except (Refused, CapError) as refused:
            self.say(f"{name}: {refused}")

    def say(self, text: str) -> None:
        """A line, however long."""
        self.console.write_all(text + "\n")

    def help(self) -> None:
        """List the commands."""
        for name, (_, arguments, meaning) in self.commands.items():
            self.say(f"  {name + ' ' + arguments:<16} {meaning}")

    def ps(self) -> None:
        """Show the managed PDs."""
        rows = [tuple(map(str, map(pd.info().get, COLUMNS))) for pd in self._managed().values()]
        table = [tuple(column.upper() for column in COLUMNS), *rows]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        for row in table:
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self.say("  ".join(cells).rstrip())

    def echo(self, *words: str) -> None:
        """Print the words."""
        self.say(" ".join(words))

    def kill(self, name: str) -> None:
        """Kill a managed PD."""
        self.say(_told(self._pd(name).kill()))

    def crash(self, name: str, how: str = "segv") -> None:
        """Crash a managed PD."""
        if how.split(":")[0] not in {one.split(":")[0] for one in CRASHES}:
            raise Refused(f"there is no way to fail called {how}; there are {', '.join(CRASHES)}")
        self.say(_told(self._pd(name).crash(how)))

    def exit(self) -> None:
        """End the shell."""
        self.running = False

    def _managed(self) -> dict[str, PdCap]:
        return self.env.managed()

    def _pd(self, name: str) -> PdCap:
        managed = self._managed()
        if name not in managed:
            there = ", ".join(managed) or "nothing"
            raise Refused(
                f"this shell has no capability to {name}, it manages {there}. Under "
                f"`{self.env.name}:` in the manifest add: manages: "
                f"[{', '.join([*managed, name])}]"
            )
        row = managed[name].info()
        if row["state"] in ENDED:
            raise Refused(f"{name} has ended already: {row['state']} {row['reason']}".rstrip())
        return managed[name]


def _told(report: dict[str, Any]) -> str:
    """A kill report in a line."""
    actions: dict[str, int] = {}
    for action in report["actions"]:
        actions[action["action"]] = actions.get(action["action"], 0) + 1
    done = ", ".join(f"{count} × {action}" for action, count in actions.items())
    return f"{report['pd']} is gone: {done or 'nothing to clean up'}."
