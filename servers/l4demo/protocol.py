"""What server and clients agree on: tags, and what the free registers hold (mr 0 is MR2).

Everything but registering is refused with -ESRCH until the sender has registered.
"""

L4_IPC_REQUEST_NO_RETURN = 1
"""Print a text of the shared page: mr 0 its offset, mr 1 its length, mr 2 how often. One way: what
is returned are errors alone, -EFAULT (no page is shared) and -EINVAL (it lies outside)."""
L4_IPC_REQUEST_WITH_RETURN = 2
"""Add mr 0 to the sender's account; the return is what is in it."""
L4_IPC_REGISTER = 3
"""Be entered into the table of senders; the return is 0."""
L4_IPC_SHARE_PAGE = 4
"""Share the page whose capability comes along; 0, or -EINVAL when none came."""
