"""Invocations, raw: one stub per row of the kernel's table. Generated: do not edit.

`python -m caplab.scripts.gen.stubs` writes this file from `kernel/core/syscalls.py`. A stub takes
the calling TCB's transport and the slot of the capability invoked, then words, then slots of
capabilities to send; arguments after the star travel as a msgpack map. Statuses are returned,
never raised (see :mod:`caplab.pd.stubs`).
"""

from typing import Any

from caplab.pd.stubs import Answer, SlotPath, invoke_map, invoke_words
from caplab.pd.transport import Transport


def tcb_suspend(transport: Transport, cptr: int) -> Answer:
    """Stop a TCB; its current or next call gets no answer until it is resumed.

    seL4: seL4_TCB_Suspend
    """
    return invoke_words(transport, cptr, 16, (), ())


def tcb_resume(transport: Transport, cptr: int) -> Answer:
    """Let a TCB run: start a parked one, continue a suspended one.

    seL4: seL4_TCB_Resume
    """
    return invoke_words(transport, cptr, 17, (), ())


def tcb_bind_notification(transport: Transport, cptr: int, notification: int) -> Answer:
    """Bind a notification to a TCB: its signals wake the TCB from Recv on an endpoint.

    seL4: seL4_TCB_BindNotification
    """
    return invoke_words(transport, cptr, 18, (), (notification,))


def tcb_unbind_notification(transport: Transport, cptr: int) -> Answer:
    """Undo TCB_BindNotification.

    seL4: seL4_TCB_UnbindNotification
    """
    return invoke_words(transport, cptr, 19, (), ())


def tcb_set_space(
    transport: Transport,
    cptr: int,
    fault_ep: int,
    cspace_root_data: int,
    vspace_root_data: int,
    cspace_root: int,
    vspace_root: int,
) -> Answer:
    """Change the root of a TCB's CSpace and its fault handler while it lives.

    seL4: seL4_TCB_SetSpace
    """
    return invoke_words(
        transport,
        cptr,
        21,
        (fault_ep, cspace_root_data, vspace_root_data),
        (cspace_root, vspace_root),
    )


def tcb_configure(
    transport: Transport,
    cptr: int,
    fault_ep: int,
    cspace_root_data: int,
    vspace_root_data: int,
    buffer: int,
    cspace_root: int,
    vspace_root: int,
    buffer_frame: int,
) -> Answer:
    """Give a TCB its CSpace, its fault handler and its message buffer in one call.

    seL4: seL4_TCB_Configure
    """
    return invoke_words(
        transport,
        cptr,
        23,
        (fault_ep, cspace_root_data, vspace_root_data, buffer),
        (cspace_root, vspace_root, buffer_frame),
    )


def tcb_read_registers(
    transport: Transport, cptr: int, suspend_source: int, arch_flags: int, count: int
) -> Answer:
    """Read the first registers of a TCB.

    seL4: seL4_TCB_ReadRegisters
    """
    return invoke_words(transport, cptr, 22, (suspend_source, arch_flags, count), ())


def tcb_write_registers(
    transport: Transport, cptr: int, resume: int, arch_flags: int, count: int, *registers: int
) -> Answer:
    """Write the first registers of a TCB: for a parked one, where it starts and with which word.

    seL4: seL4_TCB_WriteRegisters
    """
    return invoke_words(transport, cptr, 20, (resume, arch_flags, count, *registers), ())


def tcb_set_priority(transport: Transport, cptr: int, priority: int, authority: int) -> Answer:
    """Change a TCB's priority, which acts with `scheduler: strict`.

    seL4: seL4_TCB_SetPriority
    """
    return invoke_words(transport, cptr, 24, (priority,), (authority,))


def tcb_set_mc_priority(transport: Transport, cptr: int, mcp: int, authority: int) -> Answer:
    """Change the highest priority that the TCB's authority may give; its own stays as it is.

    seL4: seL4_TCB_SetMCPriority
    """
    return invoke_words(transport, cptr, 25, (mcp,), (authority,))


def cnode_copy(
    transport: Transport,
    cptr: int,
    dest_index: int,
    dest_depth: int,
    src_index: int,
    src_depth: int,
    rights: int,
    src_root: int,
) -> Answer:
    """Copy a capability with at most the given rights.

    seL4: seL4_CNode_Copy
    """
    return invoke_words(
        transport, cptr, 32, (dest_index, dest_depth, src_index, src_depth, rights), (src_root,)
    )


