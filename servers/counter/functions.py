"""What does the operations of Counter: a function on the state that its ref names."""

from __future__ import annotations

from dataclasses import dataclass

from caplab.servers.counter.counter_interface import iface_Counter, ref_Counter


@dataclass
class Value:
    """The state of a counter: what `ptr` of its ref names."""

    counter: int = 0


def counter_increment(ref: ref_Counter) -> int:
    value: Value = ref.ptr
    value.counter += 1
    return value.counter


server_iface_Counter = iface_Counter(increment=counter_increment)
