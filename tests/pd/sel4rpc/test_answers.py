"""libsel4rpc: what hangs there is answered here; handlers, and what is on the wire."""

from collections.abc import Callable
from typing import Any

import pytest

from caplab.kernel.abi import Status
from caplab.pd.env import Env
from caplab.pd.errors import IpcTimeout
from caplab.pd.sel4rpc import (
    FREE,
    Malformed,
    NotAnswered,
    OutsideRange,
    RpcClient,
    RpcError,
    RpcIrq,
    RpcMemory,
    RpcMessage,
    RpcReturn,
    RpcServer,
    UnknownRequest,
)
from caplab.pd.sel4rpc.rpc_pb2 import RpcError as RpcErrorCode
from caplab.pd.sel4rpc.wire import decode, encode
from family import AT, FRAME, MACHINE, MARK, UNTYPED, family, left, refused, refused_with
from sources import ROOT
from threaded_system import ThreadedSystem

# -- what hangs upstream -------------------------------------------------------------------------


def test_a_full_destination_slot_is_told_and_nothing_is_lost(
    system: ThreadedSystem, child: RpcClient
) -> None:
    env, whole = child.env, left(system)
    full = env.notification().slot
    request = RpcMessage(memory=RpcMemory(address=AT, size_bits=12, type=UNTYPED))
    for root, slot, depth in ((0, full, 64), (0, 5000, 64), (full, 1, 4), (0, 1, 9)):
        refused_with(
            Status.DELETE_FIRST, lambda r=root, s=slot, d=depth: child.call(request, r, s, d)
        )
        assert left(system) == whole
    simple = RpcMessage(irq=RpcIrq(simple={"irq": 3}))
    refused_with(Status.DELETE_FIRST, lambda: child.call(simple, 0, full))
    child.irq(3)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x05",
        b"\x80",
        b"\xff\xff\x01",
        b"\x02\xff\xff",
        b"\x03\x12\x7f\x00",
        b"\x10" + b"\xa5" * 16,
    ],
)
def test_malformed_bytes_are_answered(child: RpcClient, body: bytes) -> None:
    answer = child.endpoint.call(0, MARK + body, timeout=5)
    assert decode(answer.data).ret.errorCode == Malformed.code
    child.irq(3)


@pytest.mark.parametrize(
    "request_",
    [
        RpcMessage(),
        RpcMessage(ret=RpcReturn(errorCode=1)),
        RpcMessage(irq=RpcIrq()),
        RpcMessage(memory=RpcMemory(size_bits=12, type=UNTYPED, action=2)),  # type: ignore[arg-type]
    ],
)
def test_unknown_requests_are_answered(child: RpcClient, request_: RpcMessage) -> None:
    refused(UnknownRequest, lambda: child.call(request_, timeout=5))
    # A request of a later protocol, which this one does not know: field 9.
    answer = child.endpoint.call(0, MARK + b"\x03\x4a\x01x", timeout=5)
    assert decode(answer.data).ret.errorCode == UnknownRequest.code


def test_an_answer_that_is_none_is_told(child: RpcClient) -> None:
    with pytest.raises(Malformed):  # the parent's own message: no RPC
        RpcClient(child.endpoint, magic=7).irq(3)


def test_an_answer_that_says_nothing_is_told() -> None:
    with family(handler=lambda server, data, request: server.env.reply(0, b"\0")) as system:
        child = RpcClient(system.env("child").endpoint("parent"))
        refused(Malformed, lambda: child.irq(3))


def test_a_request_that_no_message_holds_is_refused_at_once(child: RpcClient) -> None:
    request = RpcMessage(ret=RpcReturn(reason="x" * 1000))
    with pytest.raises(ValueError, match="does not fit"):
        child.call(request)


def test_the_library_of_the_sel4_mode_answers_as_well() -> None:
    with family(semantics="sel4") as system:
        child = RpcClient(system.env("child").endpoint("parent"))
        full = child.env.notification().slot
        request = RpcMessage(memory=RpcMemory(size_bits=12, type=FRAME))
        refused_with(Status.DELETE_FIRST, lambda: child.call(request, 0, full))
        refused(OutsideRange, lambda: child.memory(12, address=4096))
        child.free(child.memory(12, FRAME))


# -- handlers, and the parent's own messages -----------------------------------------------------


def test_the_parents_own_messages_come_to_the_same_endpoint(child: RpcClient) -> None:
    answer = child.endpoint.call(3, b"results")
    assert (answer.label, answer.data) == (7, b"not RPC: 7")
    assert child.endpoint.call(0, b"").data == b"not RPC: 0"
    child.irq(3)


def test_another_magic_can_be_agreed_on() -> None:
    with family(magic=0x5E14) as system:
        endpoint = system.env("child").endpoint("parent")
        RpcClient(endpoint, magic=0x5E14).irq(3)
        refused(Malformed, lambda: RpcClient(endpoint).irq(40))


