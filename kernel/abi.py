"""The vocabulary a protection domain and the kernel share: numbers, rights, errors, wire header.

Everything a PD may know of the kernel stands here, and nothing else does. Only the standard
library is imported, so that a PD in any language can be written against this one page.

One request is one frame: :data:`REQUEST`, then the optional parts its flags announce (in the
order of :class:`Flag`), then ``length`` bytes of message, then ``ncaps`` capability slots of eight
bytes. One answer is one frame: :data:`ANSWER`, then ``length`` bytes, then ``extra_caps`` words
(the ``caps_or_badges`` of seL4: the badge where the capability was unwrapped, else the slot it
landed in). All integers are little-endian.
"""

from enum import IntEnum, IntFlag
from struct import Struct
from typing import NamedTuple

VERSION = 1

REQUEST = Struct("<BBHIQQB7x")
"""version, call (:class:`Sys`), flags (:class:`Flag`), length in bytes, cptr, label, ncaps."""
ANSWER = Struct("<BBHIQQBBH4x")
"""version, call, status (:class:`Status`), length in bytes, badge, label, extra_caps,
caps_unwrapped (bit i: capability i arrived as a badge), flags (:class:`AnswerFlag`)."""
SLOT_PATH = Struct("<QQQ")
"""The receive slot: root (a CNode capability's slot, 0 for the own root), index, depth."""
TIMEOUT = Struct("<d")
"""Seconds until the call is given up with TIMED_OUT."""
RENEWAL = Struct("<Q")
"""How often the slot had been renewed when the capability object was bound to it."""
WORD = Struct("<Q")
DEATH = Struct("<IIQ")
"""Body of an answer with a status from NEVER_EXISTED up: the PD's number, its generation and the
event at which it happened; the PD's name (UTF-8) follows. Number 0 is the root task."""

HEADER_SIZE = REQUEST.size
MSG_WORDS = 120
MSG_BYTES = MSG_WORDS * 8
EXTRA_CAPS = 3
BODY_MAX = 60 * 1024
"""Bytes a body may have when it goes to a root-task object (control bodies, msgpack)."""
FRAME_MAX = 64 * 1024
PAGE_SIZE = 4096

WORD_BITS = 64
ROOT_RADIX = 10
ROOT_SLOTS = 1 << ROOT_RADIX
"""Slots of a first CSpace. The upper half is the root task's to fill, the lower half the PD's."""
SLOT_NULL, SLOT_TCB, SLOT_CNODE, SLOT_PD, SLOT_WORK = 0, 1, 2, 3, 4
"""Fixed slots of a first CSpace: nothing, the first TCB, the CNode itself, the PD's own
root-task capability, the notification its work is announced on."""
FAULT_HANDLER = "fault-handler"
"""The name of the endpoint that the manifest's `faults:` has a PD's faults sent to."""
MARK, MARK_BREAK, MARK_SIZE = 0xFF, 0x00, 0x01
"""In what comes up a UART: this byte, then what it marks. Itself: the byte as such, doubled. 0 0:
a break (as with a terminal's PARMRK). 1 and two words of 16 bits: the console's rows and columns.
"""
SLOT_FIRST_FREE = 16
SLOT_FIRST_ROOT = ROOT_SLOTS // 2


class Sys(IntEnum):
    """System calls."""

    CALL = 1
    SEND = 2
    NB_SEND = 3
    RECV = 4
    NB_RECV = 5
    REPLY = 6
    REPLY_RECV = 7
    SIGNAL = 8
    WAIT = 9
    POLL = 10
    YIELD = 11
    PARK = 12
    SLEEP = 13
    FAULT = 14
    DEBUG = 15
    WITHDRAWN = 16


class At(IntEnum):
    """Where a TCB of a `debug: true` PD is: the label of the Debug call."""

    NOTHING = 0
    """It goes on."""
    BREAKPOINT = 1
    STEP = 2
    """It stopped again after a step: nobody need be told."""


class Flag(IntFlag):
    """Optional parts of a request, in the order in which they follow the header."""

    SLOT = 1
    TIMEOUT = 2
    RENEWAL = 4


