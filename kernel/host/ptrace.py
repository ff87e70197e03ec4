"""ptrace(2) in pure ctypes, and what it has to know of an architecture.

The caller is the tracer: one thread, whose tracees it has seized. Addresses and registers are the
tracee's; a tracee must be stopped for everything but `seize` and `interrupt`. Errors are OSError;
ESRCH also means that the tracee is not stopped, or has been killed meanwhile.
"""

import ctypes
import os
import platform
import struct
from typing import NamedTuple

PEEKDATA, POKEDATA, CONT, SINGLESTEP = 2, 5, 7, 9
GETEVENTMSG, GETSIGINFO = 0x4201, 0x4202
GETREGSET, SETREGSET, SEIZE, INTERRUPT, LISTEN = 0x4204, 0x4205, 0x4206, 0x4207, 0x4208
O_TRACECLONE, O_EXITKILL = 1 << 3, 1 << 20
EVENT_CLONE, EVENT_STOP = 3, 128
_PRSTATUS = 1
_VECTORS_MAX = 64 * 1024
_WORD = 8


class Machine(NamedTuple):
    """Registers, as places in the set of general ones (64-bit words)."""

    words: int
    number: int
    """Of the system call."""
    arguments: tuple[int, ...]
    result: int
    pc: int
    third: int
    """A function's third argument: a signal handler's ucontext."""
    vectors: int
    """The set of floating-point and vector registers."""
    restart: int | None
    """What says which system call was interrupted, if it lies in this set."""
    trap: bytes
    """The instruction that makes a system call."""
    gettid: int
    mmap: int
    close: int
    recvmsg: int


MACHINES = {
    # r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip …
    "x86_64": Machine(
        words=27,
        number=10,
        arguments=(14, 13, 12, 7, 9, 8),
        result=10,
        pc=16,
        third=12,
        vectors=0x202,  # NT_X86_XSTATE
        restart=15,
        trap=b"\x0f\x05",
        gettid=186,
        mmap=9,
        close=3,
        recvmsg=47,
    ),
    # x0 … x30 sp pc pstate
    "aarch64": Machine(
        words=34,
        number=8,
        arguments=(0, 1, 2, 3, 4, 5),
        result=0,
        pc=32,
        third=2,
        vectors=2,  # NT_PRFPREG
        restart=None,
        trap=b"\x01\x00\x00\xd4",
        gettid=178,
        mmap=222,
        close=57,
        recvmsg=212,
    ),
}


def machine() -> Machine | None:
    """This one's; None where nobody can be traced."""
    return MACHINES.get(platform.machine())


class _Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class Ptrace:
    """The requests, looked up once."""

    def __init__(self, machine: Machine) -> None:
        self._set = struct.Struct(f"<{machine.words}Q")
        self._vectors = machine.vectors
        self._call = ctypes.CDLL(None, use_errno=True).ptrace
        self._call.restype = ctypes.c_long
        self._call.argtypes = (ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)

    def seize(self, pid: int) -> None:
        """Trace a process that has one thread, and all threads it makes; it dies with us."""
        self._do("SEIZE", SEIZE, pid, 0, O_EXITKILL | O_TRACECLONE)

    def interrupt(self, tid: int) -> None:
        """Have it stop soon, with EVENT_STOP."""
        self._do("INTERRUPT", INTERRUPT, tid)

    def cont(self, tid: int, number: int = 0) -> None:
        """Go on, with a signal or without."""
        self._do("CONT", CONT, tid, 0, number)

    def listen(self, tid: int) -> None:
        """Stay stopped with the others, until a SIGCONT."""
        self._do("LISTEN", LISTEN, tid)

    def step(self, tid: int, number: int = 0) -> None:
        """One instruction; with a signal, up to the first of its handler."""
        self._do("SINGLESTEP", SINGLESTEP, tid, 0, number)

    def event_message(self, tid: int) -> int:
        """The new thread, of an EVENT_CLONE."""
        value = ctypes.c_ulong()
        self._do("GETEVENTMSG", GETEVENTMSG, tid, 0, ctypes.addressof(value))
        return value.value

    def siginfo(self, tid: int) -> bytes:
        buffer = ctypes.create_string_buffer(128)
        self._do("GETSIGINFO", GETSIGINFO, tid, 0, ctypes.addressof(buffer))
        return buffer.raw

    def registers(self, tid: int) -> list[int]:
        data = self._regset("GETREGSET", GETREGSET, tid, _PRSTATUS, bytes(self._set.size))
        return list(self._set.unpack(data))

    def set_registers(self, tid: int, values: list[int]) -> None:
        self._regset("SETREGSET", SETREGSET, tid, _PRSTATUS, self._set.pack(*values))

    def vectors(self, tid: int) -> bytes:
        """The registers that are not general, as one piece."""
        return self._regset("GETREGSET", GETREGSET, tid, self._vectors, bytes(_VECTORS_MAX))

    def set_vectors(self, tid: int, data: bytes) -> None:
        self._regset("SETREGSET", SETREGSET, tid, self._vectors, data)

    def read(self, tid: int, address: int, size: int) -> bytes:
        words = []
        for at in range(address, address + size, _WORD):
            ctypes.set_errno(0)
            word = self._call(PEEKDATA, tid, at, 0)
            if word == -1 and ctypes.get_errno():
                raise _failed("PEEKDATA")
            words.append(word & (1 << 64) - 1)
        return struct.pack(f"<{len(words)}Q", *words)[:size]

    def write(self, tid: int, address: int, data: bytes) -> None:
        """`data` is whole words."""
        for place, (word,) in enumerate(struct.iter_unpack("<Q", data)):
            self._do("POKEDATA", POKEDATA, tid, address + place * _WORD, word)

    def _regset(self, name: str, request: int, tid: int, kind: int, data: bytes) -> bytes:
        buffer = ctypes.create_string_buffer(data, len(data))
        vector = _Vector(ctypes.addressof(buffer), len(data))
        self._do(name, request, tid, kind, ctypes.addressof(vector))
        return buffer.raw[: vector.length]

    def _do(self, name: str, request: int, tid: int, address: int = 0, data: int = 0) -> None:
        if self._call(request, tid, address, data) == -1:
            raise _failed(name)


def _failed(name: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"ptrace(PTRACE_{name}): {os.strerror(number)}")
