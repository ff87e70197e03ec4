"""For every invocation of the table a call that succeeds in `everything.world`."""

from typing import Any, NamedTuple

from caplab.kernel.abi import (
    SLOT_CNODE,
    SLOT_PD,
    SLOT_TCB,
)
from caplab.kernel.core.cap import guard_word
from everything import (
    BADGED,
    BELL,
    CAR,
    CHILD,
    ENDPOINT,
    EP,
    FIRST_PORT,
    FREE,
    HOME,
    IRQ,
    KNOWN,
    LOT,
    MEMORY,
    NODE,
    OTHER,
    PAGE,
    PAGED,
    PORTS,
    SPACE,
    SPARE,
    WORK,
)
from lab import Cptr


class Good(NamedTuple):
    """A call that is done as it stands."""

    on: Cptr
    given: dict[str, Any]
    caps: tuple[int, ...] = ()
    rest: tuple[int, ...] = ()
    receive: int | None = None


_COPY = {"dest_index": FREE, "dest_depth": 64, "src_index": ENDPOINT, "src_depth": 64}
_INTO = {"index": FREE, "depth": 64}
_SPACE = {"fault_ep": 0, "cspace_root_data": 0, "vspace_root_data": 0}
_REGISTERS = {"arch_flags": 0, "count": 2}

