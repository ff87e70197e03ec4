"""Write docs/reference.md from the kernel's table: `python -m caplab.scripts.gen.reference`.

One entry per row: the handler's docstring, its headings turned into a list.
"""

import inspect
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from caplab.kernel.abi import ObjectType
from caplab.kernel.core.rows import Invocation, Syscall
from caplab.kernel.core.syscalls import INVOCATIONS, SYSCALLS

OUTPUT = Path(__file__).resolve().parents[2] / "docs" / "reference.md"
MADE = "<!-- made by `python -m caplab.scripts.gen.reference` from kernel/core/syscalls.py -->"
HEAD = f"""# System calls and invocations

{MADE}

Every call is one frame to the kernel and gets exactly one answer (`kernel/abi.py` has the layout).
An invocation is a Call, Send or NBSend on a capability to an object that the kernel runs: the
label says what is asked. Statuses are explained in [errors.md](errors.md). Words are 64 bits; a
msgpack body is a map of the named arguments. Headings that would say "none" are left out."""

HEADING = re.compile(r"(?m)^([A-Z][A-Za-z0-9]*|seL4):[ \t]+")


def entry(title: str, number: int, handler: Callable[..., Any], shape: str) -> str:
    """One call: its title, what it does, and its headings."""
    doc = inspect.getdoc(handler) or ""
    first = HEADING.search(doc)
    text = (doc[: first.start()] if first else doc).strip()
    parts = HEADING.split(doc[first.start() :] if first else "")[1:]
    items = [
        f"- **{name}:** {' '.join(said.split())}"
        for name, said in zip(parts[::2], parts[1::2], strict=True)
        if name != "Object"
    ]
    if shape:
        items.insert(0, shape)
    listed = "\n".join(items)
    return f"### {title} ({number})\n\n{text}" + (f"\n\n{listed}" if items else "")


def call(row: Syscall) -> str:
    title = row.number.name.replace("_", " ").title().replace(" ", "").replace("Nb", "NB")
    return entry(title, int(row.number), row.handler, "")


def invocation(row: Invocation) -> str:
    words = ", ".join(f"`{word}`" for word in row.words)
    words += f", `{row.rest}` …" if row.rest else ""
    caps = ", ".join(f"`{cap}`" for cap in row.caps)
    kind = "msgpack" if row.body == "msgpack" else "words"
    sent = [f"{kind} {words}"] if words else []
    sent += [f"capabilities {caps}"] if caps else []
    shape = f"- **Sent:** {'; '.join(sent)}" if sent else ""
    return entry(row.name, int(row.label), row.handler, shape)


def page() -> str:
    """The whole page."""
    parts = [HEAD, "## System calls", *(call(row) for row in SYSCALLS)]
    for kind in ObjectType:
        rows = [row for row in INVOCATIONS if row.object is kind]
        if rows:
            parts.append(f"## On a {kind.name} capability")
            parts += [invocation(row) for row in rows]
    return "\n\n".join(parts) + "\n"


def main() -> int:
    """Write the page; with `--check` only say whether it is up to date."""
    wanted = page()
    if "--check" in sys.argv[1:]:
        return int(not OUTPUT.exists() or OUTPUT.read_text() != wanted)
    OUTPUT.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main())
