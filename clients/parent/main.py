"""A PD that is the Parent of two serial servers: a thread of its own, and a PD.

It does what the root task does for `uses: {console: serial}`, with the capabilities that the
manifest gave it: two UARTs, and the right to make PDs.
"""

from caplab import Env
from caplab.pd.objects import PdCap
from caplab.servers.serial import Serial
from caplab.servers.serial.parent import SerialParent

LOOK = 0.02
"""Seconds between two looks at the children: a PD's end sends its Parent no message."""


def main(env: Env, thread: str = "uart0", process: str = "uart1") -> None:
    """Serve the UART `thread` by a thread and `process` by a PD; start a client of each.

    Ends when the clients have; exits with 1 when one of them failed.
    """
    servers = {
        thread: SerialParent.spawn_thread(env, thread),
        process: SerialParent.spawn_pd(env, f"{env.name}-serial", process),
    }
    clients = []
    for uart, parent in servers.items():
        with Serial.connect(parent.mint_endpoint()) as out:
            out.printf("%s serves %s.\n", env.name, uart)
        client = env.rde("pd").create(
            f"{env.name}-{uart}", "clients.hello", {"name": f"the client on {uart}"}
        )
        parent.mint_endpoint_to_process(client, "console", may_kill=False)
        client.start()
        clients.append(client)
    failed = [client for client in clients if not _ended_well(env, client)]
    for parent in servers.values():
        Serial.connect(parent.mint_endpoint()).kill()
    if failed:
        env.exit(1)


def _ended_well(env: Env, client: PdCap) -> bool:
    while (row := client.info())["state"] not in ("exited", "faulted", "killed"):
        env.sleep(LOOK)
    return bool(row["state"] == "exited" and not row["exit_code"])
