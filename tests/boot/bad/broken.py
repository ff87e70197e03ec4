"""A program that does not compile."""


def main(env):
    env.log("never")


return main  # noqa: F706