class AnswerFlag(IntFlag):
    NOTHING = 1
    """A non-blocking receive found nothing; a non-blocking send found nobody and was dropped."""
    NOTIFICATION = 2
    """The badge is a notification word, not the badge of a sender."""
    WITHDRAWN = 4
    """A memory object was taken from the PD: the call Withdrawn says which."""


class Rights(IntFlag):
    """Rights of a capability (seL4_CapRights)."""

    NONE = 0
    WRITE = 1
    READ = 2
    GRANT = 4
    GRANT_REPLY = 8
    ALL = 15


class Status(IntEnum):
    """What became of a call. 0 to 10 are seL4's; the rest are lab mode's explanations."""

    OK = 0
    INVALID_ARGUMENT = 1
    INVALID_CAPABILITY = 2
    ILLEGAL_OPERATION = 3
    RANGE_ERROR = 4
    ALIGNMENT_ERROR = 5
    FAILED_LOOKUP = 6
    TRUNCATED_MESSAGE = 7
    DELETE_FIRST = 8
    REVOKE_FIRST = 9
    NOT_ENOUGH_MEMORY = 10
    NEVER_EXISTED = 16
    REVOKED = 17
    DIED_BEFORE_RECV = 18
    DIED_AFTER_RECV = 19
    REPLY_DROPPED = 20
    TIMED_OUT = 21
    CANCELLED = 22
    NEVER_HELD = 23
    """A resource or an RDE that the PD does not hold and never did; or that never was."""
    WRONG_TYPE = 24
    PD_DEAD = 25
    OTHER_SPACE = 26
    NOT_MANAGER = 27
    STOP = 32
    """The system is going down or the PD restarts: the runtime raises Stop."""
    CRASH = 33
    """An operator asked for a crash: the body says how, and the runtime does it."""


class ObjectType(IntEnum):
    """Kinds of object a capability can name."""

    NULL = 0
    CNODE = 1
    ENDPOINT = 2
    NOTIFICATION = 3
    TCB = 4
    REPLY = 5
    UNTYPED = 6
    FRAME = 7
    IRQ_HANDLER = 8
    DOMAIN_SET = 9
    IRQ_CONTROL = 10
    IOPORT_CONTROL = 11
    IOPORT = 12
    PD = 16
    SERVICE = 17
    DEVICE = 18
    RESSPC = 19
    ADS = 20
    SLAB = 21
    """A page of untyped memory that pays for the root task's records."""


class Inv(IntEnum):
    """Labels of invocations: what a Call, Send or NBSend on an object's capability asks of it."""

    TCB_SUSPEND = 16
    TCB_RESUME = 17
    TCB_BIND_NOTIFICATION = 18
    TCB_UNBIND_NOTIFICATION = 19
    TCB_WRITE_REGISTERS = 20
    TCB_SET_SPACE = 21
    TCB_READ_REGISTERS = 22
    TCB_CONFIGURE = 23
    TCB_SET_PRIORITY = 24
    TCB_SET_MC_PRIORITY = 25
    CNODE_COPY = 32
    CNODE_MINT = 33
    CNODE_MOVE = 34
    CNODE_DELETE = 35
    CNODE_REVOKE = 36
    CNODE_SAVE_CALLER = 37
    CNODE_MUTATE = 38
    CNODE_ROTATE = 39
    CNODE_CANCEL_BADGED_SENDS = 40
    UNTYPED_RETYPE = 44
    UNTYPED_INFO = 45
    IRQ_ACK = 48
    IRQ_SET_NOTIFICATION = 49
    IRQ_CLEAR = 50
    DOMAIN_SET_SET = 52
    DOMAIN_SET_SCHEDULE_CONFIGURE = 53
    DOMAIN_SET_SCHEDULE_SET_START = 54
    IRQ_CONTROL_GET = 56
    IRQ_CONTROL_GET_TRIGGER = 57
    IRQ_CONTROL_GET_IOAPIC = 58
    IRQ_CONTROL_GET_MSI = 59
    FRAME_MAP = 64
    FRAME_UNMAP = 65
    FRAME_MAP_IN = 66
    FRAME_GET_ADDRESS = 67
    IOPORT_CONTROL_ISSUE = 72
    IOPORT_IN = 73
    IOPORT_OUT = 74
    PD_CLIENT = 80
    PD_LOOKUP = 81
    PD_GET_WORK = 82
    PD_INFO = 83
    PD_INSTALL = 84
    PD_START = 85
    PD_KILL = 86
    PD_CRASH = 87
    PD_SUSPEND = 88
    PD_RESUME = 89
    PD_LINK = 90
    PD_SEND = 91
    PD_SHARE_RDE = 92
    PD_REMOVE_RDE = 93
    PD_RDES = 94
    PD_FINISH_WORK = 95
    PD_CREATE = 96
    MO_CONNECT = 97
    EP_CONNECT = 98
    ADS_CONNECT = 99
    CPU_CONNECT = 100
    RESSPC_CONNECT = 101
    DEVICE_CLAIM = 112
    DEVICE_PORTS = 113
    ADS_ATTACH = 120
    ADS_DETACH = 121
    ADS_LIST = 122
    ADS_COPY = 123
    RESSPC_MAP = 128
    RESSPC_CREATE = 129
    RESSPC_GIVE = 130
    RESSPC_REVOKE = 131
    RESSPC_DELETE = 132
    RESSPC_DESTROY = 133
    RESSPC_ISSUE = 134
    RESSPC_INFO = 135