GOOD: dict[str, Good] = {
    "tcb_suspend": Good(SLOT_TCB, {}),
    "tcb_resume": Good(SLOT_TCB, {}),
    "tcb_bind_notification": Good(SLOT_TCB, {}, (BELL,)),
    "tcb_unbind_notification": Good(SPARE, {}),
    "tcb_set_space": Good(SPARE, _SPACE, (SLOT_CNODE, SLOT_PD)),
    "tcb_configure": Good(SPARE, {**_SPACE, "buffer": 0x1000}, (SLOT_CNODE, SLOT_PD, PAGE)),
    "tcb_read_registers": Good(SPARE, {"suspend_source": 1, **_REGISTERS}),
    "tcb_write_registers": Good(SPARE, {"resume": 1, **_REGISTERS}, rest=(7, 8)),
    "tcb_set_priority": Good(SPARE, {"priority": 50}, (SLOT_TCB,)),
    "tcb_set_mc_priority": Good(SPARE, {"mcp": 50}, (SLOT_TCB,)),
    "cnode_copy": Good(SLOT_CNODE, {**_COPY, "rights": 15}, (SLOT_CNODE,)),
    "cnode_mint": Good(SLOT_CNODE, {**_COPY, "rights": 15, "badge": 5}, (SLOT_CNODE,)),
    "cnode_move": Good(SLOT_CNODE, _COPY, (SLOT_CNODE,)),
    "cnode_mutate": Good(
        SLOT_CNODE, {**_COPY, "src_index": NODE, "badge": guard_word(1, 4)}, (SLOT_CNODE,)
    ),
    "cnode_rotate": Good(
        SLOT_CNODE,
        {
            "dest_index": FREE,
            "dest_depth": 64,
            "dest_badge": guard_word(1, 4),
            "pivot_index": NODE,
            "pivot_depth": 64,
            "pivot_badge": 0,
            "src_index": PAGE,
            "src_depth": 64,
        },
        (SLOT_CNODE, SLOT_CNODE),
    ),
    "cnode_cancel_badged_sends": Good(SLOT_CNODE, {"index": BADGED, "depth": 64}),
    "untyped_retype": Good(
        MEMORY,
        {
            "type": int(EP),
            "size_bits": 0,
            "node_index": 0,
            "node_depth": 0,
            "node_offset": FREE,
            "num_objects": 2,
        },
        (SLOT_CNODE,),
    ),
    "untyped_info": Good(MEMORY, {}),
    "cnode_delete": Good(SLOT_CNODE, {"index": ENDPOINT, "depth": 64}),
    "cnode_revoke": Good(SLOT_CNODE, {"index": ENDPOINT, "depth": 64}),
    "cnode_save_caller": Good(SLOT_CNODE, {"index": FREE, "depth": 64}),
    "irq_ack": Good(IRQ, {}),
    "irq_set_notification": Good(IRQ, {}, (BELL,)),
    "irq_clear": Good(IRQ, {}),
    "irq_control_get": Good("irqs", {"irq": 40, **_INTO}, (SLOT_CNODE,)),
    "irq_control_get_trigger": Good("irqs", {"irq": 40, "trigger": 1, **_INTO}, (SLOT_CNODE,)),
    "irq_control_get_ioapic": Good(
        "irqs",
        {**_INTO, "ioapic": 0, "pin": 3, "level": 1, "polarity": 0, "vector": 40},
        (SLOT_CNODE,),
    ),
    "irq_control_get_msi": Good(
        "irqs",
        {**_INTO, "pci_bus": 1, "pci_dev": 2, "pci_func": 3, "handle": 0, "vector": 41},
        (SLOT_CNODE,),
    ),
    "ioport_control_issue": Good(
        "ioports", {"first_port": 0x3F8, "last_port": 0x3FF, **_INTO}, (SLOT_CNODE,)
    ),
    "ioport_in": Good(PORTS, {"port": FIRST_PORT, "width": 4}),
    "ioport_out": Good(PORTS, {"port": FIRST_PORT, "width": 4, "data": 5}),
    "domain_set_set": Good("rde:domain", {"domain": 3}, (SPARE,)),
    "domain_set_schedule_configure": Good("rde:domain", {"index": 1, "domain": 1, "duration": 5}),
    "domain_set_schedule_set_start": Good("rde:domain", {"index": 0}),
    "frame_map": Good(PAGE, {}),
    "frame_unmap": Good(PAGE, {}),
    "frame_map_in": Good(PAGE, {"vaddr": 0x7000, "rights": 3}, (PAGED,)),
    "frame_get_address": Good(PAGE, {}),
    "pd_lookup": Good(SLOT_PD, {"name": "fs"}),
    "pd_get_work": Good(SLOT_PD, {}),
    "pd_info": Good(CHILD, {}),
    "pd_install": Good(
        CHILD, {"name": "in", "slot": 30, "rights": 15, "badge": 7}, caps=(ENDPOINT,)
    ),
    "pd_start": Good(CHILD, {}),
    "pd_kill": Good("pd:other", {"signal": 9, "pd_depth": 0, "space_depth": "all"}),
    "pd_client": Good(SLOT_PD, {"badge": KNOWN}, (ENDPOINT,)),
    "pd_link": Good(CHILD, {}),
    "pd_crash": Good("pd:other", {"how": "segv", "after": 100}),
    "pd_suspend": Good("pd:other", {}),
    "pd_resume": Good("pd:other", {}),
    "pd_send": Good(CHILD, {"name": "sent"}, (ENDPOINT,)),
    "pd_share_rde": Good(CHILD, {"type": "CAR", "space": CAR, "name": "cars"}),
    "pd_remove_rde": Good(CHILD, {"type": "LOT", "space": LOT}),
    "pd_rdes": Good(CHILD, {}),
    "mo_connect": Good("rde:mo", {"pages": 2}, receive=FREE),
    "ep_connect": Good("rde:ep", {}, receive=FREE),
    "ads_connect": Good("rde:ads", {}, receive=FREE),
    "cpu_connect": Good("rde:cpu", {"thread": None}, receive=FREE),
    "ads_attach": Good("rde:vmr", {"name": "a", "rights": 15}, (PAGE,)),
    "ads_detach": Good("rde:vmr", {"name": "stack"}),
    "ads_list": Good("rde:vmr", {}),
    "ads_copy": Good("rde:vmr", {}, (HOME,)),
    "pd_finish_work": Good(SLOT_PD, {"id": WORK, "rows": None, "more": 0}),
    "resspc_connect": Good(
        "rde:resspc",
        {"type_name": "NEW", "client": OTHER, "pd_depth": 0, "space_depth": "all"},
        (ENDPOINT,),
        receive=FREE,
    ),
    "resspc_map": Good("space", {"space": CAR}),
    "resspc_create": Good("space", {"object": 3}),
    "resspc_give": Good("space", {"object": 1, "pd": OTHER}),
    "resspc_revoke": Good("space", {"object": 1, "pd": OTHER, "count": 1}),
    "resspc_delete": Good("space", {"object": 1}),
    "resspc_destroy": Good(SPACE, {}),
    "resspc_issue": Good("space", {"pd": OTHER, "name": "lots"}),
    "resspc_info": Good("space", {}),
    "pd_create": Good(
        "rde:pd",
        {
            "name": "new",
            "run": "x",
            "args": {"a": 1},
            "threads": 2,
            "devices": ["uart0"],
            "serves": "endpoint",
            "path": ["/x"],
            "faults": ENDPOINT,
            "untyped": MEMORY,
            "ads": HOME,
        },
        receive=FREE,
    ),
    "device_claim": Good("uart1", {"slot": FREE}),
    "device_ports": Good("timer0", {"slot": FREE}),
}
