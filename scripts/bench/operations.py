"""The programs of `bench idl`: one operation asked in three ways. The stub's server is the calc
server that comes with caplab.
"""

from functools import partial
from struct import Struct
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from caplab.pd.env import Env
from caplab.scripts.bench.programs import UART, typed
from caplab.scripts.bench.sampling import Trip, p50, sampled
from caplab.servers.calc import client_Calc

LEFT, RIGHT = 20, 22
_REQUEST, _ANSWER = Struct("<Qqq"), Struct("<q")
_INT32 = descriptor_pb2.FieldDescriptorProto.TYPE_INT32


def raw(env: Env) -> None:
    """Answers every message with as many bytes as the answer of Calc.add has."""
    endpoint = env.endpoint("server")
    answer = _ANSWER.pack(LEFT + RIGHT)
    endpoint.recv()
    while True:
        endpoint.reply_recv(0, answer)


def protobuf(env: Env) -> None:
    """Adds, as the plainest server with protobuf messages does."""
    request_type, answer_type = messages()
    endpoint = env.endpoint("server")
    message = endpoint.recv()
    while True:
        request = request_type.FromString(message.data)
        answer = answer_type(result=request.left + request.right)
        message = endpoint.reply_recv(0, answer.SerializeToString())


def caller(env: Env) -> None:
    """Answers every line on its console, a way and a number of calls, with their p50."""
    trips: dict[str, Trip] = {
        "stub": partial(client_Calc(env.endpoint("stub")).add, LEFT, RIGHT),
        "raw": partial(env.endpoint("raw").call, 0, _REQUEST.pack(0, LEFT, RIGHT)),
        "protobuf": by_protobuf(env),
    }
    for trip in trips.values():
        trip()
    uart = env.device(UART)
    uart.write(b"ready\n")
    for line in typed(env):
        way, count = line.decode().split()
        uart.write(b"p50 %.3f\n" % p50(sampled(trips[way], int(count))))


def by_protobuf(env: Env) -> Trip:
    """The operation through protobuf; its result is looked at, as a caller would."""
    request_type, answer_type = messages()
    call = env.endpoint("protobuf").call

    def add() -> int:
        request = request_type(left=LEFT, right=RIGHT)
        result: int = answer_type.FromString(call(0, request.SerializeToString()).data).result
        return result

    return add


def messages() -> tuple[Any, Any]:
    """The two messages of the operation: classes as the compiler of protobuf makes them."""
    file = descriptor_pb2.FileDescriptorProto(name="bench_add.proto", syntax="proto3")
    for name, fields in (("Add", ("left", "right")), ("Sum", ("result",))):
        message = file.message_type.add(name=name)
        for number, field in enumerate(fields, 1):
            message.field.add(name=field, number=number, type=_INT32, label=1)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    made = [message_factory.GetMessageClass(pool.FindMessageTypeByName(n)) for n in ("Add", "Sum")]
    return made[0], made[1]
