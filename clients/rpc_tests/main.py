"""The tests: each asks its parent for what it needs while it runs, and tells it the result."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from caplab import Env
from caplab.kernel.abi import TIMER_PORT, TIMER_PORTS, ObjectType
from caplab.pd.objects import Irq, Memory, TimerPorts, Untyped
from caplab.pd.sel4rpc import RpcClient, RpcError

AT = 0x10440000
TIMER_IRQ, HAND_IRQ = 16, 3
"""The line of the first timer, and one that an operator raises: `caplab irq 3`."""
REVOKE_FIRST = 9


def main(env: Env, test: str) -> None:
    """Run one test, and report at the endpoint that the requests go to."""
    driver = env.endpoint("driver")
    try:
        TESTS[test](env, RpcClient(driver))
        result = ""
    except (AssertionError, KeyError, RpcError) as wrong:
        result = f"{type(wrong).__name__}: {wrong}"
    driver.call(0, result.encode())


def retype(env: Env, rpc: RpcClient) -> None:
    """Untyped memory at an address is retyped, mapped, written and freed."""
    loan = rpc.memory(13, address=AT)
    assert isinstance(loan.cap, Untyped)
    frames = loan.cap.retype(ObjectType.FRAME, count=2, size_bits=12)
    for number, frame in enumerate(frames):
        assert isinstance(frame, Memory)
        assert frame.address == AT + number * 4096
        with frame.map() as window:
            window.write(0, b"registers")
            assert window.read(0, 9) == b"registers"
    rpc.free(loan)
    rpc.free(rpc.memory(14, address=AT))  # whole again


def anywhere(env: Env, rpc: RpcClient) -> None:
    """More memory, piece by piece, than the parent has, of every size in turn."""
    for bits in (21, 12, 20, 16, 21):
        loan = rpc.memory(bits)
        assert isinstance(loan.cap, Untyped)
        assert loan.cap.info().left == 1 << bits
        rpc.free(loan)


def timer(env: Env, rpc: RpcClient) -> None:
    """The interrupt and the ports of a timer, which then ticks."""
    irq = rpc.irq(TIMER_IRQ)
    ports = TimerPorts(rpc.ioport(TIMER_PORT, TIMER_PORT + TIMER_PORTS - 1), TIMER_PORT)
    bell = env.notification()
    irq.set_notification(bell)
    ports.start(0.01, periodic=True)
    for _ in range(3):
        bell.wait(timeout=30)
        irq.ack()
    ports.stop()
    assert ports.ticks() >= 3


def refusals(env: Env, rpc: RpcClient) -> None:
    """What the parent cannot give is refused by a number, and nothing hangs."""
    kept = rpc.memory(12, address=AT)
    expect(64, lambda: rpc.memory(12, address=AT - 4096))
    expect(REVOKE_FIRST, lambda: rpc.memory(14, address=AT))
    expect(1, lambda: rpc.irq(99))
    expect(10, lambda: rpc.memory(30))
    rpc.free(kept)


def dies(env: Env, rpc: RpcClient) -> None:
    """It ends, and has given nothing back."""
    rpc.memory(14, address=AT)
    rpc.memory(20)
    rpc.irq(HAND_IRQ)


def by_hand(env: Env, rpc: RpcClient) -> None:
    """Somebody at the keyboard raises an interrupt."""
    irq: Irq = rpc.irq(HAND_IRQ)
    bell = env.notification()
    irq.set_notification(bell)
    rpc.memory(14, address=AT)
    env.log(f"waiting for interrupt {HAND_IRQ}")
    bell.wait()


def expect(code: int, ask: Callable[[], object]) -> None:
    """The request must be refused with this number."""
    try:
        ask()
        said = 0
    except RpcError as refused:
        said = refused.code
    assert said == code, f"answered with {said}, not {code}"


TESTS: Mapping[str, Callable[[Env, RpcClient], None]] = MappingProxyType(
    {
        "retype": retype,
        "anywhere": anywhere,
        "timer": timer,
        "refusals": refusals,
        "dies": dies,
        "by_hand": by_hand,
    }
)
