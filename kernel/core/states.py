"""States of a TCB. RUNNING: no call outstanding. All others but DEAD: blocked, the request kept."""

RUNNING, SEND, RECV, REPLY, NOTIFICATION, PARKED, SLEEP, JOB, INACTIVE, DEAD = range(10)
NAMES = (
    "running",
    "send",
    "recv",
    "reply",
    "notification",
    "parked",
    "sleep",
    "kernel",
    "inactive",
    "dead",
)
