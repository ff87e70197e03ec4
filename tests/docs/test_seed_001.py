"""docs/seeds/001.md does what it says: every block of it is run."""

import re
from pathlib import Path

import pages
from caplab.pd import sel4rpc
from caplab.pd.sel4rpc.rpc_pb2 import RpcError
from sources import ROOT

PAGE = ROOT / "docs" / "seeds" / "001.md"
BLOCKS = pages.read(PAGE)


def test_whoever_types_what_the_page_types_sees_what_the_page_shows(
    tmp_path: Path, baseline: None
) -> None:
    BLOCKS.write(tmp_path)
    for command in BLOCKS.commands:
        pages.run(command, tmp_path)


def test_every_block_is_a_file_or_a_command_and_each_manifest_is_used() -> None:
    assert not BLOCKS.others
    manifests = {name for name in BLOCKS.files if name.endswith(".yaml")}
    assert manifests == {word for c in BLOCKS.commands for word in c.words if word in manifests}
    programs = {name for name in BLOCKS.files if name.endswith(".py")}
    used = re.findall(r"\./(\w+\.py)", "".join(BLOCKS.files.values()))
    assert programs == set(used)


def test_the_table_of_errors_has_each_class_with_its_number() -> None:
    table = PAGE.read_text().split("| Number | Class |")[1]
    told = {
        (int(number), name) for number, name in re.findall(r"^\| (\d+) \| `(\w+)`", table, re.M)
    }
    there = {
        (one.code, name)
        for name, one in vars(sel4rpc).items()
        if isinstance(one, type) and issubclass(one, sel4rpc.RpcError) and one.code
    }
    assert told == there
    assert {number for number, _ in told} == {number for number in RpcError.values() if number}


def test_every_symbol_of_the_seeds_code_is_found() -> None:
    text = PAGE.read_text()
    for symbol in (
        *("sel4rpc_server_env_t", "sel4rpc_server_init", "vka", "my_handler_function", "my_data"),
        *("&env->reply", "simple", "seL4_MessageInfo_t", "api_recv", "process_ep", "badge"),
        *("seL4_GetMR(0) == blah", "sel4rpc_server_recv", "sel4rpc_client_t"),
        *("sel4rpc_client_init", "server_endpoint", "RpcMessage", "which_msg"),
        *("RpcMessage_memory_tag", ".msg.memory", "address", "size_bits", "type"),
        *("seL4_UntypedObject", "cspacepath_t", "vka_alloc_path", "ZF_LOGF", "sel4rpc_call"),
        *("path.root", "path.capPtr", "path.capDepth", "msg.msg.errorCode", "0x10440000"),
    ):
        assert symbol in text, symbol
