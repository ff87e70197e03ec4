"""A stand-in for the kernel process: its channel to the launcher and one child, nothing else.

`stand_in_kernel.py MODE RUN_DIR LAUNCHER_FD`. What it does beside waiting for SIGTERM is its mode.
"""

import ctypes
import fcntl
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import msgpack

from caplab.kernel.host import rundir

PRCTL = ctypes.CDLL(None).prctl
PRINTED = bytes((1 << 20) - 4) + b"end\n"
MODES = {
    "prints": "import os, signal; os.write(1, b'one\\ntwo\\n'); signal.pause()",
    "floods": "import os\nfor _ in range(1000): os.write(1, b'x' * 65535 + b'\\n')",
    "stubborn": "import os, signal; os.write(1, b'here'); signal.pause()",
    "daemon": (
        "import os, signal\n"
        "if os.fork() == 0:\n"
        "    os.setsid(); os.write(1, b'here'); signal.pause()\n"
        "signal.pause()"
    ),
    "exits": "print('done', flush=True)",
}


def die_with_the_kernel() -> None:
    PRCTL(1, signal.SIGKILL, 0, 0, 0)


def main(mode: str, run_dir: Path, channel: socket.socket) -> int:
    lock = rundir.hold(run_dir)
    if mode == "fails":
        raise RuntimeError("invariant 3")
    if mode == "refuses":
        print("kernel: there is no terminal left", flush=True)
        return 2
    reading, writing = os.pipe()
    if mode == "asks":
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, len(PRINTED))
        os.write(writing, PRINTED)
    socket.send_fds(channel, [msgpack.packb({"log": "pd1"})], [reading])
    os.close(reading)
    if mode == "asks":
        # The launcher reads the pipe piece by piece, and has not had the time for all of it.
        channel.send(msgpack.packb({"drain": 7}))
        assert msgpack.unpackb(channel.recv(100)) == {"drained": 7}
        assert (run_dir / "logs" / "pd1.log").read_bytes().endswith(b"end\n")
        return 0
    child = subprocess.Popen(
        [sys.executable, "-c", MODES[mode]],
        stdout=writing,
        stderr=writing,
        stdin=subprocess.DEVNULL,
        preexec_fn=None if mode == "daemon" else die_with_the_kernel,
    )
    os.close(writing)
    wanted = {signal.SIGTERM, signal.SIGCHLD}
    while True:
        number = signal.sigwait(wanted)
        if number == signal.SIGTERM and mode != "stubborn":
            if mode != "daemon":
                child.kill()
                child.wait()
            break
        if number == signal.SIGCHLD and mode in ("floods", "exits"):
            child.wait()
            break
    os.close(lock)
    return 0


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGCHLD})
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), socket.socket(fileno=int(sys.argv[3]))))
