"""seccomp: a filter of system calls, built by a pure function and installed for good.

A filter is a program of the classic BPF machine. It sees the number of a call, the architecture it
was made for and the six arguments as numbers, never what pointers point to. This one is read from
its beginning to the first line that fits; Linux itself notes which calls are always allowed, so
that only the others are read at all.
"""

import ctypes
import errno
import struct
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from caplab.kernel.confine.libc import PR_SET_NO_NEW_PRIVS, Libc
from caplab.kernel.confine.seccomp_rules import DONE, Check, Rule
from caplab.kernel.confine.seccomp_tables import ARCHITECTURES, X32_BIT, Architecture, numbers

ALLOW = 0x7FFF0000
ERROR = 0x00050000
KILL_PROCESS = 0x80000000

LOAD = 0x20  # BPF_LD | BPF_W | BPF_ABS
AND = 0x54  # BPF_ALU | BPF_AND | BPF_K
JUMP_EQUAL = 0x15
JUMP_AT_LEAST = 0x35
RETURN = 0x06

NUMBER_AT, ARCHITECTURE_AT, ARGUMENTS_AT = 0, 4, 16
"""Offsets in struct seccomp_data; an argument has eight bytes, its low word first."""

_SET_MODE_FILTER = 1
_GET_ACTION_AVAIL = 2
_TSYNC = 1
_INSTRUCTION = struct.Struct("=HBBI")


class Instruction(NamedTuple):
    """One line: what to do, how many lines to skip when a comparison holds or fails, a number."""

    code: int
    yes: int
    no: int
    value: int


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


class Filter:
    """A packed program where Linux can read it: what a parent can make for all its children."""

    def __init__(self, code: bytes) -> None:
        self._code = ctypes.c_char_p(code)
        address = ctypes.cast(self._code, ctypes.c_void_p)
        self._program = _Program(len(code) // _INSTRUCTION.size, address)
        self.address = ctypes.addressof(self._program)


def build(architecture: Architecture, rules: Iterable[Rule], otherwise: int) -> list[Instruction]:
    """The filter that follows the rules, and says `otherwise` to every other call.

    A call made for another architecture (32-bit code, x32) kills the process: its number means
    something else there.
    """
    there = numbers(architecture)
    program = [
        Instruction(LOAD, 0, 0, ARCHITECTURE_AT),
        Instruction(JUMP_EQUAL, 1, 0, architecture.audit),
        Instruction(RETURN, 0, 0, KILL_PROCESS),
        Instruction(LOAD, 0, 0, NUMBER_AT),
    ]
    if architecture.x32:
        program += [
            Instruction(JUMP_AT_LEAST, 0, 1, X32_BIT),
            Instruction(RETURN, 0, 0, KILL_PROCESS),
        ]
    for rule in rules:
        if rule.name in there:
            program += _lines(there[rule.name], rule, otherwise)
    return [*program, Instruction(RETURN, 0, 0, otherwise)]


def _lines(number: int, rule: Rule, otherwise: int) -> list[Instruction]:
    """What is read when the number is loaded, and skipped when it is another."""
    body: list[Instruction] = []
    for check in rule.checks:
        body += _check(check, otherwise)
    refusal = ERROR | (0 if rule.error == DONE else rule.error)
    body.append(Instruction(RETURN, 0, 0, refusal if rule.error else ALLOW))
    return [Instruction(JUMP_EQUAL, 0, len(body), number), *body]


def _check(check: Check, otherwise: int) -> list[Instruction]:
    """Go on below when it holds."""
    lines = [Instruction(LOAD, 0, 0, ARGUMENTS_AT + 8 * check.argument)]
    if check.mask != 0xFFFFFFFF:
        lines.append(Instruction(AND, 0, 0, check.mask))
    count = len(check.values)
    lines += [
        Instruction(JUMP_EQUAL, count - index, 0, value) for index, value in enumerate(check.values)
    ]
    return [*lines, Instruction(RETURN, 0, 0, otherwise)]


def pack(program: Sequence[Instruction]) -> bytes:
    """The program as the kernel of the machine reads it."""
    return b"".join(_INSTRUCTION.pack(*line) for line in program)


class Seccomp:
    """Installs filters; made before a fork, used after it.

    `architecture` is None where no table is known: then there is no seccomp, and `install` raises
    OSError (ENOSYS).
    """

    def __init__(self, libc: Libc) -> None:
        self._libc = libc
        self.architecture = ARCHITECTURES.get(libc.machine)

    def available(self) -> bool:
        """Whether the kernel of the machine knows the filters that `build` makes."""
        action = ctypes.c_uint32(KILL_PROCESS)
        try:
            self._libc.syscall("seccomp", _GET_ACTION_AVAIL, 0, ctypes.addressof(action))
        except OSError:
            return False
        return self.architecture is not None

    def install(
        self, rules: Iterable[Rule], otherwise: int = ERROR | errno.EPERM, *, all_threads: bool
    ) -> None:
        """Filter the calls of this thread, or of all the process's, from now on.

        Filters add up: what one of them refuses is refused. Raises OSError.
        """
        self.load(Filter(self.code(rules, otherwise)), all_threads=all_threads)

    def code(self, rules: Iterable[Rule], otherwise: int = ERROR | errno.EPERM) -> bytes:
        """The filter, packed. Raises OSError."""
        if self.architecture is None:
            raise OSError(errno.ENOSYS, f"seccomp: no table for {self._libc.machine}")
        return pack(build(self.architecture, rules, otherwise))

    def load(self, program: Filter, *, all_threads: bool) -> None:
        """Install a program as it is."""
        self._libc.prctl(PR_SET_NO_NEW_PRIVS, 1)
        flags = _TSYNC if all_threads else 0
        odd = self._libc.syscall("seccomp", _SET_MODE_FILTER, flags, program.address)
        if odd:
            raise OSError(errno.EBUSY, f"seccomp: thread {odd} has a filter of its own")
