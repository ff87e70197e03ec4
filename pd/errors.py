"""What can go wrong for a protection domain, as exceptions with the numbers inside.

A refused system call raises :class:`CapError` or one of its subclasses, one per error of seL4;
the death of a peer raises :class:`PeerDied`. What a *service* refuses is a :class:`ServiceError`,
declared once and raised on both sides. :class:`Stop` is not an error and no `Exception`, so that
`except Exception` lets it through.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from caplab.kernel.abi import DEATH, WORD, Status

ASKED_SHOWN = 3
"""Arguments of a refused call that its message shows."""


class CapError(Exception):
    """A system call or an invocation was refused.

    `code` is the number in the answer's header, `call` the name of the call, `slot` the slot of
    the capability it was made on, `given` its arguments where they have names, `body` the answer's
    body and `words` the same as numbers (seL4's error registers).
    """

    sentence: ClassVar[str] = "the kernel refused"

    def __init__(
        self,
        code: int,
        call: str,
        slot: int = 0,
        *,
        body: bytes = b"",
        name: str = "",
        given: Mapping[str, Any] | None = None,
    ) -> None:
        self.code = _status(code)
        self.call = call
        self.slot = slot
        self.body = body
        self.given = given or {}
        super().__init__(self._text(name))

    @property
    def words(self) -> tuple[int, ...]:
        whole = len(self.body) // WORD.size * WORD.size
        return tuple(word for (word,) in WORD.iter_unpack(self.body[:whole]))

    def _text(self, name: str) -> str:
        where = f"{name} (slot {self.slot})" if name else f"slot {self.slot}"
        number = (
            f"{self.code.name}, {int(self.code)}" if isinstance(self.code, Status) else self.code
        )
        asked = f"({said})" if (said := self._asked()) else ""
        return f"{self.call}{asked} on {where}: {self.reason()} ({number})"

    def _asked(self) -> str:
        """The first arguments that were given."""
        said = [f"{key}={each!r:.40}" for key, each in self.given.items() if each is not None]
        return ", ".join(said[:ASKED_SHOWN])

    def reason(self) -> str:
        """The middle of the message: what was wrong."""
        return self.sentence


def _status(code: int) -> Status | int:
    try:
        return Status(code)
    except ValueError:
        return code


class InvalidArgument(CapError):
    """seL4_InvalidArgument. First word: which argument."""

    sentence = "an argument is not valid"

    def reason(self) -> str:
        if not self.words:
            return self.sentence
        named = list(self.given)[self.words[0] : self.words[0] + 1]
        if named:
            return f"{named[0]} = {self.given[named[0]]!r:.100} is not valid"
        return f"argument {self.words[0]} is not valid"


class InvalidCapability(CapError):
    """seL4_InvalidCapability. First word: which capability (0 is the one invoked)."""

    sentence = "the slot holds no capability that can do this"

    def reason(self) -> str:
        if self.words and self.words[0]:
            return f"capability {self.words[0]} of the message is of the wrong kind"
        return self.sentence


class NeedsGrant(InvalidCapability):
    """What goes to another PD, or is taken from it, needs Grant on the capability to that PD."""

    sentence = (
        "this takes Grant, which `manages:` does not give: it lets one look at, suspend, kill and"
        " crash a PD. Send the capability along with a message, or make the PD yourself"
    )


class IllegalOperation(CapError):
    """seL4_IllegalOperation."""

    sentence = "this cannot be done with that capability, or not in its present state"


class RangeError(CapError):
    """seL4_RangeError. Words: minimum and maximum."""

    sentence = "a number is out of range"

    def reason(self) -> str:
        if len(self.words) < 2:
            return self.sentence
        return f"{self.sentence}: {self.words[0]} to {self.words[1]} are allowed"


class AlignmentError(CapError):
    """seL4_AlignmentError."""

    sentence = "an address or size is not aligned"


class FailedLookup(CapError):
    """seL4_FailedLookup. First word: 1 when the source was looked for."""

    sentence = "there is no such slot, or nothing in it"

    def reason(self) -> str:
        return "there is nothing of that name or number" if self.given else self.sentence


class TruncatedMessage(CapError):
    """seL4_TruncatedMessage."""

    sentence = "the message has too few words or capabilities for this call"


class DeleteFirst(CapError):
    """seL4_DeleteFirst."""

    sentence = "the destination slot is full; delete what it holds first"

    def reason(self) -> str:
        return (
            "that name or place is taken by what is there already" if self.given else self.sentence
        )


class RevokeFirst(CapError):
    """seL4_RevokeFirst. The body may name who holds what must be given up first."""

    sentence = "other capabilities still depend on this one; revoke them first"

    @property
    def holder(self) -> str:
        """Name of the PD that stands in the way, where the kernel says it."""
        try:
            text = self.body.decode()
        except UnicodeDecodeError:
            return ""
        return text if text.isprintable() else ""

    def reason(self) -> str:
        return f"{self.holder} holds it" if self.holder else self.sentence


class NotEnoughMemory(CapError):
    """seL4_NotEnoughMemory. First word: bytes left."""

    sentence = "there is not enough memory left"

    def reason(self) -> str:
        return f"{self.sentence}: {self.words[0]} bytes" if self.words else self.sentence


class OutOfUntyped(NotEnoughMemory):
    """The PD's untyped memory is used up; the message names the manifest line that gives more."""

    def __init__(self, pd: str, what: str, size: int) -> None:
        self._reason = (
            f"{pd} has no {size} bytes of untyped memory left for a new {what}: delete() what is"
            f" no longer needed, or under `{pd}:` in the manifest give it more than the 4MiB it has"
            " when nothing is said, as in  untyped: 16MiB"
        )
        super().__init__(Status.NOT_ENOUGH_MEMORY, "Untyped_Retype", name="untyped")

    def reason(self) -> str:
        return self._reason


class NeverExisted(CapError):
    """The slot was never filled."""

    sentence = "nothing was ever put into this slot"


class IpcTimeout(CapError, TimeoutError):
    """The caller's own time limit ran out."""

    sentence = "the time limit ran out"


class _Explained(CapError):
    """A refusal whose body is :data:`~caplab.kernel.abi.DEATH`: who did it, and when."""

    nobody: ClassVar[str] = "the root task"
    """Who did it when no PD is named."""

    def __init__(
        self, code: int, call: str, slot: int = 0, *, body: bytes = b"", **more: Any
    ) -> None:
        self.number, self.generation, self.event, self.pd = 0, 0, 0, ""
        if len(body) >= DEATH.size:
            self.number, self.generation, self.event = DEATH.unpack_from(body)
            self.pd = body[DEATH.size :].decode(errors="replace")
        super().__init__(code, call, slot, body=body, **more)

    @property
    def who(self) -> str:
        if not self.pd:
            return self.nobody
        return f"{self.pd}/gen{self.generation}"

    def reason(self) -> str:
        return self.sentence.format(who=self.who, event=self.event)


class Revoked(_Explained):
    """The slot was emptied by another, or the object behind it is gone."""

    sentence = "{who} took the capability or its object away at event {event}"


class Cancelled(_Explained):
    """An operator or a suspend cancelled the call."""

    sentence = "the call was cancelled"


class NeverHeld(CapError):
    """The PD does not hold that resource or RDE, and never did; or there never was one."""

    sentence = "it is not held, and never was"


class WrongType(CapError):
    """A resource of another type, or a type that nobody serves."""

    sentence = "that is another type of resource, or none that anybody serves"


class PdDead(CapError):
    """The PD that something was to be given to, or taken from, is dead."""

    sentence = "the PD is dead"


class OtherSpace(CapError):
    """The object belongs to another space."""

    sentence = "the object belongs to another space"


class NotManager(CapError):
    """Only the manager of the space may do this."""

    sentence = "only the manager of the space may do this"


class PeerDied(_Explained, ConnectionError):
    """The PD that would have answered is gone.

    `when` is DIED_BEFORE_RECV (a retry is safe), DIED_AFTER_RECV (it may have acted on the
    message) or REPLY_DROPPED (it lives, but can no longer answer); `pd` and `generation` name it.
    """

    nobody = "the peer's last generation"
    _sentences: ClassVar[dict[int, str]] = {
        Status.DIED_BEFORE_RECV: "{who} died before it received the message; a retry is safe",
        Status.DIED_AFTER_RECV: "{who} died after it had received the message",
        Status.REPLY_DROPPED: "{who} dropped the reply",
    }

    @property
    def when(self) -> Status | int:
        return self.code

    def reason(self) -> str:
        return self._sentences[self.code].format(who=self.who)


_ERRORS: dict[int, type[CapError]] = {
    Status.INVALID_ARGUMENT: InvalidArgument,
    Status.INVALID_CAPABILITY: InvalidCapability,
    Status.ILLEGAL_OPERATION: IllegalOperation,
    Status.RANGE_ERROR: RangeError,
    Status.ALIGNMENT_ERROR: AlignmentError,
    Status.FAILED_LOOKUP: FailedLookup,
    Status.TRUNCATED_MESSAGE: TruncatedMessage,
    Status.DELETE_FIRST: DeleteFirst,
    Status.REVOKE_FIRST: RevokeFirst,
    Status.NOT_ENOUGH_MEMORY: NotEnoughMemory,
    Status.NEVER_EXISTED: NeverExisted,
    Status.REVOKED: Revoked,
    Status.DIED_BEFORE_RECV: PeerDied,
    Status.DIED_AFTER_RECV: PeerDied,
    Status.REPLY_DROPPED: PeerDied,
    Status.TIMED_OUT: IpcTimeout,
    Status.CANCELLED: Cancelled,
    Status.NEVER_HELD: NeverHeld,
    Status.WRONG_TYPE: WrongType,
    Status.PD_DEAD: PdDead,
    Status.OTHER_SPACE: OtherSpace,
    Status.NOT_MANAGER: NotManager,
}


def refusal(
    status: int, call: str, slot: int, body: bytes, name: str = "", given: Any = None
) -> CapError:
    """The exception for an answer with a status other than OK; `given` as in CapError."""
    return _ERRORS.get(status, CapError)(status, call, slot, body=body, name=name, given=given)


class MissingCap(LookupError):
    """This PD has no capability of that name and kind; the message says which line adds it."""


class SlotsExhausted(LookupError):
    """The PD's own half of its CSpace is full."""


class NoSpareTcb(RuntimeError):
    """All TCBs of the PD are in use; the message names the manifest line that gives it more."""


class NotATcb(RuntimeError):
    """A system call was made on a thread that is no TCB of the capability's PD."""


class ServiceError(Exception):
    """A server's refusal, which reaches the client as the same class.

    A service declares one base class and one subclass per number::

        class SerialError(ServiceError): "What the serial server refuses."
        class ShmemTooLarge(SerialError, code=11): "The window has too many pages."

    The server raises `ShmemTooLarge("at most 1 page")`, its loop answers with `code` in the label
    and the text as data; the client calls `raise SerialError.of(label, text)`.
    """

    code: int = 0

    def __init_subclass__(cls, *, code: int | None = None) -> None:
        super().__init_subclass__()
        if code is not None:
            cls.code = code

    @classmethod
    def of(cls, code: int, text: str = "") -> Self:
        """The declared subclass with this number, else the base class carrying the number."""
        for declared in cls._declared():
            if declared.code == code:
                return declared(text)
        error = cls(text or f"refused with {code}")
        error.code = code
        return error

    @classmethod
    def _declared(cls) -> list[type[Self]]:
        found = [cls] if cls.code else []
        for sub in cls.__subclasses__():
            found += sub._declared()
        return found


class CrashRequested(Exception):
    """An operator asked this PD to fail with an exception (`crash PD --how exception`)."""


class Stop(BaseException):
    """The system is going down, or this PD is to restart: raised out of a blocking call.

    Let it pass: the `with` blocks on its way are the PD's chance to part politely. Calls made
    meanwhile may raise it again.
    """
