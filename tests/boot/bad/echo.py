"""A server."""


def main(env):
    env.endpoint("server")
