"""The programs of `bench boot`, and the idle PDs of `bench kernel`.

Loaded, they import nothing: what is measured is a PD, not its imports.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from caplab.pd.env import Env

FIRST, SECOND = 1, 2


def gate(env: "Env", members: int, uart: str = "uart0") -> None:
    """Says on its console when the last of so many members has had its first call answered.

    A member's second call proves that its first was answered, so this is a little late.
    """
    endpoint = env.endpoint("server")
    waiting = members
    message = endpoint.recv()
    while True:
        if message.label == SECOND:
            waiting -= 1
            if not waiting:
                env.device(uart).write(b"answered %.6f\n" % env.now())
        message = endpoint.reply_recv()


def member(env: "Env") -> None:
    """Calls the gate and lives on until the system goes down."""
    endpoint = env.endpoint("gate")
    endpoint.call(FIRST)
    endpoint.call(SECOND)
    env.work.wait()


def idler(env: "Env", endpoints: int, capabilities: int) -> None:
    """Makes so many endpoints, copies of them until it has so many capabilities, and waits."""
    from caplab.kernel.abi import ObjectType

    made = env.untyped().retype(ObjectType.ENDPOINT, count=endpoints)
    for number in range(capabilities - endpoints):
        made[number % endpoints].copy()
    env.endpoint("gate").call(SECOND)
    env.work.wait()
