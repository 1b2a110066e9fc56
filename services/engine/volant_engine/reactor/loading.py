"""Getting an execution ready: its compiled workflow (kept for the next one), its inputs, what is recorded of it."""

import asyncio
import collections
import contextlib
import dataclasses

from google.protobuf.message import DecodeError

from volant_core import errors
from volant_core.blobstore.port import BlobStore
from volant_core.rpc import client
from volant_engine.decide import graphs, state
from volantidl.admin import execution_pb2 as admin_execution_pb2
from volantidl.admin import workflow_pb2 as admin_workflow_pb2
from volantidl.core import compiler_pb2, execution_pb2, identifier_pb2, literals_pb2
from volantidl.dispatch import dispatch_pb2, dispatch_pb2_grpc

_LARGE = 256 * 1024
"""Bytes from which a closure is parsed in a thread."""


class BrokenError(Exception):
    """The execution cannot be driven."""

    def __init__(self, code: str, message: str) -> None:
        """A fault of the system, said as an execution error."""
        super().__init__(message)
        self.error = execution_pb2.ExecutionError(code=code, message=message, kind=execution_pb2.ExecutionError.SYSTEM)


class Closures:
    """Compiled workflows by URI: fetched once, indexed once, the least recently used dropped."""

    def __init__(self, blobs: BlobStore, most: int) -> None:
        """Keep up to `most`."""
        self._blobs = blobs
        self._most = most
        self._loaded: collections.OrderedDict[str, graphs.Library] = collections.OrderedDict()
        self._locks: dict[str, asyncio.Lock] = {}

    async def library(self, uri: str, *, registered: bool = True) -> graphs.Library:
        """The workflow whose closure is at `uri` (as admin registers it, or as the bare compiled closure)."""
        found = self._loaded.get(uri)
        if found is not None:
            self._loaded.move_to_end(uri)
            return found
        lock = self._locks.setdefault(uri, asyncio.Lock())
        async with lock:
            if uri not in self._loaded:
                data = await self._read(uri)
                index = asyncio.to_thread(_index, data, registered) if len(data) > _LARGE else _later(data, registered)
                try:
                    self.keep(uri, await index)
                except (DecodeError, graphs.GraphError) as broken:
                    raise BrokenError("WorkflowClosureBroken", f"{uri}: {broken}") from broken
        self._locks.pop(uri, None)
        return self._loaded[uri]

    async def _read(self, uri: str) -> bytes:
        try:
            return await self._blobs.get(uri)
        except errors.NotFoundError as missing:
            raise BrokenError("WorkflowClosureMissing", f"the compiled workflow is not at {uri}") from missing

    def keep(self, uri: str, library: graphs.Library) -> None:
        """Keep a workflow that was compiled just now."""
        self._loaded[uri] = library
        self._loaded.move_to_end(uri)
        while len(self._loaded) > self._most:
            self._loaded.popitem(last=False)


def _index(data: bytes, registered: bool) -> graphs.Library:
    if registered:
        closure = admin_workflow_pb2.WorkflowClosure.FromString(data).compiled_workflow
    else:
        closure = compiler_pb2.CompiledWorkflowClosure.FromString(data)
    return graphs.Library(closure)


async def _later(data: bytes, registered: bool) -> graphs.Library:
    return _index(data, registered)


def _facts(parts: list[dispatch_pb2.LoadExecutionResponse]) -> dict[str, dict[str, str]]:
    """What the tasks of an execution ran with, by node."""
    return {
        task.node_id: {name: value.string_value for name, value in task.custom_info.fields.items()}
        for part in parts
        for task in part.tasks
    }


@dataclasses.dataclass(frozen=True, slots=True)
class Loaded:
    """An execution that is ready to be driven."""

    run: state.Run
    recorded: list[dispatch_pb2.LoadExecutionResponse]
    source: list[dispatch_pb2.NodeRecord]
    former_facts: dict[str, dict[str, str]]
    driven: list[graphs.Driven]


class Loader:
    """Loads executions."""

    def __init__(
        self, blobs: BlobStore, closures: Closures, stub: "dispatch_pb2_grpc.DispatchServiceAsyncStub", value_bytes: int
    ) -> None:
        """Read inputs up to `value_bytes` from `blobs`, records by `stub`."""
        self._blobs = blobs
        self._closures = closures
        self._stub = stub
        self._value_bytes = value_bytes
        self._bucket = blobs.join("x").removesuffix("/x")

    async def load(self, assignment: dispatch_pb2.Assignment, limits: state.Limits) -> Loaded:
        """Everything that driving it needs.

        Raises:
            BrokenError: something of it is missing or unreadable, for good.
            VolantError: something is away for now.
        """
        library = await self._closures.library(assignment.closure_uri)
        inputs = await self._inputs(assignment)
        identity = state.Identity(assignment.id, assignment.spec, self._bucket)
        run = state.Run(identity, library.primary, inputs, assignment.inputs_uri, limits)
        recorded = await self._records(assignment.id) if assignment.resumed else []
        driven = [await self.driven(child) for part in recorded for child in part.children]
        source: list[dispatch_pb2.NodeRecord] = []
        former: list[dispatch_pb2.LoadExecutionResponse] = []
        metadata = assignment.spec.metadata
        if assignment.HasField("recover_from"):
            former = await self._records(assignment.recover_from)
            source = [record for part in former for record in part.nodes]
        elif metadata.mode == admin_execution_pb2.ExecutionMetadata.RELAUNCH:
            with contextlib.suppress(errors.NotFoundError):
                former = await self._records(metadata.reference_execution)
        return Loaded(run, recorded, source, _facts(former), driven)

    async def driven(self, child: dispatch_pb2.DriverChild) -> graphs.Driven:
        """A node that a driver has added; raises as `load`."""
        library = await self._closures.library(child.closure_uri, registered=False)
        try:
            # Empty inputs have no bytes, and are at no URI.
            inputs = None if child.inputs_uri else literals_pb2.LiteralMap.FromString(child.inputs)
        except DecodeError as broken:
            raise BrokenError("InputsBadFormat", f"the inputs of {child.key} are no literal map: {broken}") from broken
        return graphs.Driven(child.parent_node_id, child.node_id, child.key, library, inputs, child.inputs_uri)

    async def _inputs(self, assignment: dispatch_pb2.Assignment) -> literals_pb2.LiteralMap:
        data = assignment.inputs
        try:
            if not data and assignment.inputs_uri:
                data = await self._blobs.get(assignment.inputs_uri, limit=self._value_bytes)
            return literals_pb2.LiteralMap.FromString(data)
        except errors.NotFoundError as missing:
            raise BrokenError("InputsNotFound", f"there are no inputs at {assignment.inputs_uri}") from missing
        except errors.ResourceExhaustedError as large:
            raise BrokenError("InputsTooLarge", large.message) from large
        except DecodeError as broken:
            raise BrokenError("InputsBadFormat", f"the inputs are no literal map: {broken}") from broken

    async def _records(
        self, execution: identifier_pb2.WorkflowExecutionIdentifier
    ) -> list[dispatch_pb2.LoadExecutionResponse]:
        request = dispatch_pb2.LoadExecutionRequest(id=execution)
        with client.peer_errors():
            return [part async for part in self._stub.LoadExecution(request)]
