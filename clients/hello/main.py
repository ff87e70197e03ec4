"""Prints a line or several through the serial server."""

import sys

from caplab import Env, PeerDied
from caplab.servers.serial import Serial


def main(env: Env, name: str = "world", count: int = 1) -> None:
    """Print `Hello world from NAME.` `count` times on the console; exit 1 when the server dies."""
    try:
        with Serial.connect(env.endpoint("console")) as out:
            for _ in range(count):
                out.printf("Hello world from %s.\n", name)
    except PeerDied as died:
        print(f"{env.name}: the console is gone: {died}", file=sys.stderr)
        env.exit(1)