def cnode_mint(
    transport: Transport,
    cptr: int,
    dest_index: int,
    dest_depth: int,
    src_index: int,
    src_depth: int,
    rights: int,
    badge: int,
    src_root: int,
) -> Answer:
    """Copy a capability and set its badge, which must be unset so far; of a CNode, its guard.

    seL4: seL4_CNode_Mint
    """
    return invoke_words(
        transport,
        cptr,
        33,
        (dest_index, dest_depth, src_index, src_depth, rights, badge),
        (src_root,),
    )


def cnode_move(
    transport: Transport,
    cptr: int,
    dest_index: int,
    dest_depth: int,
    src_index: int,
    src_depth: int,
    src_root: int,
) -> Answer:
    """Move a capability; its place in the derivation list goes with it.

    seL4: seL4_CNode_Move
    """
    return invoke_words(
        transport, cptr, 34, (dest_index, dest_depth, src_index, src_depth), (src_root,)
    )


def cnode_mutate(
    transport: Transport,
    cptr: int,
    dest_index: int,
    dest_depth: int,
    src_index: int,
    src_depth: int,
    badge: int,
    src_root: int,
) -> Answer:
    """Move a capability and replace its guard.

    seL4: seL4_CNode_Mutate
    """
    return invoke_words(
        transport, cptr, 38, (dest_index, dest_depth, src_index, src_depth, badge), (src_root,)
    )


def cnode_rotate(
    transport: Transport,
    cptr: int,
    dest_index: int,
    dest_depth: int,
    dest_badge: int,
    pivot_index: int,
    pivot_depth: int,
    pivot_badge: int,
    src_index: int,
    src_depth: int,
    pivot_root: int,
    src_root: int,
) -> Answer:
    """Move the pivot to the destination and the source to the pivot, at once.

    seL4: seL4_CNode_Rotate
    """
    return invoke_words(
        transport,
        cptr,
        39,
        (
            dest_index,
            dest_depth,
            dest_badge,
            pivot_index,
            pivot_depth,
            pivot_badge,
            src_index,
            src_depth,
        ),
        (pivot_root, src_root),
    )


def cnode_cancel_badged_sends(transport: Transport, cptr: int, index: int, depth: int) -> Answer:
    """Take every sender with the capability's badge out of the endpoint's queue.

    seL4: seL4_CNode_CancelBadgedSends
    """
    return invoke_words(transport, cptr, 40, (index, depth), ())


def untyped_retype(
    transport: Transport,
    cptr: int,
    type: int,
    size_bits: int,
    node_index: int,
    node_depth: int,
    node_offset: int,
    num_objects: int,
    root: int,
) -> Answer:
    """Make kernel objects from untyped memory, into a row of empty slots.

    seL4: seL4_Untyped_Retype
    """
    return invoke_words(
        transport,
        cptr,
        44,
        (type, size_bits, node_index, node_depth, node_offset, num_objects),
        (root,),
    )


def untyped_info(transport: Transport, cptr: int) -> Answer:
    """Say where an untyped lies and how much of it is left.

    seL4: seL4_BootInfo, untypedList
    """
    return invoke_words(transport, cptr, 45, (), ())


def cnode_delete(transport: Transport, cptr: int, index: int, depth: int) -> Answer:
    """Empty a slot; deleting the last capability to an object destroys the object.

    seL4: seL4_CNode_Delete
    """
    return invoke_words(transport, cptr, 35, (index, depth), ())


def cnode_revoke(transport: Transport, cptr: int, index: int, depth: int) -> Answer:
    """Delete every capability derived from the one in the slot, which stays.

    seL4: seL4_CNode_Revoke
    """
    return invoke_words(transport, cptr, 36, (index, depth), ())


def cnode_save_caller(transport: Transport, cptr: int, index: int, depth: int) -> Answer:
    """Move the reply capability out of the hidden slot, so that the answer can come later.

    seL4: seL4_CNode_SaveCaller
    """
    return invoke_words(transport, cptr, 37, (index, depth), ())


def irq_ack(transport: Transport, cptr: int) -> Answer:
    """Unmask the line, so that it interrupts again; at once, if it was raised meanwhile.

    seL4: seL4_IRQHandler_Ack
    """
    return invoke_words(transport, cptr, 48, (), ())


