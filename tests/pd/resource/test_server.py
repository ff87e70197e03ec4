"""The library of resource servers: what it does for a server, whatever the server does."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from caplab.kernel.abi import Status
from caplab.pd.errors import NeverHeld, PdDead, PeerDied, Revoked
from caplab.pd.objects import Memory
from caplab.pd.resource import (
    Below,
    Call,
    MissingCapability,
    NoSuchObject,
    OtherSpace,
    Protocol,
    ProtocolError,
    ReplyTooLong,
    ResourceError,
    ResourceServer,
    Served,
    UnknownMessage,
    chores,
    on_object,
    on_rde,
)
from caplab.servers.sample import Sample, SampleError
from caplab.servers.sample import sample_pb2 as pb
from caplab.servers.sample.protocol import PROTOCOL
from sampled import hands, sample_system, server_pd
from threaded_system import ThreadedSystem

INVOKE = pb.SampleMessage(invoke=pb.SampleInvokeMessage(x=1, y=2))


class Foreign(ResourceError, code=SampleError.of(16).code):
    """A refusal of another service, with a number that this one has too."""


class Plain(ResourceServer[int]):
    """A server of what the tests below give it to do when it is invoked."""

    type_name = "SAMPLE"
    protocol = PROTOCOL
    told: list[Any]
    invoked: Callable[["Plain", Call[int]], Any] = staticmethod(lambda server, call: None)

    @on_rde("alloc")
    def alloc(self, call: Call[int], message: Any) -> pb.SampleAllocReturnMessage:
        number, slot = call.served.allocate(len(call.served.objects), call.client)
        return pb.SampleAllocReturnMessage(slot=slot, id=number)

    @on_object("invoke")
    def invoke(self, call: Call[int], message: Any) -> Any:
        return type(self).invoked(self, call)

    def destroyed(self, served: Served[int]) -> None:
        self.told.append(("destroyed", served.number, len(served.objects), len(self.spaces)))

    def client_gone(self, served: Served[int] | None, client: int) -> None:
        self.told.append(("client-gone", served.number if served else 0, client))

    def close(self) -> None:
        self.told.append("closed")


def plain(invoked: Callable[[Plain, Call[int]], Any] | None = None, **more: Any) -> dict[str, Any]:
    """The manifest entry of such a server; `told` has what it was told."""
    told: list[Any] = []
    members = {"told": told, **more}
    if invoked is not None:
        members["invoked"] = staticmethod(invoked)
    kind = type("Given", (Plain,), members)
    return server_pd(main=lambda env: kind(env).run()) | {"told": told}


def alloc(system: ThreadedSystem, name: str = "client") -> Sample:
    return Sample.alloc(system.env(name).endpoint("sample"))


def test_a_handlers_own_mistake_ends_the_server_and_frees_the_caller() -> None:
    with sample_system("client", server=plain(lambda server, call: 1 // 0)) as system:
        (hand,) = hands(system, "client")
        sample = hand.do(lambda env: alloc(system))
        with pytest.raises((PeerDied, Revoked)):
            hand.do(lambda env: sample.invoke(1, 2))
        assert isinstance(system.faults["sample"], ZeroDivisionError)
        assert not system.root.spaces


def test_an_answer_that_the_reply_has_no_part_for_is_the_servers_mistake() -> None:
    wrong = plain(lambda server, call: pb.SampleInvokeMessage(x=1))
    with sample_system("client", server=wrong) as system:
        sample = alloc(system)
        with pytest.raises((PeerDied, Revoked)):
            sample.invoke(1, 2)
        assert "SampleReturnMessage has no part for" in str(system.faults["sample"])


def raising(error: Exception) -> Callable[..., Any]:
    def invoked(server: Plain, call: Call[int]) -> None:
        raise error

    return invoked


@pytest.mark.parametrize(
    "error",
    [
        PeerDied(18, "Call"),
        Revoked(17, "Call"),
        Foreign("the disk is full"),
    ],
    ids=["a server below died", "something below was revoked", "a server below refuses"],
)
def test_what_goes_wrong_below_a_handler_is_answered_and_not_taken_for_its_own(
    error: Exception,
) -> None:
    with sample_system("client", server=plain(raising(error))) as system:
        sample = alloc(system)
        for _ in range(2):
            with pytest.raises(Below, match="sample: "):
                sample.invoke(1, 2)


def test_an_answer_that_does_not_fit_a_message_is_refused() -> None:
    long = plain(lambda server, call: pb.SampleInvokeReturnMessage(result="x" * 2000))
    with sample_system("client", server=long) as system:
        sample = alloc(system)
        with pytest.raises(ReplyTooLong):
            sample.invoke(1, 2)
        with pytest.raises(ReplyTooLong):
            sample.invoke(1, 2)


def test_an_operation_without_a_handler_is_unknown() -> None:
    with sample_system("client", server=plain()) as system:
        sample = alloc(system)
        with pytest.raises(UnknownMessage, match="`free`"):
            sample.free()


def test_a_handler_for_an_operation_that_is_not_declared_is_found_at_once() -> None:
    with pytest.raises(TypeError, match="answers `spin`, which is none of the operations"):

        class Spinning(ResourceServer[int]):
            type_name = "SAMPLE"
            protocol = PROTOCOL

            @on_rde("spin")
            def spin(self, call: Call[int], message: Any) -> None:
                """Never called."""


@pytest.mark.parametrize(
    ("request_type", "reply_type"),
    [
        (pb.SampleInvokeMessage, pb.SampleReturnMessage),
        (pb.SampleMessage, pb.SampleMessage),
        (pb.SampleMessage, pb.SampleBasicReturnMessage),
    ],
    ids=["no oneof", "no error code", "no basic reply"],
)
def test_messages_of_another_shape_make_no_protocol(request_type: Any, reply_type: Any) -> None:
    with pytest.raises(TypeError, match=r"needs a field|has no answer"):
        Protocol("SAMPLE", request_type, reply_type, SampleError)


def test_a_capability_that_comes_along_is_kept_when_it_is_taken_and_else_deleted() -> None:
    kept: list[Memory] = []

    def invoked(server: Plain, call: Call[int]) -> pb.SampleInvokeReturnMessage:
        if call.value:
            kept.append(call.take(Memory))
        return pb.SampleInvokeReturnMessage(result=f"{len(call.message.slots)}")

    with sample_system("client", server=plain(invoked)) as system:
        first, second = alloc(system), alloc(system)
        memory = system.env("client").memory()
        held = next(iter(system.segments))
        for sample in (first, first, second, second):
            reply = PROTOCOL.call(sample.endpoint, INVOKE, caps=[memory])
            assert reply.invoke.result == "1"
        with pytest.raises(MissingCapability, match="Memory"):
            second.invoke(1, 2)
        server = system.root.latest["sample"]
        frames = [
            slot.index
            for slot in server.cspace.slots.values()
            if slot.cap is not None and slot.cap.type == memory.type
        ]
        assert sorted(frames) == sorted(cap.slot for cap in kept)
        assert len(frames) == 2
        assert held in system.segments


def test_a_resource_that_comes_along_is_known_by_its_badge() -> None:
    def invoked(server: Plain, call: Call[int]) -> pb.SampleInvokeReturnMessage:
        return pb.SampleInvokeReturnMessage(result=f"{call.object} and {call.resource()}")

    with sample_system("client", server=plain(invoked)) as system:
        rde = system.env("client").endpoint("sample")
        first, second = alloc(system), alloc(system)
        reply = PROTOCOL.call(first.endpoint, INVOKE, caps=[second.endpoint])
        assert reply.invoke.result == f"{first.id} and {second.id}"
        with pytest.raises(NoSuchObject):
            PROTOCOL.call(first.endpoint, INVOKE, caps=[rde])
        with pytest.raises(MissingCapability):
            first.invoke(1, 2)
        with pytest.raises(MissingCapability):
            PROTOCOL.call(first.endpoint, INVOKE, caps=[system.env("client").memory()])


def test_spaces_of_one_server_know_their_own_objects_only() -> None:
    def invoked(server: Plain, call: Call[int]) -> pb.SampleInvokeReturnMessage | None:
        if call.value == 0 and len(server.spaces) == 1:
            _, slot = server.new_space(call.client, pd_depth=1)
            return pb.SampleInvokeReturnMessage(result=f"{slot}")
        call.resource()
        return None

    with sample_system("client", server=plain(invoked)) as system:
        env = system.env("client")
        first = alloc(system)
        slot = int(first.invoke(1, 2))
        again = Sample.alloc(env.cap(type(first.endpoint), slot))
        assert again.id == first.id
        with pytest.raises(OtherSpace):
            PROTOCOL.call(first.endpoint, INVOKE, caps=[again.endpoint])
        names = sorted(name for name in env.pd.names() if name.startswith("rde:SAMPLE"))
        assert names == ["rde:SAMPLE"]


def test_a_client_that_loses_its_rde_and_a_server_that_ends_are_noticed() -> None:
    entry = plain()
    told = entry.pop("told")
    with sample_system("client", server=entry) as system:
        number = system.root.latest["client"].number
        space = next(iter(system.root.spaces))
        system.operate(op="kill", pd="client")
        assert told == [("client-gone", space, number)]
    assert told[1:] == ["closed"]


def test_a_space_that_a_policy_takes_away_is_gone_for_the_server_too() -> None:
    lower, upper = plain(), plain(init=built_on("below"))
    told = upper["told"]
    upper |= {"uses": {"below": "low"}}
    lower |= {"name": "low", "serves": {"space": "LOW"}, "main": lower["main"]}
    with sample_system("client", server=upper, others=(lower,)) as system:
        alloc(system)
        report = system.operate(op="kill", pd="low", space_depth=1)
        assert [one["action"] for one in report["actions"]].count("mark_space") == 2
        assert told == [("destroyed", 16, 1, 0)]
        assert not system.root.spaces
        with pytest.raises((PeerDied, Revoked)) as gone:
            alloc(system)
        assert gone.value.pd == "low"


def built_on(name: str) -> Callable[[Plain], None]:
    def init(server: Plain) -> None:
        server.build_on(name)

    return init


def test_a_space_is_built_on_none_but_what_is_held() -> None:
    entry = plain(init=built_on("plain")) | {"uses": {"plain": "other"}}
    other = server_pd("other") | {"serves": "endpoint"}
    other["main"] = lambda env: env.endpoint("server").recv()
    entries = {key: value for key, value in entry.items() if key != "told"}
    with ThreadedSystem(entries, other, uarts=()) as system:
        system.until(lambda: system.faults)
        assert isinstance(system.faults["sample"], NeverHeld)


def test_the_server_answers_between_the_slices_of_a_model_and_goes_on_deleting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(chores, "SLICE", 8)
    order: list[str] = []

    def described(server: Plain, value: int) -> str:
        order.append("described")
        if value == 50:  # of objects that are written already, and of one that is not yet
            for number in (*range(1, 11), 80):
                server.default.delete(number)
        return "x" * 100

    def invoked(server: Plain, call: Call[int]) -> None:
        order.append("invoked")
        for number in range(55, 75):
            call.served.delete(number)

    entry = plain(invoked, describe=described)
    with sample_system("client", "asker", server=entry) as system:
        client, asker = hands(system, "client", "asker")
        client.do(lambda env: [alloc(system) for _ in range(40)])
        last = asker.do(lambda env: [alloc(system, "asker") for _ in range(40)][-1])
        system.operate(op="suspend", pd="sample")
        waiting = asker.begin(lambda env: last.invoke(1, 2))
        system.until(lambda: system.blocked("asker"))
        graph = hands_off(system, "graph")
        system.operate(op="resume", pd="sample")
        waiting.result(10)
        found = graph()
    assert found["marked"] == []
    resources = [row for row in found["rows"] if row[0] == "RESOURCE" and row[2] == "SAMPLE"]
    assert len(resources) == 49
    assert all(row[6] == "x" * 100 for row in resources)
    assert "invoked" in order[:-1]


def hands_off(system: ThreadedSystem, op: str) -> Callable[[], dict[str, Any]]:
    """Give a command; its answer is waited for later."""
    from concurrent.futures import ThreadPoolExecutor

    pool = ThreadPoolExecutor(1)
    answer = pool.submit(lambda: system.operate(op=op))
    pool.shutdown(wait=False)
    return lambda: answer.result(10)


def test_a_server_without_a_space_says_which_line_is_missing() -> None:
    entry = server_pd() | {"serves": "endpoint", "rdes": []}
    entry["name"] = "sample"
    with ThreadedSystem(entry, uarts=()) as system:
        system.until(lambda: system.faults)
        assert "serves: {space: SAMPLE}" in str(system.faults["sample"])


def test_the_maps_of_a_resource_are_edges_of_the_model() -> None:
    def maps(server: Plain, value: int) -> Iterable[tuple[int, int]]:
        return [server.held]  # type: ignore[attr-defined]

    def init(server: Plain) -> None:
        server.below = server.build_on("below")  # type: ignore[attr-defined]
        sample = Sample.alloc(server.env.endpoint("below"))
        server.held = (server.below, sample.id)  # type: ignore[attr-defined]

    lower, upper = plain(), plain(init=init, maps=maps)
    upper |= {"uses": {"below": "low"}}
    lower |= {"name": "low", "serves": {"space": "LOW"}}
    with sample_system("client", server=upper, others=(lower,)) as system:
        alloc(system)
        found = system.operate(op="graph")
        assert found["marked"] == []
        edges = {(row[4], row[5]) for row in found["rows"] if row[3] == "MAP"}
        assert ("SAMPLE_10_1", "LOW_11_1") in edges


def test_every_refusal_of_the_library_has_a_number_below_a_services_own() -> None:
    codes = [one.code for one in ProtocolError.__subclasses__()]
    assert sorted(codes) == list(range(1, len(codes) + 1))
    assert max(codes) < 16


class FullSpace:
    """A space in which resources can be made, and given to nobody."""

    def __init__(self) -> None:
        self.there: set[int] = set()

    def info(self) -> dict[str, int]:
        return {"space": 16, "type": 10}

    def create(self, object: int | None = None) -> int:
        self.there.add(1)
        return 1

    def give(self, object: int, pd: int) -> tuple[int, int]:
        raise PdDead(Status.PD_DEAD, "RESSPC_Give")

    def drop(self, object: int) -> None:
        self.there.remove(object)


def test_of_a_resource_that_cannot_be_given_nothing_is_left() -> None:
    space: Any = FullSpace()
    served: Served[int] = Served(space)
    with pytest.raises(PdDead):
        served.allocate(1, 4)
    assert not served.objects
    assert not space.there
