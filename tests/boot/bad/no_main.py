"""A module without an entry."""


def start(env):
    env.log("never")
