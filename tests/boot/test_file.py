"""Which file a word names, and files that cannot be read at all."""

import os
from pathlib import Path

import pytest

from caplab.kernel.boot.manifest import check, locate, shipped
from caplab.kernel.boot.problems import ManifestError
from caplab.kernel.boot.yaml_marks import MAX_BYTES


def only(manifest: str) -> tuple[str, str, str]:
    checked = check(manifest)
    (problem,) = checked.problems
    assert not checked.ok
    return problem.code, problem.message, problem.fix


def test_a_bare_word_is_a_system_that_comes_with_caplab(folder: Path) -> None:
    (folder / "hello").mkdir()
    assert locate("hello") == shipped()["hello"]
    assert locate("./hello") == Path("./hello")
    assert locate("hello.yaml") == Path("hello.yaml")
    assert locate("mine") == Path("mine")


def test_a_missing_file_is_named_with_the_one_that_was_meant(folder: Path) -> None:
    assert only("smalest.yaml") == ("CL001", "no file smalest.yaml", "write smallest.yaml")
    assert only("no/such/dir/x.yaml")[:2] == ("CL001", "no file no/such/dir/x.yaml")
    assert only("helo") == ("CL001", "neither a file nor a system helo", "write hello")


def test_a_folder_stands_for_the_one_manifest_in_it(folder: Path) -> None:
    mine = folder / "mine"
    mine.mkdir()
    (mine / "hello.py").write_text("def main(env): pass\n")
    (mine / "one.yml").write_text("pds: {hello: {run: ./hello.py}}\n")
    (mine / "pd.yaml").write_text("serves: endpoint\n")  # a program's own, and no manifest
    (mine / "deeper.yaml").mkdir()
    assert check("./mine").file == check(Path("mine")).file == "mine/one.yml"
    assert check("mine/").require().name == "one"


def test_a_folder_with_several_manifests_stands_for_its_caplab_yaml(folder: Path) -> None:
    mine = folder / "mine"
    mine.mkdir()
    for name in ("b.yaml", "a.yml"):
        (mine / name).write_text("pds: {hello: {run: clients.idle}}\n")
    assert only("mine") == (
        "CL002",
        "mine is a folder with 2 manifests: a.yml and b.yaml",
        "name one of them, such as mine/a.yml, or call one caplab.yaml",
    )
    (mine / "caplab.yaml").write_text("pds: {hello: {run: clients.idle}}\n")
    assert check("mine").file == "mine/caplab.yaml"


def test_a_folder_without_a_manifest_is_refused(folder: Path) -> None:
    (folder / "mine").mkdir()
    assert only("mine") == (
        "CL002",
        "mine is a folder without a manifest",
        "name a YAML file, or write caplab.yaml",
    )


def test_what_is_not_a_file_is_refused_and_not_waited_for(folder: Path) -> None:
    os.mkfifo("pipe.yaml")
    assert only("pipe.yaml")[0] == "CL002"
    assert only("/dev/zero")[0] == "CL002"
    assert only("null\0byte.yaml")[0] == "CL002"
    assert only("long" * 100 + ".yaml")[0] == "CL002"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_this_user_may_not_read_is_refused(folder: Path) -> None:
    Path("smallest.yaml").chmod(0)
    assert only("smallest.yaml") == (
        *("CL002", "smallest.yaml: Permission denied", "make it readable"),
    )


def test_a_manifest_has_at_most_a_mebibyte(folder: Path) -> None:
    text = b"pds: {hello: {run: ./hello.py}}\n"
    Path("large.yaml").write_bytes(text + b"#" * (MAX_BYTES - len(text)))
    assert check("large.yaml").ok
    Path("larger.yaml").write_bytes(text + b"#" * (MAX_BYTES + 1 - len(text)))
    assert only("larger.yaml")[:2] == ("CL003", "the file is larger than 1 MiB")


def test_the_name_of_a_file_that_cannot_name_a_system_is_refused(folder: Path) -> None:
    Path("my system.yaml").write_text("pds: {hello: {run: ./hello.py}}\n")
    assert only("my system.yaml")[:2] == (
        *("CL014", "the file's name, `my system`, cannot be the system's"),
    )
    Path("my system.yaml").write_text("name: mine\npds: {hello: {run: ./hello.py}}\n")
    assert check("my system.yaml").ok


def test_a_cpu_that_is_not_of_this_machine_is_refused(folder: Path) -> None:
    Path("m.yaml").write_text("cpus: [4095]\npds: {hello: {run: ./hello.py}}\n")
    assert only("m.yaml")[:2] == ("CL017", "CPU 4095 is not one this process may run on")
    cpu = min(os.sched_getaffinity(0))
    Path("m.yaml").write_text(f"cpus: [{cpu}]\npds: {{hello: {{run: ./hello.py}}}}\n")
    assert check("m.yaml").require().cpus == (cpu,)


def test_a_mistake_is_raised_where_a_system_is_required(folder: Path) -> None:
    with pytest.raises(ManifestError, match=r"self-use\.yaml:5:12: `echo` uses itself"):
        check("self-use.yaml").require()


def test_a_caplab_server_that_does_not_exist_is_named_with_those_that_do(folder: Path) -> None:
    Path("m.yaml").write_text("pds: {serial: {run: servers.seriel}}\n")
    code, message, fix = only("m.yaml")
    assert (code, fix) == ("CL031", "write servers.serial")
    assert message.startswith("caplab has no server seriel; its servers are: ")
