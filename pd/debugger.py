"""What `breakpoint()` does in a PD: a prompt at the terminal of a `debug: true` one.

Nothing of pdb is imported before it is wanted.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import get_ident
from typing import TYPE_CHECKING, Any

from caplab.kernel.abi import At
from caplab.pd import stubs
from caplab.pd.errors import NotATcb

if TYPE_CHECKING:
    from caplab.pd.env import Env
    from caplab.pd.prompt import Prompt, Terminal

Hook = Callable[..., None]


def hook(env: Env) -> Hook:
    """What `sys.breakpointhook` is to be in this PD."""
    if env.info.terminal < 0:
        return passes_over(env.name)
    return Debugger(env).breakpoint


def passes_over(name: str) -> Hook:
    """For a PD without a terminal: say where it was, and how to stop there."""

    def pass_over(*_args: Any, **_more: Any) -> None:
        caller = sys._getframe(1)
        print(
            f"breakpoint() in {caller.f_code.co_filename}:{caller.f_lineno} is passed over:"
            f" under `{name}:` in the manifest write `debug: true`,"
            f" or start with `caplab up --debug {name}`",
            file=sys.stderr,
            flush=True,
        )

    return pass_over


class Debugger:
    """The breakpoints of one PD: one terminal, one TCB at a time at its prompt.

    While one of them stands there its kernel knows (the Debug call), and the others run on.
    """

    def __init__(self, env: Env) -> None:
        self.env = env
        self._terminal: Terminal | None = None
        self._prompts: dict[int, Prompt] = {}

    def breakpoint(self, *_args: Any, header: str | None = None, **_more: Any) -> None:
        """Stop the calling thread at its next line; `header` is shown first."""
        prompt = self._prompt()
        if header is not None:
            prompt.message(header)
        # The last call here: whatever came after it would be debugged too.
        prompt.set_trace(sys._getframe(1))

    def _prompt(self) -> Prompt:
        """The calling thread's: pdb keeps the frame it is in."""
        from caplab.pd.prompt import Prompt, Terminal

        with self.env.prompt:
            if self._terminal is None:
                self._terminal = Terminal(self.env.info.terminal)
            if get_ident() not in self._prompts:
                self._prompts[get_ident()] = Prompt(self, self._terminal)
            return self._prompts[get_ident()]

    @contextmanager
    def standing(self, at: At) -> Iterator[None]:
        """At the prompt, when it is this thread's turn."""
        with self.env.prompt:
            self._say(at)
            try:
                yield
            finally:
                self._say(At.NOTHING)

    def _say(self, at: At) -> None:
        try:
            transport = self.env.utcb().transport
        except NotATcb:
            return  # a thread of the program's own, of which the kernel knows nothing
        stubs.debug(transport, at)
