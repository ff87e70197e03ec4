"""From the program a PD was given to the function it runs."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

from caplab.pd.modules import Program, resolve

if TYPE_CHECKING:
    from caplab.pd.env import Env

Main = Callable[..., Any]


class CannotStart(Exception):
    """The program cannot be run; the message is a sentence for its author."""


def load(run: Mapping[str, Any] | str, roots: Sequence[str]) -> Main:
    """The function that `run` names, its module imported.

    `run` is a program resolved before (a map) or the manifest's word. Raises CannotStart,
    BadProgram, or what importing the user's module raises.
    """
    program = resolve(run, roots) if isinstance(run, str) else Program(**run)
    module = _module(program)
    what = program.file or program.module
    function = getattr(module, program.function, None)
    if function is None:
        there = [n for n, v in vars(module).items() if callable(v) and not n.startswith("_")]
        own = ", ".join(n for n in there if vars(module)[n].__module__ == module.__name__)
        raise CannotStart(
            f"{what} has no function {program.function}; it defines: {own or 'no function'}"
        )
    if not callable(function):
        raise CannotStart(f"{program.function} in {what} is not a function")
    return function  # type: ignore[no-any-return]  # whatever the user's module holds


def _module(program: Program) -> ModuleType:
    if program.file is None:
        if not program.module.startswith("caplab."):
            sys.dont_write_bytecode = True  # nothing is to be left beside the user's files
        try:
            return importlib.import_module(program.module)
        except ModuleNotFoundError as error:
            if error.name and (program.module + ".").startswith(error.name + "."):
                raise CannotStart(f"there is no module {program.module}") from None
            raise
    sys.dont_write_bytecode = True
    spec = importlib.util.spec_from_file_location(program.module, program.file)
    if spec is None or spec.loader is None:
        raise CannotStart(f"{program.file} is not Python source")
    module = importlib.util.module_from_spec(spec)
    sys.modules[program.module] = module
    try:
        spec.loader.exec_module(module)
    except FileNotFoundError as error:
        if error.filename != program.file:
            raise
        raise CannotStart(f"there is no file {program.file}") from None
    return module


def run_main(env: Env) -> Any:
    """Load the PD's program and call its `main(env, **args)`."""
    main = load(env.info.run, env.info.path)
    try:
        return main(env, **env.args)
    except TypeError as error:
        # Looked into only now: a signature costs each PD a tenth of its memory.
        at = error.__traceback__
        if at is None or at.tb_next is not None or (why := misfit(main, env.args)) is None:
            raise
    raise CannotStart(why)


def misfit(main: Main, args: Mapping[str, Any]) -> str | None:
    """Why `main(env, **args)` cannot be called, if that is so."""
    try:
        signature = inspect.signature(main)
    except ValueError:
        return None  # a callable that does not say
    name = f"{main.__module__}.{getattr(main, '__qualname__', 'main')}"
    if not signature.parameters:
        return f"{name} must take `env` as its first argument"
    try:
        signature.bind(None, **args)
    except TypeError as error:
        taken = ", ".join(list(signature.parameters)[1:]) or "no arguments"
        return f"{name} does not fit the manifest's args: {error} (it takes {taken})"
    return None
