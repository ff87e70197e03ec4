"""A kernel that answers as a test says, for one TCB, without a kernel."""

from collections.abc import Callable
from struct import Struct

from caplab.kernel.abi import ANSWER, REQUEST, VERSION, Status
from caplab.pd.env import Env
from caplab.pd.spawn import SpawnInfo


def answer(
    status: int = Status.OK,
    body: bytes = b"",
    *,
    label: int = 0,
    badge: int = 0,
    caps: tuple[int, ...] = (),
    unwrapped: int = 0,
    flags: int = 0,
) -> bytes:
    """An answer frame."""
    head = ANSWER.pack(VERSION, 0, status, len(body), badge, label, len(caps), unwrapped, flags)
    return head + body + Struct(f"<{len(caps)}Q").pack(*caps)


class FakeTransport:
    """Answers each call with the next of `answers` (a frame, or what makes one of the request)."""

    def __init__(self, *answers: bytes | Callable[[bytes], bytes]) -> None:
        self.answers = list(answers)
        self.frames: list[bytes] = []

    def call(self, frame: bytes, /) -> bytes:
        self.frames.append(frame)
        if not self.answers:
            return answer()
        given = self.answers.pop(0)
        return given if isinstance(given, bytes) else given(frame)

    @property
    def header(self) -> tuple[int, ...]:
        """The header of the last request."""
        return REQUEST.unpack_from(self.frames[-1])


def fake_env(*transports: FakeTransport, name: str = "pd", **info: object) -> Env:
    """An Env over fake transports."""
    return Env(SpawnInfo(1, name, **info), transports or (FakeTransport(),))  # type: ignore[arg-type]
