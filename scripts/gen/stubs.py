"""Write `pd/invocations.py` from the kernel's table: `python -m caplab.scripts.gen.stubs`.

One function per row, in the order of the table, so that a new invocation is a row, a handler and
a run of this program.
"""

import inspect
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from caplab.kernel.abi import ObjectType
from caplab.kernel.core.rows import Invocation
from caplab.kernel.core.syscalls import INVOCATIONS

RENEWED = (ObjectType.PD,)
"""Objects whose capabilities a restart renews, besides endpoints: their stubs take `renewal`."""
OUTPUT = Path(__file__).parents[2] / "pd" / "invocations.py"

HEAD = '''"""Invocations, raw: one stub per row of the kernel's table. Generated: do not edit.

`python -m caplab.scripts.gen.stubs` writes this file from `kernel/core/syscalls.py`. A stub takes
the calling TCB's transport and the slot of the capability invoked, then words, then slots of
capabilities to send; arguments after the star travel as a msgpack map. Statuses are returned,
never raised (see :mod:`caplab.pd.stubs`).
"""

from typing import Any

from caplab.pd.stubs import Answer, SlotPath, invoke_map, invoke_words
from caplab.pd.transport import Transport
'''


def described(row: Invocation) -> str:
    """The first paragraph of the handler's docstring, and what seL4 calls it."""
    doc = inspect.getdoc(row.handler) or ""
    first = " ".join(doc.split("\n\n")[0].split())
    for line in doc.splitlines():
        head, _, counterpart = line.strip().partition(":")
        if head == "seL4":
            return f"{first}\n\n    seL4: {counterpart.strip()}\n    "
    return first


def tuple_of(names: Sequence[str]) -> str:
    return f"({names[0]},)" if len(names) == 1 else f"({', '.join(names)})"


def stub(row: Invocation) -> str:
    """The source of one stub."""
    caps = tuple_of(row.caps)
    if row.body == "msgpack":
        given = "".join(f", {word}: Any" for word in row.words)
        parameters = "".join(f", {cap}: int" for cap in row.caps)
        parameters += f", *{given}, receive: SlotPath | None = None"
        fields = ", ".join(f"{word!r}: {word}" for word in row.words)
        call = f"invoke_map(transport, cptr, {int(row.label)}, {{{fields}}}, {caps}, receive"
        if row.object in RENEWED:
            parameters += ", renewal: int | None = None"
            call += ", renewal"
        call += ")"
    else:
        parameters = "".join(f", {name}: int" for name in (*row.words, *row.caps))
        words = tuple_of(row.words)
        if row.rest:
            parameters += f", *{row.rest}: int"
            words = f"({', '.join(row.words)}, *{row.rest})"
        call = f"invoke_words(transport, cptr, {int(row.label)}, {words}, {caps})"
    return (
        f"\n\ndef {row.name}(transport: Transport, cptr: int{parameters}) -> Answer:\n"
        f'    """{described(row)}"""\n'
        f"    return {call}\n"
    )


def generate() -> str:
    """The whole module, as it is committed."""
    source = HEAD + "".join(stub(row) for row in INVOCATIONS)
    formatted = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--stdin-filename", str(OUTPUT), "-"],
        input=source,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return formatted.stdout


def main() -> None:
    OUTPUT.write_text(generate())


if __name__ == "__main__":
    main()
