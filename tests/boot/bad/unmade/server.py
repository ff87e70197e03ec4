"""A program beside a message that nothing was made of."""


def main(env: object) -> None:
    """Do nothing."""
