"""An engine with everything around it: a fake admin over gRPC, a store in a folder, scripted attempts."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import grpc.aio
from engine_admin import FakeAdmin, execution_id, serving
from engine_graphs import literal_map
from engine_world import Store

from volant_core import blobstore, clock, rpc
from volant_engine import service
from volant_engine.launchers import fake, port
from volant_engine.settings import EngineSettings
from volantidl.admin import workflow_pb2 as admin_workflow_pb2
from volantidl.core import errors_pb2, execution_pb2, literals_pb2
from volantidl.dispatch import dispatch_pb2


class Platform:
    """What outlives an engine: admin, store, launcher with its attempts."""

    def __init__(self, root, outcome=None, *, slots: int = 0) -> None:
        self.admin = FakeAdmin()
        self.blobs = blobstore.FolderStore(root, "bucket")
        self.outcome = outcome or sum_plus_one
        self.launcher = fake.FakeLauncher(self._script, time=clock.SystemClock(), slots=slots)
        self.attempts: list[port.Attempt] = []
        self.numbers = 0

    async def _script(self, attempt: port.Attempt) -> fake.Ending:
        self.attempts.append(attempt)
        inputs = literals_pb2.LiteralMap.FromString(await self.blobs.get(attempt.input_uri))
        result = self.outcome(attempt, inputs)
        if asyncio.iscoroutine(result):
            result = await result
        if isinstance(result, literals_pb2.LiteralMap):
            await self.blobs.put(f"{attempt.output_prefix}/outputs.pb", result.SerializeToString())
            return fake.Ending()
        if isinstance(result, errors_pb2.ErrorDocument):
            await self.blobs.put(f"{attempt.output_prefix}/error.pb", result.SerializeToString())
            return fake.Ending()
        if isinstance(result, bytes):
            await self.blobs.put(f"{attempt.output_prefix}/futures.pb", result)
            return fake.Ending()
        if result is None:
            return fake.Ending()
        assert isinstance(result, fake.Ending)
        return result

    @contextlib.asynccontextmanager
    async def serve(self) -> AsyncIterator[grpc.aio.Channel]:
        async with serving(self.admin) as address:
            channel = rpc.connect(address)
            try:
                yield channel
            finally:
                await channel.close()

    @contextlib.asynccontextmanager
    async def engine(self, channel: grpc.aio.Channel, *, catalog: grpc.aio.Channel | None = None, **settings):
        async with service.open_engine(
            admin=channel,
            catalog=catalog or channel,
            blobs=self.blobs,
            launcher=self.launcher,
            settings=EngineSettings(retry_seconds=(0.01, 0.05), **settings),
            clock=clock.SystemClock(),
        ) as engine:
            await engine.attached()
            yield engine

    async def submit(self, closure, inputs=None, *, configure: Callable | None = None) -> int:
        self.numbers += 1
        name = f"exec{self.numbers}"
        uri = f"s3://bucket/metadata/admin/p/d/{closure.primary.template.id.name}/{self.numbers}"
        await self.blobs.put(uri, admin_workflow_pb2.WorkflowClosure(compiled_workflow=closure).SerializeToString())
        assignment = dispatch_pb2.Assignment(
            id=execution_id(name),
            execution=self.numbers,
            epoch=1,
            workflow_id=closure.primary.template.id,
            closure_uri=uri,
            inputs=(inputs or literal_map()).SerializeToString(),
        )
        if configure is not None:
            configure(assignment)
        self.admin.assign(assignment)
        return self.numbers

    async def finish(self, closure, inputs=None, **options) -> Store:
        return await self.admin.ended(await self.submit(closure, inputs, **options))


def sum_plus_one(attempt: port.Attempt, inputs: literals_pb2.LiteralMap) -> literals_pb2.LiteralMap:
    total = 1 + sum(value.scalar.primitive.integer for value in inputs.literals.values())
    return literal_map(**dict.fromkeys(attempt.task.interface.outputs.variables, total))


def user_error(message: str, *, recoverable: bool = False) -> errors_pb2.ErrorDocument:
    return errors_pb2.ErrorDocument(
        error=errors_pb2.ContainerError(
            code="USER:Error",
            message=message,
            kind=errors_pb2.ContainerError.RECOVERABLE if recoverable else errors_pb2.ContainerError.NON_RECOVERABLE,
            origin=execution_pb2.ExecutionError.USER,
        )
    )
