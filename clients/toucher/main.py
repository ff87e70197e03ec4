"""Touches pages that it has given up: whoever handles its faults decides what it finds there."""

from multiprocessing.shared_memory import SharedMemory

from caplab import Env
from caplab.kernel.abi import PAGE_SIZE


def main(env: Env, pages: int = 4) -> None:
    """Map some pages, delete the only capability to them, then read and write each all the same.

    Without a fault handler the first touch is the end: FAULT: VM at 0x… in `ps`.
    """
    memory = env.memory(pages)
    shared = SharedMemory(name=memory.map().name)
    assert shared.buf is not None
    memory.delete()  # the memory object is destroyed: there is nothing behind these addresses now
    for page in range(pages):
        at = page * PAGE_SIZE
        if page % 2:
            shared.buf[at + 100] = page
        found = bytes(shared.buf[at : at + 64]).rstrip(b"\0").decode()
        env.log(f"page {page} holds: {found}")
    shared.close()