class LookupFailure(IntEnum):
    """Kinds of failed lookup, the second word of a FAILED_LOOKUP body (seL4_LookupFailureType)."""

    INVALID_ROOT = 1
    MISSING = 2
    DEPTH_MISMATCH = 3
    GUARD_MISMATCH = 4


SIZE_BITS = {
    ObjectType.CNODE: 5,
    ObjectType.ENDPOINT: 4,
    ObjectType.NOTIFICATION: 5,
    ObjectType.TCB: 11,
    ObjectType.FRAME: 12,
}
"""Prices: log2 of the bytes of untyped an object costs; of a CNode, per slot; of a
frame, the smallest one. seL4's on x86-64."""
FRAME_BITS_MIN, FRAME_BITS_MAX = 12, 21
"""log2 of the bytes of a frame: one page of 4096 to 512 of them (a large page of x86-64)."""
PRIORITY_MAX, PRIORITY_DEFAULT = 255, 100
"""Priorities go from 0; the default is that of a PD whose manifest entry says nothing."""
NUM_DOMAINS = 16
DOMAIN_SCHEDULES = 64
"""Entries of the domain schedule; the last one is always empty, and ends it."""
DOMAIN_TICK = 1_000_000
"""Nanoseconds of a tick, the unit of an entry's duration."""
DOMAIN_DURATION_MAX = (1 << 56) - 1
UNTYPED_BITS_MIN, UNTYPED_BITS_MAX = 4, 47
RETYPE_MAX = 256
"""Objects one Retype makes at most."""
IRQ_MAX = 127
"""The highest interrupt number. A UART's is its place in the manifest's `uarts`, a timer's its
place in `timers` above FIRST_TIMER_IRQ; the manifest's `irqs` are any others."""
UARTS_MAX, TIMERS_MAX, FIRST_TIMER_IRQ = 16, 8, 16
PORT_MAX = 0xFFFF
"""The highest I/O port."""
TIMER_PORT, TIMER_PORTS = 0x40, 16
"""First port of the first timer, and how many each has: its registers, little-endian."""
TIMER_RELOAD, TIMER_CONTROL, TIMER_STATUS, TIMER_COUNT, TIMER_TICKS = 0, 4, 5, 8, 12
"""Offsets: microseconds (4 bytes); TimerMode, which starts it when written (1 byte); 1 since it
fired, until it is read (1 byte); microseconds left (4 bytes); how often it fired (4 bytes)."""
TIMER_MIN = 1000
"""Microseconds a timer takes at least, whatever its reload register says."""
NOTIFICATION_TYPE = 255
"""Type byte of a badge that is a notification word."""
WORK_BIT, INTERRUPT_BIT = 1 << 0, 1 << 1


