"""Does nothing until it is stopped: something to kill."""

from caplab import Env


def main(env: Env) -> None:
    """Wait for a signal that nobody sends."""
    env.notification().wait()
