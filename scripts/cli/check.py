"""`caplab check`: every mistake of a manifest with its place and fix, and nothing started."""

from pathlib import Path
from typing import Annotated

import typer

from caplab.scripts.cli import show
from caplab.scripts.cli.options import Format, OutputFormat


def check(
    manifests: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MANIFEST]…",
            help="Files, folders of them, or names of systems that come with caplab; "
            "./caplab.yaml if left out.",
            show_default=False,
        ),
    ] = None,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON Schema of manifests, for editors.")
    ] = False,
    output: OutputFormat = Format.TEXT,
) -> int:
    """Check manifests and the programs they name. Imports no user code."""
    if schema:
        import json

        from caplab.kernel.boot.model import json_schema

        print(json.dumps(json_schema(), indent=2))
        return 0
    from caplab.kernel.boot.manifest import check as judged

    outcomes = [judged(one) for word in manifests or [default()] for one in meant_by(word)]
    if output is Format.JSON:
        show.as_json(
            {
                "files": [
                    {
                        "file": outcome.file,
                        "ok": outcome.ok,
                        "problems": [problem.as_dict() for problem in outcome.problems],
                    }
                    for outcome in outcomes
                ]
            }
        )
    else:
        for outcome in outcomes:
            if outcome.system is None:
                print(outcome.render())
            else:
                print(f"{outcome.file}: fine, {show.count(len(outcome.system.pds), 'PD')}")
    return 0 if all(outcome.ok for outcome in outcomes) else 2


def meant_by(word: str) -> list[Path | str]:
    """What a word stands for: every manifest of a folder, else what `up` would take."""
    from caplab.kernel.boot.manifest import manifests_in, shipped

    return [*([] if word in shipped() else manifests_in(Path(word)))] or [word]


def default() -> str:
    """What a command works on that was given no manifest."""
    return "caplab.yaml" if Path("caplab.yaml").exists() else "hello"
