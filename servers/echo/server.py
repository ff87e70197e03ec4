"""The smallest server there is: it answers each message with the message."""

from __future__ import annotations

from caplab.pd.env import Env


def main(env: Env) -> None:
    """Answer every call on the own endpoint with the same label and words, for ever."""
    endpoint = env.endpoint("server")
    message = endpoint.recv()
    while True:
        message = endpoint.reply_recv(message.label, message.data)
