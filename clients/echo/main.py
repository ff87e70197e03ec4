"""Calls the echo server and says on the console how it went."""

import sys

from caplab import Env, PeerDied
from caplab.servers.echo import Echo
from caplab.servers.serial import Serial


def main(env: Env, count: int = 100) -> None:
    """Send `count` different messages, compare the answers, print one line.

    Exits with 1 when an answer differs or a server dies.
    """
    try:
        echo = Echo(env.endpoint("echo"))
        with Serial.connect(env.endpoint("console")) as out:
            right = sum(
                echo.echo([number, count]).words == (number, count) for number in range(count)
            )
            out.printf("%d of %d messages came back as they were sent.\n", right, count)
    except PeerDied as died:
        print(f"{env.name}: a server is gone: {died}", file=sys.stderr)
        env.exit(1)
    if right != count:
        env.exit(1)
