"""A program with the name of a module of Python's own."""


def main(env):
    env.log("hidden")
