"""A client of L4 servers: it shows what they answer, and what a stuck client does to them."""

from collections.abc import Sequence

from caplab import Env
from caplab.pd.l4 import ETIMEDOUT, L4SYS_ARG0, L4SYS_ARG1, L4SYS_ARG2, L4Error, L4Thread, check
from caplab.pd.objects import Memory
from caplab.servers.l4demo import (
    L4_IPC_REGISTER,
    L4_IPC_REQUEST_NO_RETURN,
    L4_IPC_REQUEST_WITH_RETURN,
    L4_IPC_SHARE_PAGE,
)
from caplab.servers.serial import Serial

GO = 1
"""What the stuck client waits for."""
UNKNOWN = 99
PATIENCE = 1.0
"""Seconds after which a server counts as stuck."""
TEXT = b"a text in a shared page"


def main(env: Env, one: str = "one", many: str = "many", stuck: str = "stuck") -> None:
    """Ask the server `one`, which has one thread, and `many`; let `stuck` do its worst to both.

    Exits with 1 when one of them answers what it should not.
    """
    l4 = L4Thread(env)
    with Serial.connect(env.endpoint("console")) as out:
        demo = Demonstration(env, l4, out)
        demo.requests(one)
        demo.enter(many)
        demo.let_go(stuck, (one, many))
    if demo.failed:
        env.exit(1)


class Demonstration:
    """Says each step, and whether it went as it should."""

    def __init__(self, env: Env, l4: L4Thread, out: Serial) -> None:
        self.env, self.l4, self.out = env, l4, out
        self.failed = False

    def ask(self, to: str, tag: int, *args: int, page: Memory | None = None, **limit: float) -> int:
        """A sendrecv; its result, or why there is none."""
        l4, caps = self.l4, () if page is None else (page,)
        for index, arg in enumerate(args):
            l4.write_mr(L4SYS_ARG0 + index, arg)
        server = l4.thread_id(to)
        sent = l4.sendrecv(server, server, tag, caps=caps, timeout=limit.get("timeout"))
        return l4.get_retval() if sent == 0 else sent

    def tell(self, what: str, found: int, expected: int) -> None:
        wrong = "" if found == expected else f", and not {expected} as it should"
        self.failed |= bool(wrong)
        name = f" ({L4Error(-found).name})" if found < 0 else ""
        self.out.printf("%s: %d%s%s\n", what, found, name, wrong)

    def requests(self, server: str) -> None:
        """Every request, and every way to be refused."""
        ask, tell = self.ask, self.tell
        tell("who has not registered is nobody", ask(server, L4_IPC_REQUEST_WITH_RETURN, 5), -3)
        self.enter(server)
        tell("5 is added to nothing", ask(server, L4_IPC_REQUEST_WITH_RETURN, 5), 5)
        tell("and 7 to that", ask(server, L4_IPC_REQUEST_WITH_RETURN, 7), 12)
        tell("there is no such request", ask(server, UNKNOWN), -38)
        page = self.env.memory()
        with page.map() as window:
            window.write(100, TEXT)
        tell("an offset into no page", ask(server, L4_IPC_REQUEST_NO_RETURN, 100, 3, 1), -14)
        tell("the page is shared", ask(server, L4_IPC_SHARE_PAGE, page=page), 0)
        tell("an offset outside it", ask(server, L4_IPC_REQUEST_NO_RETURN, 4096, 1, 1), -22)
        for register, value in ((L4SYS_ARG0, 100), (L4SYS_ARG1, len(TEXT)), (L4SYS_ARG2, 2)):
            self.l4.write_mr(register, value)
        sent = self.l4.send(self.l4.thread_id(server), L4_IPC_REQUEST_NO_RETURN)
        tell("a one-way request was received", sent, 0)

    def enter(self, server: str) -> None:
        self.tell(f"registered with {server}", self.ask(server, L4_IPC_REGISTER), 0)

    def let_go(self, stuck: str, servers: Sequence[str]) -> None:
        """Have the stuck client send to both servers, and see which of them still answers."""
        one, many = servers
        check(self.ask(stuck, GO))
        self.out.printf("%s has sent to both servers, and never receives.\n", stuck)
        request = (L4_IPC_REQUEST_WITH_RETURN, 1)
        waited = self.ask(one, *request, timeout=PATIENCE)
        self.tell(f"{one} has one thread, stuck in its return phase", waited, -ETIMEDOUT)
        self.tell(f"{many} has other threads", self.ask(many, *request), 1)
        self.env.managed()[stuck].kill()
        self.out.printf("%s is killed.\n", stuck)
        self.tell(f"{one} answers again", self.ask(one, *request), 13)
