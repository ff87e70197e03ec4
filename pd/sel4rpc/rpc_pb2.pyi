from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RpcError(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RPC_OK: _ClassVar[RpcError]
    RPC_OUTSIDE_RANGE: _ClassVar[RpcError]
    RPC_UNKNOWN_REQUEST: _ClassVar[RpcError]
    RPC_MALFORMED: _ClassVar[RpcError]
    RPC_NOT_ANSWERED: _ClassVar[RpcError]
    RPC_NO_SUCH_COOKIE: _ClassVar[RpcError]
    RPC_NOT_THE_PARENTS: _ClassVar[RpcError]
    RPC_NO_SLOTS: _ClassVar[RpcError]

class Action(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ALLOCATE: _ClassVar[Action]
    FREE: _ClassVar[Action]
RPC_OK: RpcError
RPC_OUTSIDE_RANGE: RpcError
RPC_UNKNOWN_REQUEST: RpcError
RPC_MALFORMED: RpcError
RPC_NOT_ANSWERED: RpcError
RPC_NO_SUCH_COOKIE: RpcError
RPC_NOT_THE_PARENTS: RpcError
RPC_NO_SLOTS: RpcError
ALLOCATE: Action
FREE: Action

class RpcReturn(_message.Message):
    __slots__ = ("errorCode", "cookie", "reason", "caps")
    ERRORCODE_FIELD_NUMBER: _ClassVar[int]
    COOKIE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    CAPS_FIELD_NUMBER: _ClassVar[int]
    errorCode: int
    cookie: int
    reason: str
    caps: int
    def __init__(self, errorCode: _Optional[int] = ..., cookie: _Optional[int] = ..., reason: _Optional[str] = ..., caps: _Optional[int] = ...) -> None: ...

class RpcMemory(_message.Message):
    __slots__ = ("address", "size_bits", "type", "action")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    SIZE_BITS_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    address: int
    size_bits: int
    type: int
    action: Action
    def __init__(self, address: _Optional[int] = ..., size_bits: _Optional[int] = ..., type: _Optional[int] = ..., action: _Optional[_Union[Action, str]] = ...) -> None: ...

class RpcIrqMsi(_message.Message):
    __slots__ = ("pci_bus", "pci_dev", "pci_func", "handle", "vector")
    PCI_BUS_FIELD_NUMBER: _ClassVar[int]
    PCI_DEV_FIELD_NUMBER: _ClassVar[int]
    PCI_FUNC_FIELD_NUMBER: _ClassVar[int]
    HANDLE_FIELD_NUMBER: _ClassVar[int]
    VECTOR_FIELD_NUMBER: _ClassVar[int]
    pci_bus: int
    pci_dev: int
    pci_func: int
    handle: int
    vector: int
    def __init__(self, pci_bus: _Optional[int] = ..., pci_dev: _Optional[int] = ..., pci_func: _Optional[int] = ..., handle: _Optional[int] = ..., vector: _Optional[int] = ...) -> None: ...

class RpcIrqIoapic(_message.Message):
    __slots__ = ("ioapic", "pin", "level", "polarity", "vector")
    IOAPIC_FIELD_NUMBER: _ClassVar[int]
    PIN_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    POLARITY_FIELD_NUMBER: _ClassVar[int]
    VECTOR_FIELD_NUMBER: _ClassVar[int]
    ioapic: int
    pin: int
    level: int
    polarity: int
    vector: int
    def __init__(self, ioapic: _Optional[int] = ..., pin: _Optional[int] = ..., level: _Optional[int] = ..., polarity: _Optional[int] = ..., vector: _Optional[int] = ...) -> None: ...

class RpcIrqSimple(_message.Message):
    __slots__ = ("setTrigger", "irq", "trigger")
    SETTRIGGER_FIELD_NUMBER: _ClassVar[int]
    IRQ_FIELD_NUMBER: _ClassVar[int]
    TRIGGER_FIELD_NUMBER: _ClassVar[int]
    setTrigger: bool
    irq: int
    trigger: int
    def __init__(self, setTrigger: _Optional[bool] = ..., irq: _Optional[int] = ..., trigger: _Optional[int] = ...) -> None: ...

class RpcIrq(_message.Message):
    __slots__ = ("msi", "ioapic", "simple")
    MSI_FIELD_NUMBER: _ClassVar[int]
    IOAPIC_FIELD_NUMBER: _ClassVar[int]
    SIMPLE_FIELD_NUMBER: _ClassVar[int]
    msi: RpcIrqMsi
    ioapic: RpcIrqIoapic
    simple: RpcIrqSimple
    def __init__(self, msi: _Optional[_Union[RpcIrqMsi, _Mapping[str, object]]] = ..., ioapic: _Optional[_Union[RpcIrqIoapic, _Mapping[str, object]]] = ..., simple: _Optional[_Union[RpcIrqSimple, _Mapping[str, object]]] = ...) -> None: ...

class RpcIoPort(_message.Message):
    __slots__ = ("start", "end")
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    start: int
    end: int
    def __init__(self, start: _Optional[int] = ..., end: _Optional[int] = ...) -> None: ...

class RpcMessage(_message.Message):
    __slots__ = ("ret", "memory", "irq", "ioport")
    RET_FIELD_NUMBER: _ClassVar[int]
    MEMORY_FIELD_NUMBER: _ClassVar[int]
    IRQ_FIELD_NUMBER: _ClassVar[int]
    IOPORT_FIELD_NUMBER: _ClassVar[int]
    ret: RpcReturn
    memory: RpcMemory
    irq: RpcIrq
    ioport: RpcIoPort
    def __init__(self, ret: _Optional[_Union[RpcReturn, _Mapping[str, object]]] = ..., memory: _Optional[_Union[RpcMemory, _Mapping[str, object]]] = ..., irq: _Optional[_Union[RpcIrq, _Mapping[str, object]]] = ..., ioport: _Optional[_Union[RpcIoPort, _Mapping[str, object]]] = ...) -> None: ...
