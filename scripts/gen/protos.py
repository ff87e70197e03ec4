"""Python from `.proto` files: what `caplab gen` does.

`X.proto` becomes `X_pb2.py` and `X_pb2.pyi` beside it. The first line of the former says of which
text it was made, so that `caplab check` can tell without a compiler whether it is stale.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from caplab.kernel.boot.generated import mark_of, outputs

_LOG = re.compile(r"WARNING: All log|\[?libprotobuf|[IWEF]\d{4} ")


class BadProto(Exception):
    """What the compiler says of a `.proto` that it refuses."""


def found(paths: Iterable[Path], suffix: str = ".proto") -> Iterator[Path]:
    """The files of a kind among paths, and in folders among them."""
    for path in paths:
        if path.is_dir():
            yield from sorted(path.rglob(f"*{suffix}"))
        elif path.suffix == suffix and path.is_file():
            yield path


def generate(proto: Path) -> dict[Path, str]:
    """What is made of a `.proto`, by file; nothing is written. Raises BadProto."""
    with tempfile.TemporaryDirectory() as folder:
        _compile(proto, Path(folder))
        made = {target: (Path(folder) / target.name).read_text() for target in outputs(proto)}
    source, annotations = outputs(proto)
    made[source] = f"{mark_of(proto)}\n{made[source]}"
    # What may stand for a part is annotated without its types, which `mypy --strict` refuses.
    made[annotations] = made[annotations].replace(", _Mapping]", ", _Mapping[str, object]]")
    return made


def write(proto: Path) -> list[Path]:
    """Generate, and write what has changed; the files that were written. Raises BadProto."""
    written = []
    for target, text in generate(proto).items():
        if not target.is_file() or target.read_text() != text:
            target.write_text(text)
            written.append(target)
    return written


def _compile(proto: Path, folder: Path) -> None:
    command = [
        *(sys.executable, "-P", "-m", "grpc_tools.protoc", f"-I{proto.parent}"),
        *(f"--python_out={folder}", f"--pyi_out={folder}", str(proto)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        # Its log goes to the same place, and is of no use to the reader.
        lines = (line for line in done.stderr.splitlines() if not _LOG.match(line))
        said = "\n".join(lines).strip()
        raise BadProto(said or f"{proto} could not be compiled")


def main() -> None:
    """Generate what the tree's own `.proto` files declare."""
    root = Path(__file__).parents[2]
    for proto in found([root / "servers", root / "pd"]):
        write(proto)


if __name__ == "__main__":
    main()
