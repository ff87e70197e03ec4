"""An entry nobody would await."""


async def main(env):
    env.log("never")
