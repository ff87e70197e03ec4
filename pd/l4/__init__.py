"""Codezero's IPC over caplab's endpoints: threads send to threads, by their ids (seed 003).

`L4Thread(env)` is the calling TCB as such a thread; `strict=True` keeps what Codezero does and one
would not expect:

- after a receive from a named thread the sender register is as the sender wrote it;
- tags have 12 bits, and a result takes the place of the tag;
- where one side is short and the other full, all that stands in the short side's registers travels;
- all of an extended receiver's buffer is written, the rest of it with what an earlier IPC left, and
  nobody is told how much was received;
- an extended sendrecv returns 0 and does nothing, and the kernel's own is -ENOSYS;
- who waits to send to a thread that dies is interrupted (-EINTR); later senders find nobody;
- who waits for a return from a thread that died, or to receive from it, waits for ever;
- there are no time limits: asking for one is a mistake;
- one nested IPC's registers can be saved, and a second one takes their place;
- recycling a thread tells those who wait to send to it 0, though nothing was delivered;
- a thread that has exited can be sent to, in vain, until somebody waits for it.
"""

from caplab.pd.l4.control import Mutex
from caplab.pd.l4.numbers import (
    EABORT,
    EFAULT,
    EINTR,
    EINVAL,
    ENOCAP,
    ENOIPC,
    ENOMEM,
    ENOSYS,
    ESRCH,
    ETIMEDOUT,
    L4_ANYTHREAD,
    L4_IPC_EXTENDED_MAX,
    L4_NILTHREAD,
    L4SYS_ARG0,
    L4SYS_ARG1,
    L4SYS_ARG2,
    L4SYS_ARG3,
    MR_REST,
    MR_RETURN,
    MR_SENDER,
    MR_TAG,
    MR_TOTAL,
    MR_UNUSED_START,
    MR_UNUSED_TOTAL,
    Kind,
    L4Error,
    check,
)
from caplab.pd.l4.thread import L4Thread

__all__ = [
    "L4Thread",
    "Mutex",
    "Kind",
    "L4Error",
    "check",
    "EABORT",
    "EFAULT",
    "EINTR",
    "EINVAL",
    "ENOCAP",
    "ENOIPC",
    "ENOMEM",
    "ENOSYS",
    "ESRCH",
    "ETIMEDOUT",
    "L4SYS_ARG0",
    "L4SYS_ARG1",
    "L4SYS_ARG2",
    "L4SYS_ARG3",
    "L4_ANYTHREAD",
    "L4_IPC_EXTENDED_MAX",
    "L4_NILTHREAD",
    "MR_REST",
    "MR_RETURN",
    "MR_SENDER",
    "MR_TAG",
    "MR_TOTAL",
    "MR_UNUSED_START",
    "MR_UNUSED_TOTAL",
]
