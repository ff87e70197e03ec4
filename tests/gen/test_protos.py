"""Python made of `.proto` files: as committed, and what is said of one that is wrong."""

from pathlib import Path

import pytest

from caplab.kernel.boot.generated import mark_of, outputs, stale
from caplab.scripts.gen.protos import BadProto, found, generate, write
from sources import ROOT

PROTOS = sorted(proto for top in ("servers", "pd") for proto in (ROOT / top).rglob("*.proto"))
GOOD = 'syntax = "proto3";\nmessage Ask { uint64 magic = 100; }\n'


@pytest.mark.parametrize("proto", PROTOS, ids=lambda path: path.stem)
def test_what_is_committed_is_what_the_proto_says(proto: Path) -> None:
    assert list(stale(proto.parent)) == []
    made = generate(proto)
    # Another release of the compiler may write another version into the code, but no other mark.
    for target in outputs(proto):
        lines = [line for line in made[target].splitlines() if not line[:1].isspace()]
        there = [line for line in target.read_text().splitlines() if not line[:1].isspace()]
        assert [a for a in lines if "Version" not in a] == [b for b in there if "Version" not in b]


def test_a_changed_proto_is_stale_until_its_code_is_made_again(tmp_path: Path) -> None:
    proto = tmp_path / "ask.proto"
    proto.write_text(GOOD)
    assert list(stale(tmp_path)) == [proto]
    assert write(proto) == list(outputs(proto))
    assert list(stale(tmp_path)) == []
    assert write(proto) == []
    proto.write_text(GOOD + "// a comment\n")
    assert list(stale(tmp_path)) == [proto]
    write(proto)
    assert outputs(proto)[0].read_text().startswith(mark_of(proto))
    outputs(proto)[0].unlink()
    assert list(stale(tmp_path)) == [proto]


def test_a_proto_that_does_not_compile_is_refused_with_its_line_and_changes_nothing(
    tmp_path: Path,
) -> None:
    proto = tmp_path / "ask.proto"
    proto.write_text(GOOD.replace("uint64", "uint65"))
    with pytest.raises(BadProto, match=r"^\S*ask\.proto:2:15: .*uint65"):
        write(proto)
    assert [each.name for each in tmp_path.iterdir()] == ["ask.proto"]


def test_every_proto_of_a_folder_is_found(tmp_path: Path) -> None:
    for name in ("b.proto", "a/c.proto"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(GOOD)
    there = [path.relative_to(tmp_path).as_posix() for path in found([tmp_path])]
    assert sorted(there) == ["a/c.proto", "b.proto"]
    assert not list(found([tmp_path / "a" / "d.proto", tmp_path / "a"], ".idl"))
