"""A server whose defaults are mistaken."""


def main(env):
    env.endpoint("server")