class ResourceType(IntEnum):
    """Types of resource the root task itself serves; those of servers follow them."""

    ADS = 1
    VMR = 2
    MO = 3
    CPU = 4
    PCPU = 5
    PD = 6
    EP = 7
    RESSPC = 8


FIRST_DYNAMIC_TYPE, LAST_DYNAMIC_TYPE = 10, NOTIFICATION_TYPE - 1
SPACE_RESSPC, SPACE_PD, SPACE_ADS, SPACE_MO, SPACE_CPU, SPACE_EP = 1, 2, 3, 4, 5, 6
"""The spaces there are from the start, the root task's; the numbers of others begin at 16."""
FIRST_SPACE, LAST_SPACE = 16, (1 << 16) - 2
FIRST_OBJECT, LAST_OBJECT = 1, (1 << 24) - 2
BADGE_OBJ_ID_NULL = (1 << 24) - 1
"""The object of a badge that names no resource: a request on an RDE."""
CLIENT_MAX = (1 << 16) - 1
"""PD numbers that fit a badge."""
PRICE_RESOURCE, PRICE_HOLD, PRICE_SPACE, PRICE_ADS, PRICE_VMR = 32, 32, 512, 512, 32
PRICE_PD = 2048
"""Bytes of untyped that the root task's records cost whoever asks; an RDE is a hold."""


REGISTERS = (
    *("rip", "rsp", "rflags", "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp"),
    *("r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "fs_base", "gs_base"),
)
"""The toy register file of a TCB, in the order of seL4_UserContext on x86-64. A parked TCB starts
at the entry in `rip` with the argument in `rdi`; the others only are what was written to them."""
REG_IP, REG_SP, REG_FLAGS, REG_ARG = 0, 1, 2, 8
UNKNOWN_SYSCALL_REGISTERS = (3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 0, 1, 2)
"""Registers by their place in an UNKNOWN_SYSCALL message (rax … rbp, r8 … r15, rip, rsp, rflags);
the number of the call follows them."""
USER_EXCEPTION_REGISTERS = (0, 1, 2)
"""The same of a USER_EXCEPTION message (rip, rsp, rflags); number and code follow them."""


class TimerMode(IntEnum):
    """What is written to a timer's control register."""

    STOP = 0
    ONE_SHOT = 1
    PERIODIC = 2


class FaultLabel(IntEnum):
    """Labels of fault messages (seL4 non-MCS), and their words."""

    CAP_FAULT = 1
    """rip; the pointer; 1 while receiving; a LookupFailure; its details (bits left and, for a
    depth, bits found; for a guard, guard found, bits found)."""
    UNKNOWN_SYSCALL = 2
    """19 words: UNKNOWN_SYSCALL_REGISTERS, the number of the call."""
    USER_EXCEPTION = 3
    """5 words: USER_EXCEPTION_REGISTERS, number and code of the exception."""
    VM_FAULT = 5
    """4 words: rip; the address; 1 for an instruction fetch; the fault status (x86-64's error
    code: 2 for a write, 4 from a user, 16 for a fetch)."""


def notification_badge(bits: int) -> int:
    """Badge of a notification capability: type 255 above 56 bits that OR."""
    return NOTIFICATION_TYPE << 56 | bits & ((1 << 56) - 1)


class Badge(NamedTuple):
    """The parts of a resource badge."""

    type: int
    space: int
    client: int
    object: int


def resource_badge(kind: int, space: int, client: int, number: int) -> int:
    """Badge of a resource capability: type 8 bits, space 16, client 16, object 24."""
    return kind << 56 | space << 40 | client << 24 | number


def badge_parts(badge: int) -> Badge:
    """A resource badge taken apart; with the object BADGE_OBJ_ID_NULL it is an RDE's."""
    return Badge(badge >> 56, badge >> 40 & 0xFFFF, badge >> 24 & 0xFFFF, badge & 0xFFFFFF)
