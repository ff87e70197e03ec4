from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SampleError(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SAMPLE_OK: _ClassVar[SampleError]
    SAMPLE_NO_ROOM: _ClassVar[SampleError]
SAMPLE_OK: SampleError
SAMPLE_NO_ROOM: SampleError

class SampleAllocMessage(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class SampleInvokeMessage(_message.Message):
    __slots__ = ("x", "y")
    X_FIELD_NUMBER: _ClassVar[int]
    Y_FIELD_NUMBER: _ClassVar[int]
    x: int
    y: int
    def __init__(self, x: _Optional[int] = ..., y: _Optional[int] = ...) -> None: ...

class SampleFreeMessage(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class SampleMessage(_message.Message):
    __slots__ = ("magic", "alloc", "free", "invoke")
    MAGIC_FIELD_NUMBER: _ClassVar[int]
    ALLOC_FIELD_NUMBER: _ClassVar[int]
    FREE_FIELD_NUMBER: _ClassVar[int]
    INVOKE_FIELD_NUMBER: _ClassVar[int]
    magic: int
    alloc: SampleAllocMessage
    free: SampleFreeMessage
    invoke: SampleInvokeMessage
    def __init__(self, magic: _Optional[int] = ..., alloc: _Optional[_Union[SampleAllocMessage, _Mapping[str, object]]] = ..., free: _Optional[_Union[SampleFreeMessage, _Mapping[str, object]]] = ..., invoke: _Optional[_Union[SampleInvokeMessage, _Mapping[str, object]]] = ...) -> None: ...

class SampleBasicReturnMessage(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: _Optional[str] = ...) -> None: ...

class SampleAllocReturnMessage(_message.Message):
    __slots__ = ("slot", "id")
    SLOT_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    slot: int
    id: int
    def __init__(self, slot: _Optional[int] = ..., id: _Optional[int] = ...) -> None: ...

class SampleInvokeReturnMessage(_message.Message):
    __slots__ = ("result",)
    RESULT_FIELD_NUMBER: _ClassVar[int]
    result: str
    def __init__(self, result: _Optional[str] = ...) -> None: ...

class SampleReturnMessage(_message.Message):
    __slots__ = ("errorCode", "basic", "alloc", "invoke")
    ERRORCODE_FIELD_NUMBER: _ClassVar[int]
    BASIC_FIELD_NUMBER: _ClassVar[int]
    ALLOC_FIELD_NUMBER: _ClassVar[int]
    INVOKE_FIELD_NUMBER: _ClassVar[int]
    errorCode: SampleError
    basic: SampleBasicReturnMessage
    alloc: SampleAllocReturnMessage
    invoke: SampleInvokeReturnMessage
    def __init__(self, errorCode: _Optional[_Union[SampleError, str]] = ..., basic: _Optional[_Union[SampleBasicReturnMessage, _Mapping[str, object]]] = ..., alloc: _Optional[_Union[SampleAllocReturnMessage, _Mapping[str, object]]] = ..., invoke: _Optional[_Union[SampleInvokeReturnMessage, _Mapping[str, object]]] = ...) -> None: ...
