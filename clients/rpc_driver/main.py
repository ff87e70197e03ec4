"""The driver, as in sel4test: it starts each test as a PD of its own, serves what the test asks for
through sel4rpc, hears its result at the same endpoint, and counts its memory when the test is over.
"""

from caplab import Env
from caplab.kernel.abi import Rights
from caplab.pd.objects import Endpoint
from caplab.pd.sel4rpc import MAGIC, RpcServer

FIRST_BADGE = 2
"""Of the first test; each test has a badge of its own."""
CLIENT_RIGHTS = Rights.WRITE | Rights.GRANT | Rights.GRANT_REPLY


def main(env: Env, tests: list[str]) -> None:
    """Run the tests of these names; exits with 1 when one fails, or keeps memory."""
    process_ep = env.endpoint()
    env.tcb.bind_notification(env.work)  # a child's end ends a Recv
    rpc_server = RpcServer(env)
    passed = 0
    for number, test in enumerate(tests):
        env.log(f"Starting test {number}: {test}")
        result = run(env, process_ep, rpc_server, number, test)
        kept = device_memory(env) - device_memory_left(env)
        if kept:
            result = f"{kept} bytes of device memory did not come back"
        passed += not result
        env.log(f"Test {test} {f'failed: {result}' if result else 'passed'}")
    env.log(f"{passed}/{len(tests)} tests passed, {device_memory_left(env)} bytes are back")
    env.exit(int(passed < len(tests)))


def run(env: Env, process_ep: Endpoint, rpc_server: RpcServer, number: int, test: str) -> str:
    """Run one test to the end of its PD; what is wrong with it, or nothing."""
    badge = FIRST_BADGE + number
    child = env.rde("pd").create(f"test{number}", "clients.rpc_tests", {"test": test})
    child.install(process_ep, "driver", rights=CLIENT_RIGHTS, badge=badge)
    child.start()
    result = "it ended without a result"
    while True:
        message = process_ep.recv()
        if message.notification:
            if badge in rpc_server.see_to_work():
                child.delete()
                return result
        elif message.words[:1] == (MAGIC,):
            rpc_server.recv(message)
        else:  # the test's own message: its result
            result = message.data.decode()
            env.reply()


def device_memory(env: Env) -> int:
    """Bytes of the manifest's `ranges`."""
    return sum(1 << one.info().size_bits for one in env.ranges())


def device_memory_left(env: Env) -> int:
    """Bytes of them that nobody has, as the kernel says."""
    return sum(one.info().left for one in env.ranges())