def irq_set_notification(transport: Transport, cptr: int, notification: int) -> Answer:
    """Choose the notification the line signals; the line is unmasked.

    seL4: seL4_IRQHandler_SetNotification
    """
    return invoke_words(transport, cptr, 49, (), (notification,))


def irq_clear(transport: Transport, cptr: int) -> Answer:
    """Signal nobody from now on.

    seL4: seL4_IRQHandler_Clear
    """
    return invoke_words(transport, cptr, 50, (), ())


def irq_control_get(
    transport: Transport, cptr: int, irq: int, index: int, depth: int, root: int
) -> Answer:
    """Make the capability to the handler of an interrupt line, which exists once.

    seL4: seL4_IRQControl_Get
    """
    return invoke_words(transport, cptr, 56, (irq, index, depth), (root,))


def irq_control_get_trigger(
    transport: Transport, cptr: int, irq: int, trigger: int, index: int, depth: int, root: int
) -> Answer:
    """The same, and say whether the line is level- (0) or edge-triggered (1).

    seL4: seL4_IRQControl_GetTrigger
    """
    return invoke_words(transport, cptr, 57, (irq, trigger, index, depth), (root,))


def irq_control_get_ioapic(
    transport: Transport,
    cptr: int,
    index: int,
    depth: int,
    ioapic: int,
    pin: int,
    level: int,
    polarity: int,
    vector: int,
    root: int,
) -> Answer:
    """Route a pin of an I/O APIC to an interrupt line (`vector`), and make its handler.

    seL4: seL4_IRQControl_GetIOAPIC
    """
    return invoke_words(
        transport, cptr, 58, (index, depth, ioapic, pin, level, polarity, vector), (root,)
    )


def irq_control_get_msi(
    transport: Transport,
    cptr: int,
    index: int,
    depth: int,
    pci_bus: int,
    pci_dev: int,
    pci_func: int,
    handle: int,
    vector: int,
    root: int,
) -> Answer:
    """Let a PCI device's messages raise an interrupt line (`vector`), and make its handler.

    seL4: seL4_IRQControl_GetMSI
    """
    return invoke_words(
        transport, cptr, 59, (index, depth, pci_bus, pci_dev, pci_func, handle, vector), (root,)
    )


def ioport_control_issue(
    transport: Transport,
    cptr: int,
    first_port: int,
    last_port: int,
    index: int,
    depth: int,
    root: int,
) -> Answer:
    """Make the capability to a row of ports; each port is somebody's only once.

    seL4: seL4_X86_IOPortControl_Issue
    """
    return invoke_words(transport, cptr, 72, (first_port, last_port, index, depth), (root,))


def ioport_in(transport: Transport, cptr: int, port: int, width: int) -> Answer:
    """Read the registers at a port.

    seL4: seL4_X86_IOPort_In8, seL4_X86_IOPort_In16, seL4_X86_IOPort_In32
    """
    return invoke_words(transport, cptr, 73, (port, width), ())


def ioport_out(transport: Transport, cptr: int, port: int, width: int, data: int) -> Answer:
    """Write the registers at a port; of `data` only as many bytes count as `width` says.

    seL4: seL4_X86_IOPort_Out8, seL4_X86_IOPort_Out16, seL4_X86_IOPort_Out32
    """
    return invoke_words(transport, cptr, 74, (port, width, data), ())


def domain_set_set(transport: Transport, cptr: int, domain: int, tcb: int) -> Answer:
    """Put a TCB into a domain. One that is ready goes to the end of its queue there.

    seL4: seL4_DomainSet_Set
    """
    return invoke_words(transport, cptr, 52, (domain,), (tcb,))


def domain_set_schedule_configure(
    transport: Transport, cptr: int, index: int, domain: int, duration: int
) -> Answer:
    """Set one entry of the schedule; it counts from its next turn on.

    seL4: seL4_DomainSet_ScheduleConfigure
    """
    return invoke_words(transport, cptr, 53, (index, domain, duration), ())


def domain_set_schedule_set_start(transport: Transport, cptr: int, index: int) -> Answer:
    """Say where the schedule begins, and begin there at once.

    seL4: seL4_DomainSet_ScheduleSetStart
    """
    return invoke_words(transport, cptr, 54, (index,), ())


