"""THE table: the system calls, and per object type the invocations reached through them.

Stubs (`pd/invocations.py`) and the reference page come from these rows. Every handler has one
signature: `(kernel, caller, capability) -> Outcome`; the request lies in `caller.request`.
Root-task objects stand here too, which makes this the one file of `core` that imports `root`.
"""

from __future__ import annotations

from types import ModuleType

from caplab.kernel.abi import Inv, ObjectType, Sys
from caplab.kernel.core import (
    cnode,
    control,
    domain,
    endpoint,
    frame,
    ioport,
    irq,
    irq_control,
    notification,
    priority,
    registers,
    reply,
    tcb,
    untyped,
    withdrawal,
)
from caplab.kernel.core.rows import Handler, Invocation, Syscall
from caplab.kernel.root import (
    ads,
    components,
    connect,
    device,
    directory,
    ledger,
    pd_calls,
    resspc,
    service,
    work_calls,
)

SYSCALLS: tuple[Syscall, ...] = (
    Syscall(Sys.CALL, endpoint.call, silence="error"),
    Syscall(Sys.SEND, endpoint.send),
    Syscall(Sys.NB_SEND, endpoint.nb_send),
    Syscall(Sys.RECV, endpoint.recv, silence="fault"),
    Syscall(Sys.NB_RECV, endpoint.nb_recv, silence="fault"),
    Syscall(Sys.REPLY, reply.reply, takes_cap=False),
    Syscall(Sys.REPLY_RECV, endpoint.reply_recv, silence="fault"),
    Syscall(Sys.SIGNAL, notification.signal),
    Syscall(Sys.WAIT, endpoint.wait, silence="fault"),
    Syscall(Sys.POLL, endpoint.poll, silence="fault"),
    Syscall(Sys.YIELD, control.yield_, takes_cap=False),
    Syscall(Sys.PARK, control.park, takes_cap=False),
    Syscall(Sys.SLEEP, control.sleep, takes_cap=False),
    Syscall(Sys.FAULT, control.fault, takes_cap=False),
    Syscall(Sys.DEBUG, control.debug, takes_cap=False),
    Syscall(Sys.WITHDRAWN, withdrawal.withdrawn, takes_cap=False),
)

_DEST = ("dest_index", "dest_depth", "src_index", "src_depth")
_PATH = ("index", "depth")
_TCB, _CNODE, _IRQ = ObjectType.TCB, ObjectType.CNODE, ObjectType.IRQ_HANDLER
_FRAME, _PD, _DOMAIN = ObjectType.FRAME, ObjectType.PD, ObjectType.DOMAIN_SET
_CONTROL, _PORT = ObjectType.IRQ_CONTROL, ObjectType.IOPORT
_RESSPC, _ADS, _SERVICE = ObjectType.RESSPC, ObjectType.ADS, ObjectType.SERVICE

