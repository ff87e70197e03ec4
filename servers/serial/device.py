"""Binding the server to its UART, and how that fails.

The seed reports every failure as one number, 12; here each also says which of three it was.
"""

from __future__ import annotations

from typing import NamedTuple

from caplab.kernel.abi import INTERRUPT_BIT, ObjectType, notification_badge
from caplab.pd.env import Env
from caplab.pd.errors import IllegalOperation, RevokeFirst
from caplab.pd.objects import Device, Irq, Notification, Tcb
from caplab.servers.serial.errors import BindFailed


class Uart(NamedTuple):
    """A claimed UART, its interrupt bound to the thread that serves it."""

    device: Device
    irq: Irq
    signal: Notification
    """The PD's notification with the interrupt's bit, which the line signals."""
    tcb: Tcb

    def release(self) -> None:
        """Give the device back: another may claim it."""
        self.tcb.unbind_notification()
        for capability in (self.irq, self.signal):
            capability.delete()


def bind(env: Env, name: str, tcb: Tcb) -> Uart:
    """Claim the device called `name` (any, if the PD has only one) for the thread `tcb`.

    Its interrupt and the PD's work arrive at the same notification, which ends the thread's Recv.

    Raises BindFailed: no such device, taken by another, not a device, or a thread that cannot be
    interrupted.
    """
    device = _find(env, name)
    try:
        irq = device.claim()
    except RevokeFirst as taken:
        raise BindFailed.taken(device.name, taken.holder) from None
    signal = env.work.mint(notification_badge(INTERRUPT_BIT))
    irq.set_notification(signal)
    try:
        tcb.bind_notification(env.work)
    except IllegalOperation:
        for capability in (irq, signal):
            capability.delete()
        raise BindFailed.no_interrupt() from None
    return Uart(device, irq, signal, tcb)


def _find(env: Env, name: str) -> Device:
    there = env.pd.names()
    if not name:
        devices = [n for n, found in there.items() if found.type == ObjectType.DEVICE]
        if len(devices) > 1:
            raise BindFailed.ambiguous(devices)
        name = devices[0] if devices else "uart0"
    if name in there and there[name].type != ObjectType.DEVICE:
        raise BindFailed.not_a_device(name)
    try:
        return env.device(name)
    except LookupError:  # no such capability, or none with a register
        raise BindFailed.missing(name) from None