def frame_map(transport: Transport, cptr: int) -> Answer:
    """Make the memory object openable by the caller's PD; the answer is the segment's name.

    seL4: seL4_X86_Page_Map
    """
    return invoke_words(transport, cptr, 64, (), ())


def frame_unmap(transport: Transport, cptr: int) -> Answer:
    """Give the mapping back; the capability stays.

    seL4: seL4_X86_Page_Unmap
    """
    return invoke_words(transport, cptr, 65, (), ())


def frame_map_in(transport: Transport, cptr: int, vaddr: int, rights: int, vspace: int) -> Answer:
    """Map the memory object in another PD, at an address there: what a pager does about a fault.

    seL4: seL4_X86_Page_Map
    """
    return invoke_words(transport, cptr, 66, (vaddr, rights), (vspace,))


def frame_get_address(transport: Transport, cptr: int) -> Answer:
    """Say where a frame lies in physical memory.

    seL4: seL4_X86_Page_GetAddress
    """
    return invoke_words(transport, cptr, 67, (), ())


def pd_lookup(
    transport: Transport,
    cptr: int,
    *,
    name: Any,
    receive: SlotPath | None = None,
    renewal: int | None = None,
) -> Answer:
    """Find a capability of the PD's environment by its name; without a name, list them all."""
    return invoke_map(transport, cptr, 81, {"name": name}, (), receive, renewal)


def pd_get_work(
    transport: Transport, cptr: int, *, receive: SlotPath | None = None, renewal: int | None = None
) -> Answer:
    """Fetch at most 16 items of work; asking shows that what the caller fetched before is done."""
    return invoke_map(transport, cptr, 82, {}, (), receive, renewal)


def pd_info(
    transport: Transport, cptr: int, *, receive: SlotPath | None = None, renewal: int | None = None
) -> Answer:
    """Look at a PD."""
    return invoke_map(transport, cptr, 83, {}, (), receive, renewal)


def pd_install(
    transport: Transport,
    cptr: int,
    cap: int,
    *,
    name: Any,
    slot: Any,
    rights: Any,
    badge: Any,
    receive: SlotPath | None = None,
    renewal: int | None = None,
) -> Answer:
    """Put a copy of a capability, with a badge if wanted, into a PD's CSpace."""
    return invoke_map(
        transport,
        cptr,
        84,
        {"name": name, "slot": slot, "rights": rights, "badge": badge},
        (cap,),
        receive,
        renewal,
    )


def pd_start(
    transport: Transport, cptr: int, *, receive: SlotPath | None = None, renewal: int | None = None
) -> Answer:
    """Start a PD that was created."""
    return invoke_map(transport, cptr, 85, {}, (), receive, renewal)


def pd_kill(
    transport: Transport,
    cptr: int,
    *,
    signal: Any,
    pd_depth: Any,
    space_depth: Any,
    receive: SlotPath | None = None,
    renewal: int | None = None,
) -> Answer:
    """Kill a PD and wait until it is cleaned up."""
    return invoke_map(
        transport,
        cptr,
        86,
        {"signal": signal, "pd_depth": pd_depth, "space_depth": space_depth},
        (),
        receive,
        renewal,
    )


def pd_crash(
    transport: Transport,
    cptr: int,
    *,
    how: Any,
    after: Any,
    receive: SlotPath | None = None,
    renewal: int | None = None,
) -> Answer:
    """Make a PD crash at its current, next or N-th system call, and wait until it is cleaned up."""
    return invoke_map(transport, cptr, 87, {"how": how, "after": after}, (), receive, renewal)


def pd_suspend(
    transport: Transport, cptr: int, *, receive: SlotPath | None = None, renewal: int | None = None
) -> Answer:
    """Suspend every TCB of a PD."""
    return invoke_map(transport, cptr, 88, {}, (), receive, renewal)


def pd_resume(
    transport: Transport, cptr: int, *, receive: SlotPath | None = None, renewal: int | None = None
) -> Answer:
    """Resume every suspended TCB of a PD."""
    return invoke_map(transport, cptr, 89, {}, (), receive, renewal)


def pd_client(
    transport: Transport,
    cptr: int,
    endpoint: int,
    *,
    badge: Any,
    receive: SlotPath | None = None,
    renewal: int | None = None,
) -> Answer:
    """Say to whom a badge of an endpoint was given, and what the manifest says of its console."""
    return invoke_map(transport, cptr, 80, {"badge": badge}, (endpoint,), receive, renewal)