INVOCATIONS: tuple[Invocation, ...] = (
    Invocation(Inv.TCB_SUSPEND, "tcb_suspend", _TCB, tcb.suspend),
    Invocation(Inv.TCB_RESUME, "tcb_resume", _TCB, tcb.resume),
    Invocation(
        Inv.TCB_BIND_NOTIFICATION,
        "tcb_bind_notification",
        _TCB,
        tcb.bind_notification,
        caps=("notification",),
    ),
    Invocation(
        Inv.TCB_UNBIND_NOTIFICATION, "tcb_unbind_notification", _TCB, tcb.unbind_notification
    ),
    Invocation(
        Inv.TCB_SET_SPACE,
        "tcb_set_space",
        _TCB,
        tcb.set_space,
        ("fault_ep", "cspace_root_data", "vspace_root_data"),
        ("cspace_root", "vspace_root"),
    ),
    Invocation(
        Inv.TCB_CONFIGURE,
        "tcb_configure",
        _TCB,
        tcb.configure,
        ("fault_ep", "cspace_root_data", "vspace_root_data", "buffer"),
        ("cspace_root", "vspace_root", "buffer_frame"),
    ),
    Invocation(
        Inv.TCB_READ_REGISTERS,
        "tcb_read_registers",
        _TCB,
        registers.read,
        ("suspend_source", "arch_flags", "count"),
    ),
    Invocation(
        Inv.TCB_WRITE_REGISTERS,
        "tcb_write_registers",
        _TCB,
        registers.write,
        ("resume", "arch_flags", "count"),
        rest="registers",
    ),
    Invocation(
        Inv.TCB_SET_PRIORITY,
        "tcb_set_priority",
        _TCB,
        priority.set_priority,
        ("priority",),
        ("authority",),
    ),
    Invocation(
        Inv.TCB_SET_MC_PRIORITY,
        "tcb_set_mc_priority",
        _TCB,
        priority.set_mc_priority,
        ("mcp",),
        ("authority",),
    ),
    Invocation(Inv.CNODE_COPY, "cnode_copy", _CNODE, cnode.copy, (*_DEST, "rights"), ("src_root",)),
    Invocation(
        Inv.CNODE_MINT, "cnode_mint", _CNODE, cnode.mint, (*_DEST, "rights", "badge"), ("src_root",)
    ),
    Invocation(Inv.CNODE_MOVE, "cnode_move", _CNODE, cnode.move, _DEST, ("src_root",)),
    Invocation(
        Inv.CNODE_MUTATE, "cnode_mutate", _CNODE, cnode.mutate, (*_DEST, "badge"), ("src_root",)
    ),
    Invocation(
        Inv.CNODE_ROTATE,
        "cnode_rotate",
        _CNODE,
        cnode.rotate,
        (
            *("dest_index", "dest_depth", "dest_badge"),
            *("pivot_index", "pivot_depth", "pivot_badge"),
            *("src_index", "src_depth"),
        ),
        ("pivot_root", "src_root"),
    ),
    Invocation(
        Inv.CNODE_CANCEL_BADGED_SENDS,
        "cnode_cancel_badged_sends",
        _CNODE,
        cnode.cancel_badged_sends,
        _PATH,
    ),
    Invocation(
        Inv.UNTYPED_RETYPE,
        "untyped_retype",
        ObjectType.UNTYPED,
        untyped.retype,
        ("type", "size_bits", "node_index", "node_depth", "node_offset", "num_objects"),
        ("root",),
    ),
    Invocation(Inv.UNTYPED_INFO, "untyped_info", ObjectType.UNTYPED, untyped.info),
    Invocation(Inv.CNODE_DELETE, "cnode_delete", _CNODE, cnode.delete, _PATH),
    Invocation(Inv.CNODE_REVOKE, "cnode_revoke", _CNODE, cnode.revoke, _PATH),
    Invocation(Inv.CNODE_SAVE_CALLER, "cnode_save_caller", _CNODE, reply.save_caller, _PATH),
    Invocation(Inv.IRQ_ACK, "irq_ack", _IRQ, irq.ack),
    Invocation(
        Inv.IRQ_SET_NOTIFICATION,
        "irq_set_notification",
        _IRQ,
        irq.set_notification,
        caps=("notification",),
    ),
    Invocation(Inv.IRQ_CLEAR, "irq_clear", _IRQ, irq.clear),
    Invocation(
        Inv.IRQ_CONTROL_GET,
        "irq_control_get",
        _CONTROL,
        irq_control.get,
        ("irq", *_PATH),
        ("root",),
    ),
    Invocation(
        Inv.IRQ_CONTROL_GET_TRIGGER,
        "irq_control_get_trigger",
        _CONTROL,
        irq_control.get_trigger,
        ("irq", "trigger", *_PATH),
        ("root",),
    ),
    Invocation(
        Inv.IRQ_CONTROL_GET_IOAPIC,
        "irq_control_get_ioapic",
        _CONTROL,
        irq_control.get_ioapic,
        (*_PATH, "ioapic", "pin", "level", "polarity", "vector"),
        ("root",),
    ),
    Invocation(
        Inv.IRQ_CONTROL_GET_MSI,
        "irq_control_get_msi",
        _CONTROL,
        irq_control.get_msi,
        (*_PATH, "pci_bus", "pci_dev", "pci_func", "handle", "vector"),
        ("root",),
    ),
    Invocation(
        Inv.IOPORT_CONTROL_ISSUE,
        "ioport_control_issue",
        ObjectType.IOPORT_CONTROL,
        ioport.issue,
        ("first_port", "last_port", *_PATH),
        ("root",),
    ),
    Invocation(Inv.IOPORT_IN, "ioport_in", _PORT, ioport.port_in, ("port", "width")),
    Invocation(Inv.IOPORT_OUT, "ioport_out", _PORT, ioport.port_out, ("port", "width", "data")),
    Invocation(
        Inv.DOMAIN_SET_SET, "domain_set_set", _DOMAIN, domain.set_domain, ("domain",), ("tcb",)
    ),
    Invocation(
        Inv.DOMAIN_SET_SCHEDULE_CONFIGURE,
        "domain_set_schedule_configure",
        _DOMAIN,
        domain.configure,
        ("index", "domain", "duration"),
    ),
    Invocation(
        Inv.DOMAIN_SET_SCHEDULE_SET_START,
        "domain_set_schedule_set_start",
        _DOMAIN,
        domain.set_start,
        ("index",),
    ),
    Invocation(Inv.FRAME_MAP, "frame_map", _FRAME, frame.map_frame),
    Invocation(Inv.FRAME_UNMAP, "frame_unmap", _FRAME, frame.unmap),
    Invocation(
        Inv.FRAME_MAP_IN, "frame_map_in", _FRAME, frame.map_in, ("vaddr", "rights"), ("vspace",)
    ),
    Invocation(Inv.FRAME_GET_ADDRESS, "frame_get_address", _FRAME, frame.get_address),
    Invocation(Inv.PD_LOOKUP, "pd_lookup", _PD, pd_calls.lookup, ("name",), body="msgpack"),
    Invocation(Inv.PD_GET_WORK, "pd_get_work", _PD, work_calls.get, body="msgpack"),
    Invocation(Inv.PD_INFO, "pd_info", _PD, pd_calls.info, body="msgpack"),
    Invocation(
        Inv.PD_INSTALL,
        "pd_install",
        _PD,
        pd_calls.install,
        ("name", "slot", "rights", "badge"),
        ("cap",),
        "msgpack",
    ),
    Invocation(Inv.PD_START, "pd_start", _PD, pd_calls.start, body="msgpack"),
    Invocation(
        Inv.PD_KILL,
        "pd_kill",
        _PD,
        pd_calls.kill,
        ("signal", "pd_depth", "space_depth"),
        body="msgpack",
    ),
    Invocation(Inv.PD_CRASH, "pd_crash", _PD, pd_calls.crash, ("how", "after"), body="msgpack"),
    Invocation(Inv.PD_SUSPEND, "pd_suspend", _PD, pd_calls.suspend, body="msgpack"),
    Invocation(Inv.PD_RESUME, "pd_resume", _PD, pd_calls.resume, body="msgpack"),
    Invocation(
        Inv.PD_CLIENT, "pd_client", _PD, pd_calls.client, ("badge",), ("endpoint",), "msgpack"
    ),
    Invocation(Inv.PD_LINK, "pd_link", _PD, pd_calls.link, body="msgpack"),
    Invocation(Inv.PD_SEND, "pd_send", _PD, directory.send, ("name",), ("cap",), "msgpack"),
    Invocation(
        Inv.PD_SHARE_RDE,
        "pd_share_rde",
        _PD,
        directory.share,
        ("type", "space", "name"),
        body="msgpack",
    ),
    Invocation(
        Inv.PD_REMOVE_RDE,
        "pd_remove_rde",
        _PD,
        directory.remove,
        ("type", "space"),
        body="msgpack",
    ),
    Invocation(Inv.PD_RDES, "pd_rdes", _PD, directory.listing, body="msgpack"),
    Invocation(
        Inv.PD_FINISH_WORK,
        "pd_finish_work",
        _PD,
        work_calls.finish,
        ("id", "rows", "more"),
        body="msgpack",
    ),
    Invocation(
        Inv.PD_CREATE,
        "pd_create",
        ObjectType.SERVICE,
        service.create_pd,
        ("name", "run", "args", "threads", "devices", "serves", "path", "faults", "untyped", "ads"),
        body="msgpack",
    ),
    Invocation(
        Inv.MO_CONNECT, "mo_connect", _SERVICE, components.memory, ("pages",), body="msgpack"
    ),
    Invocation(Inv.EP_CONNECT, "ep_connect", _SERVICE, components.endpoint, body="msgpack"),
    Invocation(Inv.ADS_CONNECT, "ads_connect", _SERVICE, components.address_space, body="msgpack"),
    Invocation(
        Inv.CPU_CONNECT, "cpu_connect", _SERVICE, components.cpu, ("thread",), body="msgpack"
    ),
    Invocation(
        Inv.RESSPC_CONNECT,
        "resspc_connect",
        ObjectType.SERVICE,
        connect.connect,
        ("type_name", "client", "pd_depth", "space_depth"),
        ("endpoint",),
        "msgpack",
    ),
    Invocation(
        Inv.DEVICE_CLAIM, "device_claim", ObjectType.DEVICE, device.claim, ("slot",), body="msgpack"
    ),
    Invocation(
        Inv.DEVICE_PORTS, "device_ports", ObjectType.DEVICE, device.ports, ("slot",), body="msgpack"
    ),
    Invocation(
        Inv.ADS_ATTACH,
        "ads_attach",
        _ADS,
        ads.attach_memory,
        ("name", "rights"),
        ("frame",),
        "msgpack",
    ),
    Invocation(Inv.ADS_DETACH, "ads_detach", _ADS, ads.detach_memory, ("name",), body="msgpack"),
    Invocation(Inv.ADS_LIST, "ads_list", _ADS, ads.listing, body="msgpack"),
    Invocation(Inv.ADS_COPY, "ads_copy", _ADS, ads.copy, (), ("ads",), "msgpack"),
    Invocation(Inv.RESSPC_MAP, "resspc_map", _RESSPC, resspc.map_space, ("space",), body="msgpack"),
    Invocation(
        Inv.RESSPC_CREATE, "resspc_create", _RESSPC, resspc.create, ("object",), body="msgpack"
    ),
    Invocation(
        Inv.RESSPC_GIVE, "resspc_give", _RESSPC, resspc.give, ("object", "pd"), body="msgpack"
    ),
    Invocation(
        Inv.RESSPC_REVOKE,
        "resspc_revoke",
        _RESSPC,
        resspc.revoke,
        ("object", "pd", "count"),
        body="msgpack",
    ),
    Invocation(
        Inv.RESSPC_DELETE, "resspc_delete", _RESSPC, resspc.delete, ("object",), body="msgpack"
    ),
    Invocation(Inv.RESSPC_DESTROY, "resspc_destroy", _RESSPC, resspc.destroy, body="msgpack"),
    Invocation(
        Inv.RESSPC_ISSUE, "resspc_issue", _RESSPC, resspc.issue, ("pd", "name"), body="msgpack"
    ),
    Invocation(Inv.RESSPC_INFO, "resspc_info", _RESSPC, resspc.info, body="msgpack"),
)

