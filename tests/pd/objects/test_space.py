"""Resource spaces through the PD library: what is refused has a name, and changes nothing."""

from collections.abc import Callable, Iterator

import pytest

from caplab.kernel.abi import LAST_OBJECT, resource_badge
from caplab.kernel.core.state import state_hash
from caplab.pd.env import Env
from caplab.pd.errors import (
    CapError,
    DeleteFirst,
    FailedLookup,
    InvalidArgument,
    InvalidCapability,
    MissingCap,
    NeverHeld,
    NotManager,
    OtherSpace,
    PdDead,
    RangeError,
    Revoked,
    WrongType,
)
from caplab.pd.objects import Child, Endpoint, PdService, Space, SpaceService
from threaded_system import ThreadedSystem

RDES = {"rdes": ["pd", "resspc"]}


@pytest.fixture
def system() -> Iterator[ThreadedSystem]:
    lot = {"name": "lot", "serves": {"space": "PARKING"}, **RDES}
    pds = ({"name": name, "uses": {"lot": "lot"}, **RDES} for name in ("car", "van"))
    with ThreadedSystem(lot, *pds, {"name": "idle"}, uarts=()) as made:
        yield made


@pytest.fixture
def lot(system: ThreadedSystem) -> Env:
    return system.env("lot")


@pytest.fixture
def space(lot: Env) -> Space:
    return Space(lot, lot.pd.lookup("space").slot)


def number(system: ThreadedSystem, name: str) -> int:
    return system.env(name).info.pd


def test_a_resource_is_made_given_twice_taken_and_deleted(
    system: ThreadedSystem, space: Space
) -> None:
    car = number(system, "car")
    assert [space.create(), space.create(7), space.create()] == [1, 7, 2]
    slot, count = space.give(1, car)
    assert (space.give(1, car), count) == ((slot, 2), 1)
    assert space.take(1, car, 1) == 1
    assert space.info()["holds"] == 1
    space.drop(1)
    with pytest.raises(Revoked):
        space.give(1, car)
    assert space.info()["resources"] == 2
    space.destroy()
    assert not system.root.spaces


REFUSALS: dict[str, tuple[Callable[[ThreadedSystem, Space], object], type[CapError]]] = {
    "an id of 0": (lambda s, space: space.create(0), RangeError),
    "an id out of range": (lambda s, space: space.create(LAST_OBJECT + 1), RangeError),
    "an id in use": (lambda s, space: space.create(1), DeleteFirst),
    "an object never made": (lambda s, space: space.give(9, number(s, "car")), NeverHeld),
    "of another type": (lambda s, space: space.drop(resource_badge(11, 16, 1, 1)), WrongType),
    "of another space": (lambda s, space: space.drop(resource_badge(10, 17, 1, 1)), OtherSpace),
    "to a dead PD": (lambda s, space: space.give(1, number(s, "idle")), PdDead),
    "to no PD": (lambda s, space: space.give(1, 4000), FailedLookup),
    "take what is not held": (lambda s, space: space.take(1, number(s, "car")), NeverHeld),
    "map onto itself": (lambda s, space: space.map(space.info()["space"]), InvalidArgument),
    "map onto nothing": (lambda s, space: space.map(4000), FailedLookup),
    "an RDE to a dead PD": (lambda s, space: space.issue(number(s, "idle")), PdDead),
    "depth -2": (
        lambda s, space: space.env.rde("resspc").connect("PARKING", end(space), pd_depth=-2),
        InvalidArgument,
    ),
    "a bad type": (
        lambda s, space: space.env.rde("resspc").connect("no type", end(space)),
        InvalidArgument,
    ),
    "a badged endpoint": (
        lambda s, space: s.env("car").rde("resspc").connect("CAR", s.env("car").endpoint("lot")),
        InvalidCapability,
    ),
    "share what is not held": (
        lambda s, space: made(s.env("car")).share_rde("PARKING", 17),
        NeverHeld,
    ),
    "share what nobody serves": (lambda s, space: made(s.env("car")).share_rde("BOAT"), WrongType),
    "remove what it has not": (
        lambda s, space: made(s.env("car")).remove_rde("PARKING"),
        NeverHeld,
    ),
}


def end(space: Space) -> Endpoint:
    return space.env.endpoint("server")


def made(env: Env) -> Child:
    """The PD that this one has made, and not started."""
    return env.cap(Child, env.args["toy"])


@pytest.mark.parametrize("what", REFUSALS)
def test_what_is_refused_has_a_name_and_changes_nothing(
    system: ThreadedSystem, space: Space, what: str
) -> None:
    space.create()
    car = system.env("car")
    car.args = {"toy": car.rde("pd").create("toy", "clients.idle").slot}
    system.operate(op="kill", pd="idle")
    ask, error = REFUSALS[what]
    before = state_hash(system.kernel)
    with pytest.raises(error) as refused:
        ask(system, space)
    assert type(refused.value) is error
    assert state_hash(system.kernel) == before


def test_a_space_is_its_managers_alone(system: ThreadedSystem, lot: Env, space: Space) -> None:
    refused: list[type[BaseException]] = []

    def try_it(env: Env) -> None:
        for ask in (Space.create, Space.destroy, lambda stolen: stolen.issue(1)):
            try:
                ask(Space(env, env.pd.lookup("stolen").slot))
            except CapError as error:
                refused.append(type(error))

    system.programs(toy=try_it)
    child = lot.rde("pd").create("toy", "clients.idle")
    child.install(space, "stolen")
    child.start()
    system.until(lambda: len(refused) == 3)
    assert set(refused) == {NotManager}


def test_an_rde_is_found_by_the_name_of_its_type_whatever_it_is_called(
    system: ThreadedSystem,
) -> None:
    car = system.env("car")
    assert car.rde("PARKING").slot == car.endpoint("lot").slot
    assert type(car.rde("pd")) is PdService
    assert type(car.rde("resspc")) is SpaceService
    with pytest.raises(MissingCap, match="uses:"):
        car.rde("BOAT")
    with pytest.raises(MissingCap, match=r"rdes: \[resspc\]"):
        system.env("idle").rde("resspc")
