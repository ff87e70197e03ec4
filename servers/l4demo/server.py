"""The request loop of seed 003: a table of senders, one-way and returning requests."""

from __future__ import annotations

from dataclasses import dataclass

from caplab.pd.env import Env
from caplab.pd.l4 import (
    EFAULT,
    EINVAL,
    ENOSYS,
    ESRCH,
    L4_ANYTHREAD,
    MR_UNUSED_START,
    MR_UNUSED_TOTAL,
    L4Thread,
)
from caplab.pd.objects import Memory
from caplab.pd.window import Window
from caplab.servers.l4demo.protocol import (
    L4_IPC_REGISTER,
    L4_IPC_REQUEST_NO_RETURN,
    L4_IPC_REQUEST_WITH_RETURN,
    L4_IPC_SHARE_PAGE,
)


def main(env: Env, threads: int = 1) -> None:
    """Serve until the system ends, with so many threads (`threads:` of the manifest: as many)."""
    l4 = L4Thread(env)
    service = Service(env)
    l4.on_gone(service.forget)
    for _ in range(threads - 1):
        if (tid := l4.thread_create(service.serve, share=True)) < 0:
            env.log(f"no further thread: {tid}")
    service.serve(l4)


@dataclass
class Task:
    """What the service knows of a sender."""

    tid: int
    account: int = 0
    page: Window | None = None


class Service:
    """What all threads of the server share."""

    def __init__(self, env: Env) -> None:
        self.env = env
        self.tasks: dict[int, Task] = {}

    def serve(self, l4: L4Thread, arg: int = 0) -> int:
        """One thread's loop."""
        l4.takes_caps = True
        while True:
            self.handle_requests(l4)

    def forget(self, tid: int) -> None:
        """A sender has died: its id will never come again."""
        task = self.tasks.pop(tid, None)
        if task is not None and task.page is not None:
            task.page.close()

    def handle_requests(self, l4: L4Thread) -> None:
        """The seed's function: receive one request, and return if there is something to return."""
        # Receive request from any thread
        if (ret := l4.receive(L4_ANYTHREAD)) < 0:
            self.env.log(f"IPC error occurred: {ret}")
            return
        # Read the tag that identifies the request, and the sender id, set by the kernel
        tag = l4.get_tag()
        senderid = l4.get_sender()
        # Retrieve the information stored on the service about the sender
        sender = self.find_task(senderid, tag)
        if sender is None:
            l4.ipc_return(-ESRCH)
            return
        # Read message registers
        mr = [l4.read_mr(MR_UNUSED_START + i) for i in range(MR_UNUSED_TOTAL)]
        # Handle request according to the given tag
        if tag == L4_IPC_REQUEST_NO_RETURN:
            ret = self.handle_no_return_request(sender, mr[0], mr[1], mr[2])
            if ret >= 0:
                return  # one way: only errors are returned
        elif tag == L4_IPC_REQUEST_WITH_RETURN:
            ret = self.handle_returning_request(sender, mr[0])
        elif tag == L4_IPC_SHARE_PAGE:
            ret = self.handle_page(sender, l4.slots)
        else:
            ret = 0 if tag == L4_IPC_REGISTER else -ENOSYS
        # Send return message back to the client
        if (ret := l4.ipc_return(ret)) < 0:
            self.env.log(f"handle_requests: L4 IPC error: {ret}")

    def find_task(self, tid: int, tag: int) -> Task | None:
        """The entry of a sender; whoever registers gets one."""
        if tag == L4_IPC_REGISTER:
            self.tasks.setdefault(tid, Task(tid))
        return self.tasks.get(tid)

    def handle_no_return_request(self, sender: Task, offset: int, length: int, times: int) -> int:
        """The seed's `(char *)mr[0]` is an offset into the page that the sender shares."""
        if sender.page is None:
            return -EFAULT
        if length > sender.page.size or offset > sender.page.size - length or times > 10:
            return -EINVAL
        text = sender.page.read(offset, length).decode(errors="replace")
        for _ in range(times):
            self.env.log(f"{sender.tid:#x} says: {text}")
        return 0

    def handle_returning_request(self, sender: Task, amount: int) -> int:
        """What the sender has in its account now."""
        sender.account += amount
        return sender.account

    def handle_page(self, sender: Task, slots: tuple[int, ...]) -> int:
        """Map the page whose capability came, in place of one that came before."""
        if not slots:
            return -EINVAL
        page = self.env.cap(Memory, slots[0])
        before, sender.page = sender.page, page.map()
        if before is not None:
            before.close()
        return 0