def test_a_handler_answers_passes_on_or_refuses() -> None:
    seen: list[tuple[str, int]] = []

    def mine(server: RpcServer, data: Any, request: RpcMessage) -> None:
        seen.append((str(request.WhichOneof("msg")), server.badge))
        if request.WhichOneof("msg") == "ioport":
            raise RpcError.of(99, f"no ports for {data}")
        if request.memory.address == 1:
            server.reply(error_code=0, cookie=2**63)
        else:
            server.pass_on(request)

    with family(handler=mine, data="children") as system:
        child = RpcClient(system.env("child").endpoint("parent"))
        assert refused_with(99, lambda: child.ioport(1, 1)) == "no ports for children"
        one = RpcMessage(memory=RpcMemory(address=1))
        assert child.call(one) == (2**63, 0)
        child.irq(3)
        assert [kind for kind, _ in seen] == ["ioport", "memory", "irq"]
        assert {badge for _, badge in seen} == {2}


def test_handlers_form_a_chain_that_ends_at_the_default() -> None:
    order: list[str] = []

    def link(name: str) -> Callable[[RpcServer, Any, RpcMessage], None]:
        def handler(server: RpcServer, data: Any, request: RpcMessage) -> None:
            order.append(name)
            server.pass_on(request)

        return handler

    def main(env: Env) -> None:
        server = RpcServer(env, link("first"))
        server.add_handler(link("second"))
        server.add_handler(lambda server, data, request: server.default_handler(data, request))
        while True:
            server.recv(env.endpoint("server").recv())

    parent = {"name": "parent", "main": main, "serves": "endpoint", "role": "server"}
    child = {"name": "child", "uses": {"parent": "parent"}}
    with ThreadedSystem(parent, child, uarts=()) as system:
        rpc = RpcClient(system.env("child").endpoint("parent"))
        rpc.memory(12)
        refused(OutsideRange, lambda: rpc.memory(12, address=4096))
    assert order == ["first", "second"] * 2


def test_a_handler_that_gives_no_answer_leaves_nobody_waiting() -> None:
    with family(handler=lambda server, data, request: None) as system:
        child = RpcClient(system.env("child").endpoint("parent"))
        refused(NotAnswered, lambda: child.irq(3))


def test_an_answer_given_twice_is_the_parents_mistake() -> None:
    def twice(server: RpcServer, data: Any, request: RpcMessage) -> None:
        server.reply(cookie=1)
        server.reply(cookie=2)

    with family(handler=twice) as system:
        child = RpcClient(system.env("child").endpoint("parent"))
        assert child.call(RpcMessage(ioport={})).cookie == 1  # type: ignore[arg-type]
        system.until(lambda: "parent" in system.faults)
        assert "already" in str(system.faults["parent"])


def test_a_refusal_after_the_answer_is_the_parents_mistake() -> None:
    def late(server: RpcServer, data: Any, request: RpcMessage) -> None:
        server.reply()
        raise RpcError("too late")

    with family(handler=late) as system:
        RpcClient(system.env("child").endpoint("parent")).call(RpcMessage())
        system.until(lambda: "parent" in system.faults)
        assert str(system.faults["parent"]) == "too late"


def test_a_parent_that_may_send_no_capabilities_says_so_and_keeps_them() -> None:
    from caplab.kernel.abi import Rights

    def main(env: Env) -> None:
        endpoint = env.endpoint("server").copy(Rights.READ)
        server = RpcServer(env)
        while True:
            server.recv(endpoint.recv())

    parent = {"name": "parent", "main": main, "serves": "endpoint", "role": "server"}
    parent |= {"devices": ["irqs", "ioports", "ranges"]}
    child = {"name": "child", "uses": {"parent": "parent"}}
    with ThreadedSystem(parent, child, uarts=(), **MACHINE) as system:
        rpc = RpcClient(system.env("child").endpoint("parent"))
        refused_with(Status.ILLEGAL_OPERATION, lambda: rpc.memory(12, address=AT))
        refused_with(Status.ILLEGAL_OPERATION, lambda: rpc.irq(3))
        assert left(system) == 0x8000
        assert system.kernel.irqs[3].refs == 0


def test_a_timeout_is_the_childs_own() -> None:
    parent = {"name": "parent", "main": lambda env: env.notification().wait(), "serves": "endpoint"}
    with ThreadedSystem(
        parent, {"name": "child", "uses": {"parent": "parent"}}, uarts=()
    ) as system:
        child = RpcClient(system.env("child").endpoint("parent"))
        with pytest.raises(IpcTimeout):
            child.irq(3, timeout=0)


# -- the wire ------------------------------------------------------------------------------------


def test_a_message_is_its_mark_its_length_and_itself() -> None:
    message = RpcMessage(memory=RpcMemory(address=AT, size_bits=12, type=6))
    data = encode(message, MARK)
    assert data[:8] == (0xCAFED00D).to_bytes(8, "little")
    assert data[8] == len(data) - 9
    assert decode(data + b"\0" * 7, 8) == message
    long = RpcMessage(ret=RpcReturn(reason="x" * 300))
    assert decode(encode(long)) == long
    assert RpcMemory(action=FREE).action == 1


def test_docs_errors_lists_every_refusal() -> None:
    page = (ROOT / "docs" / "errors.md").read_text()
    for name, number in RpcErrorCode.items():
        assert not number or f"| {number} | {name.removeprefix('RPC_')} |" in page
