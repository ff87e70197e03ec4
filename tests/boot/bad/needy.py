"""A client that cannot do without an argument."""


def main(env, name):
    env.log(name)
