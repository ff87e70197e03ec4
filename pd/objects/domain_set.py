"""Domains: partitions of time, and their schedule."""

from __future__ import annotations

from typing import ClassVar

from caplab.kernel.abi import ObjectType
from caplab.pd import invocations
from caplab.pd.objects.capability import Capability
from caplab.pd.objects.tcb import Tcb


class DomainSet(Capability):
    """The capability to set domains (`rdes: [domain]` in the manifest, with `scheduler: strict`).

    Of all TCBs only those of the domain whose turn it is run. A system begins with all of them in
    domain 0, whose turn never ends.
    """

    type: ClassVar[ObjectType] = ObjectType.DOMAIN_SET
    __slots__ = ()

    def set(self, domain: int, tcb: Tcb) -> None:
        """Put a TCB into a domain, 0 to 15. seL4_DomainSet_Set.

        Errors: InvalidArgument (first word 0: no such domain), IllegalOperation (it has ended)
        """
        answer = invocations.domain_set_set(self.transport, self.slot, domain, tcb.slot)
        self.checked(answer, "DomainSet_Set")

    def configure(self, index: int, domain: int, duration: int) -> None:
        """Set entry `index` of the schedule, 0 to 62: a domain and its turn in milliseconds.

        seL4_DomainSet_ScheduleConfigure. An entry of 0, 0 ends the schedule. It counts from its
        next turn on. Errors: RangeError, InvalidArgument (the start would be empty)
        """
        answer = invocations.domain_set_schedule_configure(
            self.transport, self.slot, index, domain, duration
        )
        self.checked(answer, "DomainSet_ScheduleConfigure")

    def start(self, index: int = 0) -> None:
        """Begin the schedule at an entry, at once. seL4_DomainSet_ScheduleSetStart.

        Errors: RangeError, InvalidArgument (the entry is empty)
        """
        answer = invocations.domain_set_schedule_set_start(self.transport, self.slot, index)
        self.checked(answer, "DomainSet_ScheduleSetStart")
