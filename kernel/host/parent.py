"""Ending with whoever started us: launcher, kernel, zygote and PDs end in this order."""

import select
import socket


def hung_up(channel: socket.socket) -> bool:
    """Whether the other end is closed, because its holder has ended.

    Asked after a process has said that it dies with its parent: the parent may have died before.
    A pid tells less: in a pid namespace a parent outside of it has none.
    """
    poll = select.poll()
    poll.register(channel, 0)
    return any(events & select.POLLHUP for _, events in poll.poll(0))
