"""Components in one process: interfaces compiled, imported, served by PDs that are threads."""

import contextlib
import importlib
import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from caplab.pd.env import Env
from caplab.scripts.gen.idl.files import generate, write
from threaded_system import ThreadedSystem

_numbers = itertools.count(1)


@contextlib.contextmanager
def built(folder: Path, **texts: str) -> Iterator[Any]:
    """Compile texts and import what is made of them; every name that the modules offer."""
    package = f"built_{next(_numbers)}"
    for name, text in texts.items():
        (folder / f"{name}.idl").write_text(text)
    files = [folder / f"{name}.idl" for name in texts]
    made = generate(files, package=package)
    write(made)
    module = ModuleType(package)
    module.__path__ = [str(folder)]
    sys.modules[package] = module
    importlib.invalidate_caches()
    try:
        there: dict[str, Any] = {}
        for target in made:
            there.update(vars(importlib.import_module(f"{package}.{target.stem}")))
        yield SimpleNamespace(**there)
    finally:
        for name in [each for each in sys.modules if each.split(".")[0] == package]:
            del sys.modules[name]


@contextlib.contextmanager
def serving(
    main: Callable[[Env], object], *clients: str, threads: int = 1, semantics: str = "lab"
) -> Iterator[ThreadedSystem]:
    """A server that is ready, and clients (`client`, if none is named) that the test drives."""
    server = {"name": "server", "main": main, "serves": "endpoint", "role": "server"}
    driven = [{"name": name, "uses": {"server": "server"}} for name in clients or ("client",)]
    whole = {**server, "threads": threads}
    with ThreadedSystem(whole, *driven, semantics=semantics) as system:
        system.until(lambda: system.root.latest["server"].received or system.faults)
        yield system
