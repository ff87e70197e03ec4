"""The numbers of system calls, per architecture: those that a confined process may make at all.

From Linux' user-space headers (asm/unistd_64.h; asm-generic/unistd.h for aarch64). A call without
a number on an architecture (`-`) does not exist there: the C library uses another in its place.
"""

from typing import NamedTuple

X32_BIT = 0x40000000
"""Set in the number of a call through the x32 ABI, which x86-64 offers beside its own."""


class Architecture(NamedTuple):
    """What a filter needs to know of a machine."""

    name: str
    """As `uname -m` has it."""
    audit: int
    """AUDIT_ARCH_…: what the kernel of the machine says the caller is running as."""
    column: int
    """Its place in the table."""
    x32: bool = False
    """Whether there is a second table of calls behind the same `audit`."""


ARCHITECTURES = {
    each.name: each
    for each in (
        Architecture("x86_64", 0xC000003E, 1, x32=True),
        Architecture("aarch64", 0xC00000B7, 2),
    )
}


def numbers(architecture: Architecture) -> dict[str, int]:
    """The number of each call that the architecture has."""
    rows = [line.split() for line in TABLE.strip().splitlines()]
    there = [(row[0], row[architecture.column]) for row in rows]
    return {name: int(number) for name, number in there if number != "-"}


TABLE = """
access                    21    -
alarm                     37    -
brk                       12  214
clock_getres             229  114
clock_gettime            228  113
clock_nanosleep          230  115
clone                     56  220
clone3                   435  435
close                      3   57
close_range              436  436
connect                   42  203
dup                       32   23
dup2                      33    -
dup3                     292   24
epoll_create             213    -
epoll_create1            291   20
epoll_ctl                233   21
epoll_pwait              281   22
epoll_pwait2             441  441
epoll_wait               232    -
eventfd                  284    -
eventfd2                 290   19
exit                      60   93
exit_group               231   94
faccessat                269   48
faccessat2               439  439
fadvise64                221  223
fcntl                     72   25
fdatasync                 75   83
fstat                      5   80
fstatfs                  138   44
fsync                     74   82
futex                    202   98
futex_waitv              449  449
getcpu                   309  168
getcwd                    79   17
getdents64               217   61
getegid                  108  177
geteuid                  107  175
getgid                   104  176
getgroups                115  158
getitimer                 36  102
getpeername               52  205
getpgid                  121  155
getpgrp                  111    -
getpid                    39  172
getppid                  110  173
getrandom                318  278
getresgid                120  150
getresuid                118  148
getrlimit                 97  163
getrusage                 98  165
getsockname               51  204
getsockopt                55  209
gettid                   186  178
gettimeofday              96  169
getuid                   102  174
ioctl                     16   29
kill                      62  129
lseek                      8   62
lstat                      6    -
madvise                   28  233
membarrier               324  283
mmap                       9  222
mprotect                  10  226
mremap                    25  216
msync                     26  227
munmap                    11  215
nanosleep                 35  101
newfstatat               262   79
open                       2    -
openat                   257   56
pause                     34    -
pipe                      22    -
pipe2                    293   59
poll                       7    -
ppoll                    271   73
prctl                    157  167
pread64                   17   67
preadv                   295   69
preadv2                  327  286
prlimit64                302  261
pselect6                 270   72
pwrite64                  18   68
pwritev                  296   70
pwritev2                 328  287
read                       0   63
readlink                  89    -
readlinkat               267   78
readv                     19   65
recvfrom                  45  207
recvmmsg                 299  243
recvmsg                   47  212
restart_syscall          219  128
rseq                     334  293
rt_sigaction              13  134
rt_sigpending            127  136
rt_sigprocmask            14  135
rt_sigreturn              15  139
rt_sigsuspend            130  133
rt_sigtimedwait          128  137
sched_get_priority_max   146  125
sched_get_priority_min   147  126
sched_getaffinity        204  123
sched_getparam           143  121
sched_getscheduler       145  120
sched_setscheduler       144  119
sched_yield               24  124
seccomp                  317  277
select                    23    -
sendmmsg                 307  269
sendmsg                   46  211
sendto                    44  206
set_robust_list          273   99
set_tid_address          218   96
setitimer                 38  103
setsockopt                54  208
shutdown                  48  210
sigaltstack              131  132
signalfd                 282    -
signalfd4                289   74
socket                    41  198
socketpair                53  199
stat                       4    -
statfs                   137   43
statx                    332  291
sysinfo                   99  179
tgkill                   234  131
time                     201    -
timerfd_create           283   85
timerfd_gettime          287   87
timerfd_settime          286   86
times                    100  153
uname                     63  160
write                      1   64
writev                    20   66
"""
"""Name, x86-64, aarch64."""
