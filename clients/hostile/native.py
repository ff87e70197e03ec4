"""System calls of Linux that Python has no name for, as an attacker would make them."""

import ctypes
import mmap
import os
import platform

X86 = "x86_64"
NUMBERS = {
    X86: {
        "ptrace": 101,
        "tgkill": 234,
        "prctl": 157,
        "mount": 165,
        "keyctl": 250,
        "unshare": 272,
        "perf_event_open": 298,
        "process_vm_readv": 310,
        "bpf": 321,
        "userfaultfd": 323,
        "io_uring_setup": 425,
    },
    "aarch64": {
        "mount": 40,
        "unshare": 97,
        "ptrace": 117,
        "tgkill": 131,
        "prctl": 167,
        "keyctl": 219,
        "perf_event_open": 241,
        "process_vm_readv": 270,
        "bpf": 280,
        "userfaultfd": 282,
        "io_uring_setup": 425,
    },
}


def call(name: str, *arguments: int) -> int:
    """Make a system call. Raises OSError; ENOSYS where its number is not known here."""
    number = NUMBERS.get(platform.machine(), {}).get(name)
    if number is None:
        raise OSError(38, f"{name} has no number here")
    return raw(number, *arguments)


def raw(number: int, *arguments: int) -> int:
    """A system call by its number. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    done: int = libc.syscall(ctypes.c_long(number), *map(ctypes.c_long, arguments))
    if done < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return done


def read_memory(pid: int) -> None:
    """Read eight bytes of another process, at an address that its program may have."""
    here = ctypes.create_string_buffer(8)
    ours = (ctypes.c_size_t * 2)(ctypes.addressof(here), 8)
    theirs = (ctypes.c_size_t * 2)(0x400000, 8)
    call("process_vm_readv", pid, ctypes.addressof(ours), 1, ctypes.addressof(theirs), 1, 0)


def execute(code: bytes) -> int:
    """Run machine code that returns a number. Raises OSError where no memory may hold any."""
    page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(code)
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    return int(ctypes.CFUNCTYPE(ctypes.c_int)(address)())
