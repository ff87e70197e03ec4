"""THE table: every attack, and what should stop it."""

from caplab.clients.hostile import (
    capabilities,
    console,
    filesystem,
    memory,
    network,
    process,
    wire,
)
from caplab.clients.hostile.attack import Attack

ATTACKS = (
    Attack(1, "stolen-id", "wire", "no sockets (seccomp); unguessable ids", wire.stolen_id),
    Attack(2, "duplicate-id", "wire", "the first connection keeps its id", wire.duplicate_id),
    Attack(3, "garbage", "wire", "ZeroMQ hangs up", wire.garbage, "connection"),
    Attack(4, "huge-header", "wire", "MAXMSGSIZE", wire.huge_header, "connection"),
    Attack(5, "long-message", "wire", "MAXMSGSIZE", wire.long_message, "connection"),
    Attack(6, "endless-parts", "wire", "the watchdog", wire.endless_parts, "no call|unfinished"),
    Attack(
        7,
        "message-flood",
        "wire",
        "each in its turn",
        wire.message_flood,
        "two calls|not read|no call",
    ),
    Attack(
        8, "unread-answers", "wire", "no send waits", wire.unread_answers, "does not read|no call"
    ),
    Attack(9, "ping-flood", "wire", "the watchdog", wire.ping_flood, "no call"),
    Attack(56, "hidden-flood", "wire", "the watchdog", wire.hidden_flood, "no call"),
    Attack(10, "nested-body", "wire", "the decoder's bounds", wire.nested_body),
    Attack(41, "old-protocol", "wire", "who is not known is not heard", wire.old_protocol),
    Attack(52, "calls-at-once", "wire", "one call at a time", wire.calls_at_once, "two calls"),
    Attack(11, "forged-slot", "capabilities", "lookup", capabilities.forged_slot),
    Attack(12, "chosen-badge", "capabilities", "badges are set once", capabilities.chosen_badge),
    Attack(13, "stolen-reply", "capabilities", "one reply per call", capabilities.stolen_reply),
    Attack(14, "transfer", "capabilities", "Grant", capabilities.transfer),
    Attack(15, "revoked", "capabilities", "revocation", capabilities.revoked, stage="gift"),
    Attack(16, "greater-rights", "capabilities", "rights only shrink", capabilities.greater_rights),
    Attack(17, "full-cspace", "capabilities", "its own slots", capabilities.full_cspace),
    Attack(50, "no-more-pages", "capabilities", "its untyped", capabilities.exhausted_untyped),
    Attack(51, "wrong-kind", "capabilities", "types", capabilities.foreign_objects),
    Attack(
        18,
        "other-segment",
        "memory",
        "own /dev/shm, or no names",
        memory.other_segment,
        needs="basic",
    ),
    Attack(19, "list-segments", "memory", "Landlock", memory.list_segments, needs="basic"),
    Attack(20, "truncate", "memory", "seccomp", memory.truncate, needs="basic"),
    Attack(
        21,
        "read-only",
        "memory",
        "a read-only mount",
        memory.read_only,
        stage="read-only",
        needs="basic",
    ),
    Attack(22, "names", "memory", "Landlock, seccomp", memory.names, needs="basic"),
    Attack(23, "destroyed", "memory", "SIGBUS", memory.destroyed, "VM|SIGBUS", "lent"),
    Attack(24, "memfd", "memory", "seccomp", memory.memfd, needs="basic"),
    Attack(53, "grow", "memory", "a seal, or no room", memory.grow, needs="basic"),
    Attack(40, "shrinking-window", "memory", "pread, not a mapping", memory.shrinking_window),
    Attack(
        25,
        "signal-peer",
        "process",
        "own pid namespace, seccomp",
        process.signal_peer,
        needs="basic",
    ),
    Attack(26, "signal-owner", "process", "seccomp", process.signal_owner, needs="basic"),
    Attack(27, "trace-peer", "process", "seccomp", process.trace_peer, needs="basic"),
    Attack(28, "look-into-proc", "process", "no /proc", process.look_into_proc, needs="basic"),
    Attack(29, "fork", "process", "seccomp", process.fork, needs="basic"),
    Attack(30, "threads", "process", "RLIMIT_NPROC", process.threads, needs="strict"),
    Attack(31, "descriptors", "process", "RLIMIT_NOFILE", process.descriptors),
    Attack(32, "memory", "process", "RLIMIT_DATA, RLIMIT_AS", process.memory),
    Attack(54, "socket-buffers", "process", "seccomp", process.socket_buffers, needs="basic"),
    Attack(55, "processor-hog", "process", "limits; threads give way", process.processor_hog),
    Attack(33, "outlive", "process", "seccomp", process.outlive, needs="basic"),
    Attack(34, "kernel-surface", "process", "seccomp", process.kernel_surface, needs="basic"),
    Attack(35, "x32", "process", "seccomp", process.x32, "SIGSYS", needs="basic"),
    Attack(
        42, "32-bit-call", "process", "seccomp", process.thirty_two_bits, "SIGSYS", needs="basic"
    ),
    Attack(
        36, "write-code", "filesystem", "a read-only root", filesystem.write_code, needs="basic"
    ),
    Attack(
        43,
        "read-secrets",
        "filesystem",
        "a root without them",
        filesystem.read_secrets,
        needs="basic",
    ),
    Attack(
        44, "leave-files", "filesystem", "a read-only root", filesystem.leave_files, needs="basic"
    ),
    Attack(
        37,
        "other-families",
        "network",
        "seccomp, own network",
        network.other_families,
        needs="basic",
    ),
    Attack(
        45, "abstract-name", "network", "seccomp, own network", network.abstract_name, needs="basic"
    ),
    Attack(
        46,
        "datagram-pair",
        "network",
        "seccomp, own root and network",
        network.datagram_pair,
        needs="basic",
    ),
    Attack(
        38, "control-socket", "control", "not there; seccomp", network.control_socket, needs="basic"
    ),
    Attack(47, "descriptor-flood", "control", "none is received", network.descriptor_flood),
    Attack(48, "false-words", "control", "believed of itself only", network.false_words),
    Attack(39, "escapes", "console", "control characters are taken out", console.escapes),
    Attack(49, "output-flood", "console", "a bounded log", console.output_flood),
)
BY_NAME = {attack.name: attack for attack in ATTACKS}