def pd_link(
    transport: Transport, cptr: int, *, receive: SlotPath | None = None, renewal: int | None = None
) -> Answer:
    """Let a PD die with the caller's: it is killed when the caller's PD ends, however it does."""
    return invoke_map(transport, cptr, 90, {}, (), receive, renewal)


def pd_send(
    transport: Transport,
    cptr: int,
    cap: int,
    *,
    name: Any,
    receive: SlotPath | None = None,
    renewal: int | None = None,
) -> Answer:
    """Send a capability to a PD, which then holds what it names in its own right."""
    return invoke_map(transport, cptr, 91, {"name": name}, (cap,), receive, renewal)


def pd_share_rde(
    transport: Transport,
    cptr: int,
    *,
    type: Any,
    space: Any,
    name: Any,
    receive: SlotPath | None = None,
    renewal: int | None = None,
) -> Answer:
    """Give a PD an RDE that the caller has; one that it has already stays where it is."""
    return invoke_map(
        transport, cptr, 92, {"type": type, "space": space, "name": name}, (), receive, renewal
    )


def pd_remove_rde(
    transport: Transport,
    cptr: int,
    *,
    type: Any,
    space: Any,
    receive: SlotPath | None = None,
    renewal: int | None = None,
) -> Answer:
    """Take RDEs from a PD, and every copy made of them."""
    return invoke_map(transport, cptr, 93, {"type": type, "space": space}, (), receive, renewal)


def pd_rdes(
    transport: Transport, cptr: int, *, receive: SlotPath | None = None, renewal: int | None = None
) -> Answer:
    """List the RDEs of a PD: the spaces it may ask for resources."""
    return invoke_map(transport, cptr, 94, {}, (), receive, renewal)


def pd_finish_work(
    transport: Transport,
    cptr: int,
    *,
    id: Any,
    rows: Any,
    more: Any,
    receive: SlotPath | None = None,
    renewal: int | None = None,
) -> Answer:
    """Say that an item of work is done, and for an extraction what the space is made of."""
    return invoke_map(
        transport, cptr, 95, {"id": id, "rows": rows, "more": more}, (), receive, renewal
    )


def pd_create(
    transport: Transport,
    cptr: int,
    *,
    name: Any,
    run: Any,
    args: Any,
    threads: Any,
    devices: Any,
    serves: Any,
    path: Any,
    faults: Any,
    untyped: Any,
    ads: Any,
    receive: SlotPath | None = None,
) -> Answer:
    """Make a PD that runs a program; it starts with PD_Start."""
    return invoke_map(
        transport,
        cptr,
        96,
        {
            "name": name,
            "run": run,
            "args": args,
            "threads": threads,
            "devices": devices,
            "serves": serves,
            "path": path,
            "faults": faults,
            "untyped": untyped,
            "ads": ads,
        },
        (),
        receive,
    )


def mo_connect(
    transport: Transport, cptr: int, *, pages: Any, receive: SlotPath | None = None
) -> Answer:
    """Make a memory object.

    seL4: seL4_Untyped_Retype
    """
    return invoke_map(transport, cptr, 97, {"pages": pages}, (), receive)


def ep_connect(transport: Transport, cptr: int, *, receive: SlotPath | None = None) -> Answer:
    """Make an endpoint; its capability goes to the receive slot.

    seL4: seL4_Untyped_Retype
    """
    return invoke_map(transport, cptr, 98, {}, (), receive)


def ads_connect(transport: Transport, cptr: int, *, receive: SlotPath | None = None) -> Answer:
    """Make an address space that no PD has yet; its capability goes to the receive slot."""
    return invoke_map(transport, cptr, 99, {}, (), receive)


def cpu_connect(
    transport: Transport, cptr: int, *, thread: Any, receive: SlotPath | None = None
) -> Answer:
    """Take a spare thread of the caller's that nobody has a copy of the capability to.

    seL4: seL4_Untyped_Retype
    """
    return invoke_map(transport, cptr, 100, {"thread": thread}, (), receive)


def resspc_connect(
    transport: Transport,
    cptr: int,
    endpoint: int,
    *,
    type_name: Any,
    client: Any,
    pd_depth: Any,
    space_depth: Any,
    receive: SlotPath | None = None,
) -> Answer:
    """Make a resource space that the caller manages, and give a client its RDE."""
    return invoke_map(
        transport,
        cptr,
        101,
        {
            "type_name": type_name,
            "client": client,
            "pd_depth": pd_depth,
            "space_depth": space_depth,
        },
        (endpoint,),
        receive,
    )


