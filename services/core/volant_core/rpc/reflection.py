"""Reflection that shows every service under both names, wherever the real flyteidl may be loaded."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import FileDescriptor
from grpc_reflection.v1alpha import reflection, reflection_pb2

from volant_core.rpc import names
from volant_core.rpc.handlers import Registration, RpcContext, served_names

# The same service, graduated; its messages are the same on the wire. Newer clients ask for it first.
_GRADUATED = "grpc.reflection.v1.ServerReflection"


def pool_of(registrations: Sequence[Registration]) -> descriptor_pool.DescriptorPool:
    """A pool with the files of the registered services, and their copies under Flyte's names.

    Never the default pool: the copies would clash there with the real flyteidl.
    """
    pool = descriptor_pool.DescriptorPool()
    seen: set[str] = set()

    def add(file: FileDescriptor) -> None:
        if file.name in seen:
            return
        seen.add(file.name)
        for dependency in file.dependencies:
            add(dependency)
        parsed = descriptor_pb2.FileDescriptorProto.FromString(file.serialized_pb)
        for message in parsed.message_type:
            _add_json_names(message)
        pool.AddSerializedFile(parsed.SerializeToString())
        renamed = names.as_flytes(parsed)
        if renamed.name != parsed.name:
            pool.AddSerializedFile(renamed.SerializeToString())

    for registration in registrations:
        add(registration.service.file)
    return pool


def _add_json_names(message: descriptor_pb2.DescriptorProto) -> None:
    """Name every field as JSON does: generated Python code drops these names, and clients like grpcurl use them."""
    for field in message.field:
        first, *rest = field.name.split("_")
        field.json_name = first + "".join(part[:1].upper() + part[1:] for part in rest)
    for nested in message.nested_type:
        _add_json_names(nested)


class _Servicer:
    """grpc's reflection servicer, made when the first client asks: the pool costs time and memory."""

    def __init__(self, registrations: Sequence[Registration]) -> None:
        self._registrations = registrations
        self._made: reflection.aio.ReflectionServicer | None = None
        self._lock = asyncio.Lock()

    async def _servicer(self) -> reflection.aio.ReflectionServicer:
        async with self._lock:
            if self._made is None:
                shown = [name for registration in self._registrations for name in served_names(registration)]
                pool = await asyncio.to_thread(pool_of, self._registrations)
                self._made = reflection.aio.ReflectionServicer(shown, pool=pool)
        return self._made

    async def ServerReflectionInfo(  # noqa: N802 - named by the contract
        self, requests: AsyncIterator[reflection_pb2.ServerReflectionRequest], context: RpcContext
    ) -> AsyncIterator[reflection_pb2.ServerReflectionResponse]:
        servicer = await self._servicer()
        async for response in servicer.ServerReflectionInfo(requests, context):
            yield response


def reflection_of(registrations: Sequence[Registration]) -> Registration:
    """The reflection service for `registrations`, which shows itself too."""
    shown = list(registrations)
    made = Registration(
        servicer=_Servicer(shown),
        service=reflection_pb2.DESCRIPTOR.services_by_name["ServerReflection"],
        check_requests=False,
        extra_names=(_GRADUATED,),
    )
    # Shown under its own name only: the pool has no file for the graduated one.
    shown.append(Registration(servicer=made.servicer, service=made.service))
    return made