ROWS: dict[int, Syscall] = {int(row.number): row for row in SYSCALLS}
ON_CAPS: dict[int, Handler] = {int(row.number): row.handler for row in SYSCALLS if row.takes_cap}
"""The handlers of those that name a capability: every message passes here, so in one step."""
INVOCATION_ROWS: dict[tuple[int, int], Invocation] = {
    (int(row.object), int(row.label)): row for row in INVOCATIONS
}

OBJECTS: dict[int, ModuleType] = {
    ObjectType.CNODE: cnode,
    ObjectType.ENDPOINT: endpoint,
    ObjectType.NOTIFICATION: notification,
    ObjectType.TCB: tcb,
    ObjectType.UNTYPED: untyped,
    ObjectType.REPLY: reply,
    ObjectType.FRAME: frame,
    ObjectType.IRQ_HANDLER: irq,
    ObjectType.DOMAIN_SET: domain,
    ObjectType.IRQ_CONTROL: irq_control,
    ObjectType.IOPORT_CONTROL: ioport,
    ObjectType.IOPORT: ioport,
    ObjectType.PD: pd_calls,
    ObjectType.SERVICE: service,
    ObjectType.DEVICE: device,
    ObjectType.RESSPC: resspc,
    ObjectType.ADS: ads,
    ObjectType.SLAB: ledger,
}
"""Per type of object: the file whose `attach` and `detach` count its capabilities."""
