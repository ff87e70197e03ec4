"""Everything that can be refused can be explained, and nothing else is."""

import ast
import re
from pathlib import Path

import pytest

from caplab.kernel.abi import Status
from caplab.kernel.boot.catalogue import FILE, UnknownWord, catalogue, explain, words
from caplab.pd import errors
from caplab.pd.idl import WireError
from caplab.servers.serial.protocol import Error
from sources import sources

EXPECTED = sorted((Path(__file__).parent / "bad").glob("*.expected"))


def test_each_code_in_the_programs_is_explained_and_each_explained_code_is_used() -> None:
    code = sources("kernel", "pd", "servers", "clients", "scripts")
    used = {found for each in code for found in re.findall(r"\bCL\d{3}\b", each.text)}
    assert used - {"CL020"} == set(catalogue()["errors"]) - {"CL020"}  # CL020 is an example too


def test_each_code_of_a_manifest_is_shown_by_a_deliberate_mistake() -> None:
    tests = [*EXPECTED, *Path(__file__).parent.glob("test_*.py")]
    shown = {found for each in tests for found in re.findall(r"\bCL\d{3}\b", each.read_text())}
    assert {code for code in catalogue()["errors"] if code < "CL100"} <= shown


def test_each_refusal_of_a_command_is_explained_and_each_that_is_explained_is_used() -> None:
    raising = {"HostError", "RequestRefused", "NotRunning", "SystemFailed", "OutOfTime", "refuse"}
    code = sources("kernel", "scripts")
    calls = [
        node
        for each in code
        for node in ast.walk(each.tree)
        if isinstance(node, ast.Call)
        and (ast.unparse(node.func).split(".")[-1] in raising or each.name.endswith("errors.py"))
    ]
    values = [value for node in calls for value in (*node.args, *(k.value for k in node.keywords))]
    defaults = [
        value
        for each in code
        if each.name == "kernel/host/errors.py"
        for node in ast.walk(each.tree)
        if isinstance(node, ast.FunctionDef)
        for value in node.args.defaults
    ]
    used = {
        value.value
        for value in (*values, *defaults)
        if isinstance(value, ast.Constant) and re.fullmatch(r"[a-z]+(-[a-z]+)+", str(value.value))
    }
    assert used == set(catalogue()["commands"]) - {"refused"}


def test_each_status_is_explained_under_its_name() -> None:
    assert list(catalogue()["statuses"]) == [status.name for status in Status]


def test_each_status_names_the_exception_it_is_raised_as() -> None:
    for name, entry in catalogue()["statuses"].items():
        if Status[name] in (Status.OK, Status.STOP, Status.CRASH):
            continue
        assert type(errors.refusal(Status[name], "call", 1, b"")).__name__ == entry.get("exception")


def test_each_exception_of_the_pd_library_is_explained() -> None:
    declared = {
        name
        for name, each in vars(errors).items()
        if isinstance(each, type) and issubclass(each, BaseException) and name[0] != "_"
        if each.__module__ == errors.__name__
    }
    assert declared <= set(words())


def test_each_refusal_on_every_interfaces_behalf_is_explained_with_its_number() -> None:
    for error in WireError.__subclasses__():
        told = catalogue()["exceptions"][error.__name__]["meaning"]
        assert re.search(rf"\berror {error.code}\b", told, re.IGNORECASE), error


def test_each_refusal_of_the_serial_server_is_explained_with_its_number() -> None:
    told = {name: entry["number"] for name, entry in catalogue()["services"]["serial"].items()}
    assert told == {error.name: error.value for error in Error if error is not Error.NONE}


def test_the_glossary_has_every_word_a_newcomer_meets() -> None:
    wanted = [
        *("PD", "RDE", "MO", "hold", "badge", "mint", "endpoint", "notification", "CSpace"),
        *("reply capability", "CNode", "slot", "TCB", "revoke", "root task", "resource space"),
        *("line", "window", "zygote", "launcher", "deaf endpoint", "tombstone", "generation"),
        *("lab mode", "UART", "manifest", "server", "kernel", "rights", "capability"),
    ]
    assert set(wanted) <= set(catalogue()["glossary"])


def test_every_cross_reference_of_the_glossary_leads_somewhere() -> None:
    glossary = catalogue()["glossary"]
    lost = [see for term in glossary.values() for see in term.get("see", ()) if see not in glossary]
    assert not lost


def test_no_word_stands_for_two_terms() -> None:
    glossary = catalogue()["glossary"]
    names = [
        word.casefold()
        for name, term in glossary.items()
        for word in (name, *term.get("aliases", ()))
    ]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("word", "begins"),
    [
        ("CL020", "CL020: A PD uses one that does not exist"),
        ("cl20", "CL020: "),
        ("REVOKED", "REVOKED (17), a status"),
        ("died-before-recv", "DIED_BEFORE_RECV (18)"),
        ("17", "REVOKED (17)"),
        ("11", "SHMEM_TOO_LARGE (11), a refusal of the serial server"),
        ("-4", "TOO_LONG (-4)"),
        ("serial 12", "BIND_FAILED (12)"),
        ("ShmemTooLarge", "SHMEM_TOO_LARGE (11)"),
        ("seL4_FailedLookup", "FAILED_LOOKUP (6)"),
        ("missingcap", "MissingCap"),
        ("no-such-pd", "no-such-pd: what a command was refused for"),
        ("protection domain", "PD\n"),
        ("Badges", "badge\n"),
    ],
)
def test_a_word_is_explained_however_it_is_written(word: str, begins: str) -> None:
    assert explain(word).startswith(begins)


def test_a_number_that_means_two_things_is_explained_twice() -> None:
    text = explain("10")
    assert "NOT_ENOUGH_MEMORY (10), a status of a call" in text
    assert "NOT_ENOUGH_MEMORY (10), a refusal of the serial server" in text
    assert explain("PeerDied").count("raised as: PeerDied") == 3


def test_a_word_that_is_not_known_is_refused_with_one_that_is() -> None:
    with pytest.raises(UnknownWord, match="did you mean `badge`"):
        explain("badje")
    with pytest.raises(UnknownWord, match="try "):
        explain("")


def test_every_word_explains_itself_within_the_width_of_a_terminal() -> None:
    for word in words():
        assert all(len(line) <= 100 for line in explain(word).splitlines()), word


def test_no_word_of_the_glossary_is_explained_twice() -> None:
    text = FILE.read_text("utf-8").partition("\nglossary:\n")[2]
    terms = re.findall(r"^  (\S.*):$", text, re.M)
    assert len(terms) == len(set(terms)) == len(catalogue()["glossary"])
    aliases = [one for each in catalogue()["glossary"].values() for one in each.get("aliases", ())]
    folded = [one.casefold() for one in (*terms, *aliases)]
    assert not {one for one in folded if folded.count(one) > 1}
