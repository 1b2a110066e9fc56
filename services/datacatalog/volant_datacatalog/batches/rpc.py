"""CacheBatchService."""

from volant_core import rpc
from volant_datacatalog import keys
from volant_datacatalog.batches import operations
from volant_datacatalog.reservations import operations as reservations
from volantidl.catalog import catalog_pb2


class CacheBatchServicer:
    """The RPCs of the batch service."""

    def __init__(self, batches: operations.Batches, reservations: reservations.Reservations) -> None:
        """Keep the operations."""
        self._batches = batches
        self._reservations = reservations

    async def Lookup(self, request: catalog_pb2.LookupRequest, context: rpc.RpcContext) -> catalog_pb2.LookupResponse:
        return catalog_pb2.LookupResponse(results=await self._batches.look_up(request.queries))

    async def Put(self, request: catalog_pb2.PutRequest, context: rpc.RpcContext) -> catalog_pb2.PutResponse:
        return catalog_pb2.PutResponse(results=await self._batches.put(request.entries))

    async def Reserve(
        self, request: catalog_pb2.ReserveRequest, context: rpc.RpcContext
    ) -> catalog_pb2.ReserveResponse:
        self._batches.check_size(len(request.claims))
        wanted = [
            reservations.Wanted(
                operations.place(claim.key),
                keys.need(claim.owner_id, "owner_id"),
                self._reservations.heartbeat(
                    claim.heartbeat_interval if claim.HasField("heartbeat_interval") else None
                ),
            )
            for claim in request.claims
        ]
        return catalog_pb2.ReserveResponse(results=[_result(held) for held in await self._reservations.take(wanted)])

    async def Release(
        self, request: catalog_pb2.ReleaseRequest, context: rpc.RpcContext
    ) -> catalog_pb2.ReleaseResponse:
        self._batches.check_size(len(request.releases))
        given = [(operations.place(one.key), keys.need(one.owner_id, "owner_id")) for one in request.releases]
        await self._reservations.release(given)
        return catalog_pb2.ReleaseResponse()


def _result(held: reservations.Held) -> catalog_pb2.ReservationResult:
    result = catalog_pb2.ReservationResult(acquired=held.acquired, owner_id=held.owner_id)
    result.expires_at.FromDatetime(held.expires_at)
    result.heartbeat_interval.FromTimedelta(held.heartbeat)
    return result
