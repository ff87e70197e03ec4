"""A pager: puts a page of its own wherever the PD it pages for touches one that is not there."""

from caplab import Env
from caplab.kernel.abi import PAGE_SIZE, FaultLabel

READ = 4
"""Fault status of a read, as x86-64 has it; a write has 6."""


def main(env: Env, client: str = "toucher") -> None:
    """Mend the memory faults of a PD, for ever. It `manages` that PD, which names it in `faults`.

    A fault arrives as a call: its kind is the label, the address a word. The reply lets the thread
    execute its instruction again. What is no memory fault gets no reply, so that the PD ends of it.
    """
    server = env.endpoint("server")
    paged = env.managed()[client]
    pages = 0
    fault = server.recv()
    while True:
        if fault.label != FaultLabel.VM_FAULT:
            env.log(f"{client}: {FaultLabel(fault.label).name} is nothing a page could mend")
            fault = server.recv()
            continue
        _instruction, address, _fetched, status = fault.words
        page = env.memory()
        pages += 1
        with page.map() as window:
            window.write(0, b"page %d, from the pager" % pages)
        page.map_in(paged, address - address % PAGE_SIZE)
        env.log(f"{client} {'reads' if status == READ else 'writes'} {address:#x}: page {pages}")
        fault = server.reply_recv()
