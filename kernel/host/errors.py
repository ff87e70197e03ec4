"""What the operator of a system is told when a request cannot be met.

One shape for all of them: a sentence, a code that `caplab explain` expands, a fix where there is
one, and the exit status the command line ends with.
"""


class HostError(Exception):
    """`str()` is the sentence; `code`, `fix` and `status` stand beside it."""

    def __init__(self, code: str, message: str, fix: str = "", status: int = 1) -> None:
        super().__init__(message)
        self.code = code
        self.fix = fix
        self.status = status


class NotRunning(HostError):
    """There is no such system, or it ended while it was being asked."""

    def __init__(self, message: str, fix: str = "", code: str = "not-running") -> None:
        super().__init__(code, message, fix, status=3)


class RequestRefused(HostError):
    """The system runs, and will not do what was asked (no such PD, a signal nobody knows)."""

    def __init__(self, code: str, message: str, fix: str = "") -> None:
        super().__init__(code, message, fix, status=2)


class SystemFailed(HostError):
    """The system ended in another way than it should."""

    def __init__(self, message: str, fix: str = "", code: str = "system-failed") -> None:
        super().__init__(code, message, fix, status=1)


class OutOfTime(HostError, TimeoutError):
    """The caller's own time limit ran out."""

    def __init__(self, message: str, fix: str = "") -> None:
        super().__init__("out-of-time", message, fix, status=1)
