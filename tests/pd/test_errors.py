"""Exceptions with the numbers inside."""

import pytest

from caplab.kernel.abi import DEATH, WORD, Status
from caplab.pd import errors
from caplab.pd.errors import CapError, PeerDied, ServiceError, refusal
from threaded_system import ThreadedSystem


def words(*numbers: int) -> bytes:
    return b"".join(map(WORD.pack, numbers))


@pytest.mark.parametrize(
    ("status", "kind", "body", "says"),
    [
        (1, errors.InvalidArgument, words(2), "argument 2"),
        (2, errors.InvalidCapability, words(0), "no capability that can do this"),
        (2, errors.InvalidCapability, words(1), "capability 1 of the message"),
        (3, errors.IllegalOperation, b"", "cannot be done"),
        (4, errors.RangeError, words(1, 8), "1 to 8 are allowed"),
        (5, errors.AlignmentError, b"", "not aligned"),
        (6, errors.FailedLookup, b"", "no such slot"),
        (7, errors.TruncatedMessage, b"", "too few words"),
        (8, errors.DeleteFirst, b"", "delete what it holds"),
        (9, errors.RevokeFirst, b"", "depend on this one"),
        (9, errors.RevokeFirst, b"serial", "serial holds it"),
        (10, errors.NotEnoughMemory, words(64), "64 bytes"),
        (16, errors.NeverExisted, DEATH.pack(0, 0, 3), "ever put"),
        (17, errors.Revoked, DEATH.pack(2, 1, 3) + b"fs", "fs/gen1 took .* at event 3"),
        (17, errors.Revoked, DEATH.pack(0, 0, 3), "the root task"),
        (18, errors.PeerDied, DEATH.pack(2, 3, 9) + b"fs", "fs/gen3 died before .* retry is safe"),
        (18, errors.PeerDied, DEATH.pack(0, 0, 9), "last generation died before"),
        (19, errors.PeerDied, DEATH.pack(2, 3, 9) + b"fs", "fs/gen3 died after"),
        (20, errors.PeerDied, DEATH.pack(2, 3, 9) + b"fs", "fs/gen3 dropped the reply"),
        (21, errors.IpcTimeout, DEATH.pack(2, 3, 9) + b"me", "time limit"),
        (22, errors.Cancelled, DEATH.pack(0, 0, 9), "cancelled"),
        (23, errors.NeverHeld, b"", "never was"),
        (24, errors.WrongType, b"", "another type"),
        (25, errors.PdDead, b"", "dead"),
        (26, errors.OtherSpace, b"", "another space"),
        (27, errors.NotManager, b"", "only the manager"),
        (99, CapError, b"", "refused"),
    ],
)
def test_each_status_has_its_class_and_says_what_was_wrong(status, kind, body, says) -> None:
    error = refusal(status, "Call", 20, body, "console")
    assert type(error) is kind
    assert (error.code, error.call, error.slot) == (status, "Call", 20)
    assert str(error).startswith("Call on console (slot 20): ")
    with pytest.raises(kind, match=says):
        raise error


def test_every_status_but_ok_stop_and_crash_has_a_class_of_its_own() -> None:
    for status in Status:
        if status not in (Status.OK, Status.STOP, Status.CRASH):
            assert type(refusal(status, "Call", 1, b"")) is not CapError, status


def test_a_dead_peer_is_named_with_when_it_died_and_is_a_connection_error() -> None:
    error = refusal(19, "Call", 20, DEATH.pack(2, 3, 9) + b"fs")
    assert isinstance(error, PeerDied)
    assert isinstance(error, ConnectionError)
    assert (error.when, error.pd, error.generation) == (Status.DIED_AFTER_RECV, "fs", 3)
    assert isinstance(refusal(21, "Call", 20, b""), TimeoutError)


class ParkingError(ServiceError):
    """What a parking server refuses."""


class Full(ParkingError, code=3):
    """No space is left."""


def test_a_service_error_arrives_as_the_class_it_was_declared_as() -> None:
    with pytest.raises(Full, match="row 7"):
        raise ParkingError.of(Full("row 7").code, "row 7")


def test_a_number_nobody_declared_still_arrives_as_the_services_error() -> None:
    error = ParkingError.of(77)
    assert type(error) is ParkingError
    assert error.code == 77
    assert ParkingError.code == 0


def test_stop_is_not_swallowed_by_except_exception() -> None:
    assert not issubclass(errors.Stop, Exception)


def test_a_refusal_names_what_was_asked_and_which_of_it_is_wrong() -> None:
    with ThreadedSystem({"name": "pd", "rdes": ["pd", "resspc"]}, uarts=()) as system:
        env = system.env("pd")
        space, _ = env.rde("resspc").connect("LOT", env.endpoint())
        env.rde("pd").create("kid", "./kid.py")
        cases = {
            "RESSPC_Connect(type_name='BAY', pd_depth=-2) on .*: pd_depth = -2 is not valid": (
                lambda: env.rde("resspc").connect("BAY", env.endpoint(), pd_depth=-2)
            ),
            "RESSPC_Give(object=1, pd=99) on LOT .*: it is not held, and never was": (
                lambda: space.give(1, 99)
            ),
            "RESSPC_Map(space=99) on LOT .*: there is nothing of that name or number": (
                lambda: space.map(99)
            ),
            "PD_Create(name='kid', .*: that name or place is taken by what is there already": (
                lambda: env.rde("pd").create("kid", "./kid.py")
            ),
        }
        for message, refused in cases.items():
            pattern = message.replace("(", r"\(").replace(")", r"\)")
            with pytest.raises(CapError, match=pattern) as caught:
                refused()
            assert caught.value.given
