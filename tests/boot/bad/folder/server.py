"""A server in a folder of its own."""


def main(env):
    env.endpoint("server")
