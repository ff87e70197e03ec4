"""A module in a folder without `__init__.py`."""


def start(env):
    env.log("found")
