"""DriverService."""

from collections.abc import AsyncIterator

from volant_admin.driver import operations
from volant_core import rpc
from volantidl.driver import driver_pb2


class DriverServicer:
    """Admin's side of drivers."""

    def __init__(self, drivers: operations.Drivers) -> None:
        """Keep the dependencies."""
        self._drivers = drivers

    async def AddChildren(
        self, request: driver_pb2.AddChildrenRequest, context: rpc.RpcContext
    ) -> driver_pb2.AddChildrenResponse:
        """Add nodes below the driver's."""
        return driver_pb2.AddChildrenResponse(node_ids=await self._drivers.add_children(request))

    async def WatchChildren(
        self, request: driver_pb2.WatchChildrenRequest, context: rpc.RpcContext
    ) -> AsyncIterator[driver_pb2.WatchChildrenResponse]:
        """What becomes of them."""
        async for results in self._drivers.watch_children(request.token):
            yield driver_pb2.WatchChildrenResponse(results=results)
