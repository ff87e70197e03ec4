"""The sample service, in one process: what seed 000's tests do with theirs, and what goes wrong."""

import pytest

from caplab.kernel.abi import Status, resource_badge
from caplab.pd.errors import IllegalOperation, PeerDied, Revoked
from caplab.pd.resource import (
    FIRST_OWN,
    Malformed,
    NeedsRde,
    NeedsResource,
    ProtocolError,
    UnknownMessage,
    WrongMagic,
)
from caplab.servers.sample import NoRoom, Sample, SampleError
from caplab.servers.sample import sample_pb2 as pb
from caplab.servers.sample.protocol import PROTOCOL
from sampled import hands, sample_system, server_pd
from threaded_system import ThreadedSystem

INVOKE = pb.SampleMessage(
    magic=PROTOCOL.magic, invoke=pb.SampleInvokeMessage(x=1, y=2)
).SerializeToString()


def spaces(system: ThreadedSystem) -> list[int]:
    """How many resources each space has."""
    return [len(space.resources) for space in system.root.spaces.values()]


def test_gpipd003_a_resource_is_allocated_invoked_freed_and_gone() -> None:
    with sample_system("client") as system:
        env = system.env("client")
        sample = Sample.alloc(env.endpoint("sample"))
        assert sample.invoke(42, 24) == "0x42"
        sample.free()
        with pytest.raises(Revoked) as gone:
            sample.invoke(42, 24)
        assert gone.value.pd == "sample"
        assert spaces(system) == [0]
        report = system.operate(op="kill", pd="sample")
        assert report["pd"] == "sample"
        with pytest.raises((PeerDied, Revoked)):
            Sample.alloc(env.endpoint("sample"))


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"\xff\xff\xff", Malformed),
        (b"", WrongMagic),
        (pb.SampleMessage(magic=0x5044).SerializeToString(), WrongMagic),
        (pb.SampleMessage(magic=PROTOCOL.magic).SerializeToString(), UnknownMessage),
        (pb.SampleMessage(magic=PROTOCOL.magic).SerializeToString() + b"\x7a\x00", UnknownMessage),
    ],
    ids=["malformed", "empty", "another service's", "no operation", "an unknown operation"],
)
def test_a_message_that_is_none_is_answered_with_its_own_error_and_changes_nothing(
    data: bytes, error: type[ProtocolError]
) -> None:
    with sample_system("client") as system:
        rde = system.env("client").endpoint("sample")
        sample = Sample.alloc(rde)
        for endpoint in (rde, sample.endpoint):
            reply = pb.SampleReturnMessage.FromString(endpoint.call(0, data).data)
            assert reply.errorCode == error.code < FIRST_OWN
            assert reply.basic.reason
        assert spaces(system) == [1]
        assert sample.invoke(1, 1) == "0x2"


def test_what_is_asked_of_the_wrong_object_is_refused_by_name() -> None:
    with sample_system("client") as system:
        rde = system.env("client").endpoint("sample")
        sample = Sample.alloc(rde)
        with pytest.raises(NeedsResource, match="`invoke` is asked of a resource"):
            Sample(rde).invoke(1, 1)
        with pytest.raises(NeedsRde, match="`alloc` is asked through the RDE"):
            Sample.alloc(sample.endpoint)
        assert spaces(system) == [1]


def test_a_full_server_says_so_with_the_number_of_its_own_enum() -> None:
    with sample_system("client", server=server_pd(args={"places": 1})) as system:
        rde = system.env("client").endpoint("sample")
        with Sample.alloc(rde):
            with pytest.raises(NoRoom, match="all 1 places are taken") as full:
                Sample.alloc(rde)
            assert isinstance(full.value, SampleError)
            assert full.value.code == pb.SAMPLE_NO_ROOM
        Sample.alloc(rde)


def test_a_client_cannot_forge_a_badge_of_another_space() -> None:
    with sample_system("client") as system:
        env = system.env("client")
        sample = Sample.alloc(env.endpoint("sample"))
        with pytest.raises(IllegalOperation):
            sample.endpoint.mint(resource_badge(10, 16, 2, sample.id))


def test_a_resource_that_its_last_holder_lets_go_of_is_freed_by_the_server() -> None:
    with sample_system("client") as system:
        sample = Sample.alloc(system.env("client").endpoint("sample"))
        sample.endpoint.delete()
        system.until(lambda: spaces(system) == [0])


def test_a_resource_lives_as_long_as_anybody_holds_it() -> None:
    with sample_system("client") as system:
        env = system.env("client")
        system.programs(heir=lambda env: env.endpoint("heirloom").call(0, INVOKE))
        heir = env.rde("pd").create("heir", "clients.idle")
        kept, lost = (Sample.alloc(env.endpoint("sample")) for _ in range(2))
        assert heir.send(kept.endpoint, "heirloom")[1] == 1
        for each in (kept, lost):
            each.endpoint.delete()
        system.until(lambda: spaces(system) == [1])
        server = next(iter(system.root.spaces.values()))
        assert server.resources[kept.id].holds
        heir.start()
        system.until(lambda: spaces(system) == [0])  # it has used it, and ended
        assert not system.faults


def test_what_a_dead_client_held_is_freed_and_its_server_goes_on() -> None:
    with sample_system("client", "other") as system:
        for _ in range(40):
            Sample.alloc(system.env("client").endpoint("sample"))
        kept = Sample.alloc(system.env("other").endpoint("sample"))
        report = system.operate(op="kill", pd="client")
        assert not report["pending"]
        assert spaces(system) == [1]
        assert kept.invoke(2, 2) == "0x4"


def test_a_server_that_dies_frees_whoever_waits_for_it() -> None:
    with sample_system("client") as system:
        (hand,) = hands(system, "client")
        sample = hand.do(lambda env: Sample.alloc(env.endpoint("sample")))
        system.operate(op="suspend", pd="sample")
        waiting = hand.begin(lambda env: sample.invoke(1, 1))
        system.until(lambda: system.blocked("client"))
        system.operate(op="kill", pd="sample")
        with pytest.raises((PeerDied, Revoked)) as freed:
            waiting.result(10)
        assert freed.value.code in (Status.DIED_BEFORE_RECV, Status.REVOKED)


def test_the_model_has_what_the_server_says_of_each_resource() -> None:
    with sample_system("client") as system:
        rde = system.env("client").endpoint("sample")
        samples = [Sample.alloc(rde) for _ in range(30)]
        samples[7].invoke(1, 1)
        found = system.operate(op="graph")
        assert found["marked"] == []
        said = {row[1]: row[6] for row in found["rows"] if row[0] == "RESOURCE"}
        assert said["SAMPLE_10_8"] == "invoked_1"
        assert [said[f"SAMPLE_10_{one.id:x}"] for one in samples].count("invoked_0") == 29
