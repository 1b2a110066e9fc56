"""What only our own engines may call: asked for a token, on every port."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import grpc
import grpc.aio
import pytest
from google.protobuf import message_factory
from google.protobuf.message import Message
from tests.server.conftest import PEER_TOKEN

from volant_core import errors, rpc
from volant_server import embedded
from volantidl.catalog import catalog_pb2, catalog_pb2_grpc
from volantidl.datacatalog import datacatalog_pb2, datacatalog_pb2_grpc
from volantidl.dispatch import dispatch_pb2, dispatch_pb2_grpc

METHODS = [
    method
    for service in (
        dispatch_pb2.DESCRIPTOR.services_by_name["DispatchService"],
        catalog_pb2.DESCRIPTOR.services_by_name["CacheBatchService"],
    )
    for method in service.methods
]
STUBS = {
    "DispatchService": dispatch_pb2_grpc.DispatchServiceStub,
    "CacheBatchService": catalog_pb2_grpc.CacheBatchServiceStub,
}


async def answered(channel: grpc.aio.Channel, method, token: str) -> None:
    stub = rpc.proving(STUBS[method.containing_service.name](channel), token)
    request = message_factory.GetMessageClass(method.input_type)()

    async def requests() -> AsyncIterator[Message]:
        if token != PEER_TOKEN:
            await asyncio.Event().wait()  # a request that crosses its refusal makes grpc.aio's client say INTERNAL
        yield request

    call = getattr(stub, method.name)(requests() if method.client_streaming else request, timeout=20)
    if method.server_streaming:
        async for _ in call:
            pass
    else:
        await call


async def test_no_stranger_plays_an_engine(running: embedded.Running) -> None:
    # gRPC's own port, the one for everything, and the socket behind it.
    for address in (*running.addresses.grpc, running.addresses.internal):
        async with grpc.aio.insecure_channel(address) as channel:
            for method in METHODS:
                for token, cause in (("", "no token came"), ("another", "is not that of this server")):
                    with pytest.raises(grpc.aio.AioRpcError) as refused:
                        await answered(channel, method, token)
                    assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED, (address, method.full_name)
                    assert cause in (refused.value.details() or "")
                    assert "peers.token (VOLANT_PEERS__TOKEN)" in (refused.value.details() or "")
                with contextlib.suppress(errors.InvalidArgumentError, errors.NotFoundError), rpc.peer_errors():
                    await answered(channel, method, PEER_TOKEN)
            # Flyte's own are open, as Flyte's are.
            with contextlib.suppress(errors.InvalidArgumentError):
                request = datacatalog_pb2.ListDatasetsRequest()
                await rpc.call(datacatalog_pb2_grpc.DataCatalogStub(channel).ListDatasets(request))