def device_claim(
    transport: Transport, cptr: int, *, slot: Any, receive: SlotPath | None = None
) -> Answer:
    """Take a device: the capability to its interrupt line, which exists once.

    seL4: seL4_IRQControl_Get
    """
    return invoke_map(transport, cptr, 112, {"slot": slot}, (), receive)


def device_ports(
    transport: Transport, cptr: int, *, slot: Any, receive: SlotPath | None = None
) -> Answer:
    """Take a device's registers: the capability to its I/O ports, which exists once.

    seL4: seL4_X86_IOPortControl_Issue
    """
    return invoke_map(transport, cptr, 113, {"slot": slot}, (), receive)


def ads_attach(
    transport: Transport,
    cptr: int,
    frame: int,
    *,
    name: Any,
    rights: Any,
    receive: SlotPath | None = None,
) -> Answer:
    """Attach a memory object to an address space, under a name.

    seL4: seL4_X86_Page_Map
    """
    return invoke_map(transport, cptr, 120, {"name": name, "rights": rights}, (frame,), receive)


def ads_detach(
    transport: Transport, cptr: int, *, name: Any, receive: SlotPath | None = None
) -> Answer:
    """Take an attachment out of an address space, and its memory from every PD that has it so.

    seL4: seL4_X86_Page_Unmap
    """
    return invoke_map(transport, cptr, 121, {"name": name}, (), receive)


def ads_list(transport: Transport, cptr: int, *, receive: SlotPath | None = None) -> Answer:
    """List what is attached to an address space, and which PDs have it."""
    return invoke_map(transport, cptr, 122, {}, (), receive)


def ads_copy(
    transport: Transport, cptr: int, ads: int, *, receive: SlotPath | None = None
) -> Answer:
    """Attach everything that is in one address space to another, under the same names."""
    return invoke_map(transport, cptr, 123, {}, (ads,), receive)


def resspc_map(
    transport: Transport, cptr: int, *, space: Any, receive: SlotPath | None = None
) -> Answer:
    """Say that this space is built on another, which its manager uses."""
    return invoke_map(transport, cptr, 128, {"space": space}, (), receive)


def resspc_create(
    transport: Transport, cptr: int, *, object: Any, receive: SlotPath | None = None
) -> Answer:
    """Make a resource, which nobody holds yet."""
    return invoke_map(transport, cptr, 129, {"object": object}, (), receive)


def resspc_give(
    transport: Transport, cptr: int, *, object: Any, pd: Any, receive: SlotPath | None = None
) -> Answer:
    """Let a PD hold a resource: it gets a capability that this space's server will know it by."""
    return invoke_map(transport, cptr, 130, {"object": object, "pd": pd}, (), receive)


def resspc_revoke(
    transport: Transport,
    cptr: int,
    *,
    object: Any,
    pd: Any,
    count: Any,
    receive: SlotPath | None = None,
) -> Answer:
    """Take a resource from one PD, or let it count less. The manager is not told: it asked."""
    return invoke_map(
        transport, cptr, 131, {"object": object, "pd": pd, "count": count}, (), receive
    )


def resspc_delete(
    transport: Transport, cptr: int, *, object: Any, receive: SlotPath | None = None
) -> Answer:
    """Delete a resource: every hold of every PD goes, however often it counts."""
    return invoke_map(transport, cptr, 132, {"object": object}, (), receive)


def resspc_destroy(transport: Transport, cptr: int, *, receive: SlotPath | None = None) -> Answer:
    """Destroy the space: every resource, hold and RDE in it."""
    return invoke_map(transport, cptr, 133, {}, (), receive)


def resspc_issue(
    transport: Transport, cptr: int, *, pd: Any, name: Any, receive: SlotPath | None = None
) -> Answer:
    """Give a PD an RDE of this space: a capability to ask its server for resources."""
    return invoke_map(transport, cptr, 134, {"pd": pd, "name": name}, (), receive)


def resspc_info(transport: Transport, cptr: int, *, receive: SlotPath | None = None) -> Answer:
    """Look at a space."""
    return invoke_map(transport, cptr, 135, {}, (), receive)
