"""What a PD that dies of a memory fault still says: where, and which of its threads.

A handler for SIGSEGV and SIGBUS that sends the signal frame over the spawn channel and lets the
fault happen again, this time at the signal's default. It is machine code, because what a thread was
doing when it faulted is unknown: it may hold the interpreter's lock or the allocator's, and a
handler in Python would wait for them for ever. The code is written and looked up before the fork
and read-only afterwards.

    handler(signo, siginfo, ucontext):
        siginfo[124] = gettid()
        sendto(3, frame, size, MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0)
        if siginfo.code <= 0:      // sent by somebody's kill: nothing would happen again
            *(int *)0 = 0          // and this does, at the default, because the signal is blocked

A full channel or one that is gone loses the words, and nothing else.
"""

import ctypes
import mmap
import os
import platform
import signal
import sys

SA_SIGINFO, SA_NODEFER, SA_RESETHAND = 4, 0x40000000, 0x80000000

CODE = {
    "x86_64": bytes.fromhex(
        "53"  # push rbx
        "8b5e08"  # mov ebx, [rsi+8]        siginfo.code
        "b8ba000000 0f05"  # mov eax, 186 (gettid); syscall
        "89467c"  # mov [rsi+124], eax
        "4889d6"  # mov rsi, rdx            the ucontext; the siginfo follows it
        "bf03000000"  # mov edi, 3
        "bab0010000"  # mov edx, 432
        "41ba40400000"  # mov r10d, 0x4040
        "4531c0 4531c9"  # xor r8d, r8d; xor r9d, r9d
        "b82c000000 0f05"  # mov eax, 44 (sendto); syscall
        "85db 7f04"  # test ebx, ebx; jg out
        "31c0 8900"  # xor eax, eax; mov [rax], eax
        "5b c3"  # out: pop rbx; ret
    ),
    "aarch64": b"".join(
        word.to_bytes(4, "little")
        for word in (
            0xD2801648,  # mov x8, #178 (gettid)
            0xD4000001,  # svc #0
            0xB9007C20,  # str w0, [x1, #124]
            0xB9400829,  # ldr w9, [x1, #8]     siginfo.code
            0xD2800060,  # mov x0, #3           x1: the siginfo; the ucontext follows it
            0xD280CA02,  # mov x2, #1616
            0xD2880803,  # mov x3, #0x4040
            0xD2800004,  # mov x4, #0
            0xD2800005,  # mov x5, #0
            0xD28019C8,  # mov x8, #206 (sendto)
            0xD4000001,  # svc #0
            0x7100013F,  # cmp w9, #0
            0x5400006C,  # b.gt out
            0xD2800009,  # mov x9, #0
            0xB9000129,  # str w9, [x9]
            0xD65F03C0,  # out: ret
        )
    ),
}


class _SigAction(ctypes.Structure):
    """The C library's, on both architectures."""

    _fields_ = (
        ("handler", ctypes.c_void_p),
        ("mask", ctypes.c_byte * 128),
        ("flags", ctypes.c_int),
        ("restorer", ctypes.c_void_p),
    )


class LastWords:
    """The handler, ready to be installed by children.

    On an architecture without code, or where executable memory is refused, `install` does nothing,
    and `address` is 0.
    """

    def __init__(self) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._sigaction = libc.sigaction
        self.address = 0
        """Of the handler, in this process and its children."""
        code = CODE.get(platform.machine())
        if code is None:
            return
        try:
            self.address = executable(libc, code)
            self._once, self._always = (
                ctypes.byref(_SigAction(self.address, flags=ctypes.c_int(flags).value))
                for flags in (SA_SIGINFO | SA_RESETHAND, SA_SIGINFO | SA_NODEFER)
            )
        except OSError as error:
            print(f"zygote: PDs will die without last words: {error}", file=sys.stderr, flush=True)

    def install(self, *, once: bool = True, first: bool = False) -> None:
        """Have this process say them. `once`: the second time the default happens.

        The `first` process of a pid namespace sends itself no signal that it does not handle:
        what it says with SIGABRT is said here, and then it dies of what it cannot ignore.
        """
        if not self.address:
            return
        action = self._once if once else self._always
        for number in (signal.SIGSEGV, signal.SIGBUS):
            self._sigaction(number, action, None)
        if first:
            self._sigaction(signal.SIGABRT, action, None)


def executable(libc: ctypes.CDLL, code: bytes) -> int:
    """The address of memory that holds `code`, for this process and its children.

    A file that is mapped, not memory that is written to: nothing is ever writable and executable,
    and the instruction cache needs no flushing. Raises OSError.
    """
    fd = os.memfd_create("last words", os.MFD_CLOEXEC)
    try:
        os.write(fd, code)
        call = libc.mmap
        call.restype = ctypes.c_void_p
        call.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long)
        flags = mmap.PROT_READ | mmap.PROT_EXEC
        address = call(None, mmap.PAGESIZE, flags, mmap.MAP_PRIVATE, fd, 0)
    finally:
        os.close(fd)
    if address in (None, ctypes.c_void_p(-1).value):
        number = ctypes.get_errno()
        raise OSError(number, f"executable memory: {os.strerror(number)}")
    return int(address)
