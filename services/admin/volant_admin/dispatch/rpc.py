"""DispatchService."""

import asyncio
from collections.abc import AsyncIterator

from volant_admin.dispatch import dispatcher, loading, recorder, sessions
from volant_core import errors, rpc
from volantidl.dispatch import dispatch_pb2


class DispatchServicer:
    """The engine's side of admin."""

    def __init__(self, dispatcher: dispatcher.Dispatcher, recorder: recorder.Recorder, loader: loading.Loader) -> None:
        """Keep the dependencies."""
        self._dispatcher = dispatcher
        self._recorder = recorder
        self._loader = loader

    async def Attach(self, requests: AsyncIterator[dispatch_pb2.AttachRequest], context: rpc.RpcContext) -> None:
        """Hold an engine's stream open."""
        first = await anext(aiter(requests), None)
        if first is None or first.WhichOneof("message") != "hello":
            raise errors.InvalidArgumentError("the first message must be a hello")
        session = await self._dispatcher.attach(first.hello)
        try:
            async with asyncio.TaskGroup() as tasks:
                reading = tasks.create_task(self._read(session, requests), name=f"dispatch: hear {session.id}")
                while (message := await session.next_message()) is not None:
                    await context.write(message)
                reading.cancel()
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from group
        finally:
            self._dispatcher.lost(session)
        if session.error is not None:
            raise session.error

    async def _read(self, session: sessions.Session, requests: AsyncIterator[dispatch_pb2.AttachRequest]) -> None:
        try:
            async for request in requests:
                match request.WhichOneof("message"):
                    case "heartbeat":
                        await self._dispatcher.renew(session)
                    case "detach":
                        await self._dispatcher.detach(session)
                        return
                    case "hello":
                        raise errors.InvalidArgumentError("a hello must be the first message, and only the first")
                    case _:
                        raise errors.InvalidArgumentError("an empty message on the Attach stream")
        except errors.VolantError as error:
            session.close(error)
        else:
            session.close()

    async def LoadExecution(
        self, request: dispatch_pb2.LoadExecutionRequest, context: rpc.RpcContext
    ) -> AsyncIterator[dispatch_pb2.LoadExecutionResponse]:
        """Everything recorded of an execution."""
        async for piece in self._loader.load(request.id):
            yield piece

    async def Report(self, request: dispatch_pb2.ReportRequest, context: rpc.RpcContext) -> dispatch_pb2.ReportResponse:
        """Record what happened."""
        return await self._recorder.report(request)
