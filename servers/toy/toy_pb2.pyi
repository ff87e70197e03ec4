from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ToyError(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TOY_OK: _ClassVar[ToyError]
TOY_OK: ToyError

class ToyAllocMessage(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ToyUseMessage(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ToyFreeMessage(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ToyMessage(_message.Message):
    __slots__ = ("magic", "alloc", "free", "use")
    MAGIC_FIELD_NUMBER: _ClassVar[int]
    ALLOC_FIELD_NUMBER: _ClassVar[int]
    FREE_FIELD_NUMBER: _ClassVar[int]
    USE_FIELD_NUMBER: _ClassVar[int]
    magic: int
    alloc: ToyAllocMessage
    free: ToyFreeMessage
    use: ToyUseMessage
    def __init__(self, magic: _Optional[int] = ..., alloc: _Optional[_Union[ToyAllocMessage, _Mapping[str, object]]] = ..., free: _Optional[_Union[ToyFreeMessage, _Mapping[str, object]]] = ..., use: _Optional[_Union[ToyUseMessage, _Mapping[str, object]]] = ...) -> None: ...

class ToyBasicReturnMessage(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: _Optional[str] = ...) -> None: ...

class ToyAllocReturnMessage(_message.Message):
    __slots__ = ("slot", "id")
    SLOT_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    slot: int
    id: int
    def __init__(self, slot: _Optional[int] = ..., id: _Optional[int] = ...) -> None: ...

class ToyUseReturnMessage(_message.Message):
    __slots__ = ("stack",)
    STACK_FIELD_NUMBER: _ClassVar[int]
    stack: str
    def __init__(self, stack: _Optional[str] = ...) -> None: ...

class ToyReturnMessage(_message.Message):
    __slots__ = ("errorCode", "basic", "alloc", "use")
    ERRORCODE_FIELD_NUMBER: _ClassVar[int]
    BASIC_FIELD_NUMBER: _ClassVar[int]
    ALLOC_FIELD_NUMBER: _ClassVar[int]
    USE_FIELD_NUMBER: _ClassVar[int]
    errorCode: ToyError
    basic: ToyBasicReturnMessage
    alloc: ToyAllocReturnMessage
    use: ToyUseReturnMessage
    def __init__(self, errorCode: _Optional[_Union[ToyError, str]] = ..., basic: _Optional[_Union[ToyBasicReturnMessage, _Mapping[str, object]]] = ..., alloc: _Optional[_Union[ToyAllocReturnMessage, _Mapping[str, object]]] = ..., use: _Optional[_Union[ToyUseReturnMessage, _Mapping[str, object]]] = ...) -> None: ...
