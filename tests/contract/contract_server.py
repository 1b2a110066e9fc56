# ruff: noqa: N802 - methods are named by the contract
"""A server for these tests: a few methods with known behaviour, each named by what it does."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import grpc.aio
import pytest
from google.protobuf import duration_pb2

from volant_core import errors, rpc
from volantidl.admin import common_pb2, event_pb2, execution_pb2, project_pb2, task_pb2, version_pb2, workflow_pb2
from volantidl.datacatalog import datacatalog_pb2
from volantidl.dispatch import dispatch_pb2
from volantidl.service import admin_pb2, admin_pb2_grpc, agent_pb2


class Admin(admin_pb2_grpc.AdminServiceServicer):
    """Answers by the name that it is asked for."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.request_ids: list[str | None] = []

    async def GetVersion(self, request: Any, context: rpc.RpcContext) -> version_pb2.GetVersionResponse:
        self.request_ids.append(rpc.current_request_id())
        return version_pb2.GetVersionResponse(control_plane_version=version_pb2.Version(Version="test"))

    async def CreateTask(self, request: task_pb2.TaskCreateRequest, context: rpc.RpcContext) -> Any:
        return task_pb2.TaskCreateResponse()

    async def GetTask(self, request: common_pb2.ObjectGetRequest, context: rpc.RpcContext) -> task_pb2.Task:
        await getattr(self, "_" + (request.id.name or "echo"))(request, context)
        return task_pb2.Task(id=request.id)

    async def _echo(self, request: Any, context: rpc.RpcContext) -> None:
        return

    async def _bug(self, request: Any, context: rpc.RpcContext) -> None:
        raise ValueError("secret detail")

    async def _unset(self, request: Any, context: rpc.RpcContext) -> None:
        raise NotImplementedError

    async def _group(self, request: Any, context: rpc.RpcContext) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._missing(request, context))

    async def _missing(self, request: Any, context: rpc.RpcContext) -> None:
        raise errors.NotFoundError("no such task")

    async def _aborts(self, request: Any, context: rpc.RpcContext) -> None:
        await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not now")

    async def _long(self, request: Any, context: rpc.RpcContext) -> None:
        raise errors.InvalidArgumentError("é" * 40_000, common_pb2.NamedEntityIdentifier(name="dropped"))

    async def _hangs(self, request: Any, context: rpc.RpcContext) -> None:
        self.started.set()
        await asyncio.Event().wait()

    async def _inner(self, request: Any, context: rpc.RpcContext) -> None:
        task = asyncio.ensure_future(asyncio.Event().wait())
        task.cancel()
        await task

    async def _large(self, request: common_pb2.ObjectGetRequest, context: rpc.RpcContext) -> None:
        request.id.name = "x" * (65 * 1024 * 1024)

    async def CreateWorkflow(self, request: Any, context: rpc.RpcContext) -> Any:
        reason = workflow_pb2.CreateWorkflowFailureReason()
        reason.exists_identical_structure.id.name = "again"
        raise errors.AlreadyExistsError("workflow with identical structure already exists", reason)

    async def CreateNodeEvent(self, request: Any, context: rpc.RpcContext) -> Any:
        reason = event_pb2.EventFailureReason()
        reason.already_in_terminal_state.current_phase = "SUCCEEDED"
        raise errors.FailedPreconditionError("already ended", reason)

    async def UpdateProject(self, request: project_pb2.Project, context: rpc.RpcContext) -> Any:
        raise errors.InvalidArgumentError("project [x] is not active", project_pb2.InactiveProject(id="x"))

    async def CreateExecution(self, request: Any, context: rpc.RpcContext) -> Any:
        return execution_pb2.ExecutionCreateResponse()


class Dispatch:
    """A two-way stream that ends only when a side leaves, and a stream that ends by itself."""

    def __init__(self) -> None:
        self.attached = asyncio.Event()

    async def Attach(self, requests: AsyncIterator[Any], context: rpc.RpcContext) -> AsyncIterator[Any]:
        yield dispatch_pb2.AttachResponse(welcome=dispatch_pb2.Welcome(lease=duration_pb2.Duration(seconds=30)))
        self.attached.set()
        async for request in requests:
            if request.HasField("detach"):
                return

    async def LoadExecution(self, request: Any, context: rpc.RpcContext) -> AsyncIterator[Any]:
        for index in range(3):
            if request.id.name == "breaks" and index == 2:
                raise errors.UnavailableError("gone")
            yield dispatch_pb2.LoadExecutionResponse(nodes=[dispatch_pb2.NodeRecord(node_id=f"n{index}")])


class Catalog:
    """One method, to be called as `datacatalog.DataCatalog`."""

    async def GetDataset(self, request: Any, context: rpc.RpcContext) -> Any:
        return datacatalog_pb2.GetDatasetResponse(dataset=datacatalog_pb2.Dataset(id=request.dataset))


class Served:
    """The running server, what is behind it, and what its observer saw."""

    def __init__(self) -> None:
        self.admin = Admin()
        self.dispatch = Dispatch()
        self.observed: list[tuple[str, str]] = []
        self.ended = asyncio.Event()
        self.scopes: list[str] = []
        self.address = ""
        self.server: rpc.RunningServer | None = None

    def registrations(self) -> list[rpc.Registration]:
        return [
            rpc.Registration(self.admin, admin_pb2.DESCRIPTOR.services_by_name["AdminService"]),
            rpc.Registration(self.dispatch, dispatch_pb2.DESCRIPTOR.services_by_name["DispatchService"]),
            rpc.Registration(Catalog(), datacatalog_pb2.DESCRIPTOR.services_by_name["DataCatalog"]),
            rpc.Registration(object(), agent_pb2.DESCRIPTOR.services_by_name["SyncAgentService"]),
        ]

    def observe(self, method: str, code: str, seconds: float) -> None:
        assert seconds >= 0
        self.observed.append((method, code))
        self.ended.set()

    async def saw(self, calls: int) -> list[tuple[str, str]]:
        """What the observer saw, once it was told of this many calls: an answer may be here before that."""
        async with asyncio.timeout(5):
            while len(self.observed) < calls:
                self.ended.clear()
                await self.ended.wait()
        return self.observed

    @contextlib.contextmanager
    def scope(self, method: str, context: rpc.RpcContext) -> Any:
        self.scopes.append(method)
        yield

    async def start(self, settings: rpc.ServerSettings | None = None) -> None:
        self.server = await rpc.serve(
            self.registrations(),
            ["127.0.0.1:0"],
            settings,
            observer=self.observe,
            scope=self.scope,
        )
        (self.address,) = self.server.addresses


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    """A server with default settings."""
    made = Served()
    await made.start()
    yield made
    assert made.server is not None
    await made.server.stop(grace=0)


@pytest.fixture
async def channel(served: Served) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to it."""
    async with rpc.connect(served.address) as made:
        yield made
