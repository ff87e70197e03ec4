"""The seed's stuck client: it sends requests that want a return, and never receives one."""

from caplab import Env
from caplab.pd.l4 import L4_ANYTHREAD, L4Thread, check
from caplab.servers.l4demo import L4_IPC_REGISTER, L4_IPC_REQUEST_WITH_RETURN

DAY = 86400.0


def main(env: Env, servers: list[str]) -> None:
    """Register with each server; when somebody says so, send to each, and then do nothing.

    A server that returns to this thread waits until it receives, which it never does.
    """
    l4 = L4Thread(env)
    for name in servers:
        to = l4.thread_id(name)
        check(l4.sendrecv(to, to, L4_IPC_REGISTER))
    check(l4.receive(L4_ANYTHREAD))
    l4.save_ipcregs()
    for name in servers:
        check(l4.send(l4.thread_id(name), L4_IPC_REQUEST_WITH_RETURN))
    l4.restore_ipcregs()
    check(l4.ipc_return(0))
    while True:
        env.sleep(DAY)
