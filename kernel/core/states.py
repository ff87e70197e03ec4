"""States of a TCB. RUNNING: no call outstanding. All others but DEAD: blocked, the request kept.

READY occurs in strict mode only: what would let the TCB run waits for its turn (gate.py).
"""

RUNNING, SEND, RECV, REPLY, NOTIFICATION, PARKED, SLEEP, JOB, INACTIVE, DEAD, READY = range(11)
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
    "ready",
)
