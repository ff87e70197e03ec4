"""`caplab explain`: a code, a status, a number or a word of the field, in a few sentences."""

from typing import Annotated

import typer

from caplab.kernel.boot import catalogue
from caplab.kernel.host.errors import RequestRefused


def explain(
    word: Annotated[str, typer.Argument(metavar="CODE|WORD", help="CL020, REVOKED, 11, badge, …")],
) -> int:
    """Explain an error code, a status or a word."""
    try:
        print(catalogue.explain(word))
    except catalogue.UnknownWord as unknown:
        raise RequestRefused("no-such-word", f"{unknown}.".replace("?.", "?")) from None
    return 0
