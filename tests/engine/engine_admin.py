"""An admin in memory: DispatchService, the executions and signals that an engine asks for, over real gRPC."""

# ruff: noqa: N802 -- the names are the contract's

import asyncio
import contextlib
from collections.abc import AsyncIterator

from engine_world import Store
from google.protobuf import duration_pb2

from volant_core import errors, rpc
from volant_core.model import phases
from volantidl.admin import execution_pb2 as admin_execution_pb2
from volantidl.admin import signal_pb2
from volantidl.core import execution_pb2, identifier_pb2
from volantidl.dispatch import dispatch_pb2
from volantidl.service import admin_pb2
from volantidl.service import signal_pb2 as signal_service_pb2


class FakeAdmin:
    def __init__(self, lease: float = 30.0) -> None:
        self.lease = lease
        self.driven: dict[int, list[dispatch_pb2.DriverChild]] = {}
        """What drivers added, by execution."""
        self.assignments: dict[int, dispatch_pb2.Assignment] = {}
        self.stores: dict[int, Store] = {}
        self.changed = asyncio.Condition()
        self.outbox: asyncio.Queue | None = None
        self.session = ""
        self.reports = 0
        self.lose = 0
        """Reports to be recorded but not answered."""
        self.fail = 0
        """Reports to be neither."""
        self.faulty = 0
        """Reports to be answered with INTERNAL."""
        self.unfit = ""
        """The execution whose records can't be recorded."""
        self.largest = 0
        self.children: dict[str, admin_execution_pb2.ExecutionCreateRequest] = {}
        self.refuse: errors.VolantError | None = None
        """How creating a child is answered."""
        self.recovered: list[admin_execution_pb2.ExecutionRecoverRequest] = []
        self.terminated: list[admin_execution_pb2.ExecutionTerminateRequest] = []
        self.executions: dict[str, admin_execution_pb2.Execution] = {}
        self.signals: dict[str, signal_pb2.Signal] = {}
        self.detached = asyncio.Event()

    async def Attach(self, requests, context):
        hello = (await anext(aiter(requests))).hello
        outbox: asyncio.Queue = asyncio.Queue()
        self.outbox, self.session = outbox, hello.session
        yield dispatch_pb2.AttachResponse(
            welcome=dispatch_pb2.Welcome(lease=duration_pb2.Duration(nanos=0, seconds=int(self.lease)))
        )
        for number, assignment in self.assignments.items():
            if self.stores[number].execution.phase not in phases.TERMINAL_EXECUTION:
                again = dispatch_pb2.Assignment()
                again.CopyFrom(assignment)
                again.resumed = bool(self.stores[number].nodes)
                yield dispatch_pb2.AttachResponse(assignment=again)

        async def listen() -> None:
            async for request in requests:
                if request.WhichOneof("message") == "detach":
                    self.detached.set()
                    outbox.put_nowait(None)

        async with asyncio.TaskGroup() as group:
            listening = group.create_task(listen())
            while (message := await outbox.get()) is not None:
                yield message
            listening.cancel()

    def push(self, **message) -> None:
        if self.outbox is not None:
            self.outbox.put_nowait(dispatch_pb2.AttachResponse(**message))

    def assign(self, assignment: dispatch_pb2.Assignment) -> Store:
        store = self.stores.setdefault(assignment.execution, Store())
        self.assignments[assignment.execution] = assignment
        self.push(assignment=assignment)
        return store

    def add_children(self, number: int, *children: dispatch_pb2.DriverChild) -> None:
        self.driven.setdefault(number, []).extend(children)
        self.push(added=dispatch_pb2.ChildrenAdded(id=self.assignments[number].id, children=children))

    async def LoadExecution(self, request, context):
        for number, assignment in self.assignments.items():
            if assignment.id == request.id:
                store = self.stores[number]
                for part in store.load():
                    yield part
                ended = {key for key, node in store.nodes.items() if node.phase in phases.TERMINAL_NODE}
                children = [child for child in self.driven.get(number, ()) if child.node_id not in ended]
                yield dispatch_pb2.LoadExecutionResponse(children=children)

    async def Report(self, request, context):
        self.reports += 1
        self.largest = max(self.largest, request.ByteSize())
        if self.fail > 0:
            self.fail -= 1
            raise errors.UnavailableError("away")
        if self.faulty > 0:
            self.faulty -= 1
            raise errors.InternalError("deadlock")
        response = dispatch_pb2.ReportResponse()
        for part in request.executions:
            assignment = self.assignments[part.execution]
            if assignment.id.name == self.unfit:
                raise errors.InvalidArgumentError("nodes[0].node_id must not contain NUL characters")
            if part.epoch != assignment.epoch:
                response.refused.add(execution=part.execution, epoch=part.epoch, reason="stale epoch")
                continue
            self.stores[part.execution].take(part)
        async with self.changed:
            self.changed.notify_all()
        if self.lose > 0:
            self.lose -= 1
            raise errors.UnavailableError("lost")
        return response

    async def ended(self, number: int, seconds: float = 20.0) -> Store:
        store = self.stores[number]
        async with asyncio.timeout(seconds), self.changed:
            await self.changed.wait_for(lambda: store.execution.phase in phases.TERMINAL_EXECUTION)
        return store

    async def until(self, condition, seconds: float = 20.0) -> None:
        async with asyncio.timeout(seconds), self.changed:
            await self.changed.wait_for(condition)


class Executions:
    def __init__(self, admin: FakeAdmin) -> None:
        self.admin = admin

    async def CreateExecution(self, request, context):
        if self.admin.refuse is not None:
            raise self.admin.refuse
        if request.name in self.admin.children:
            raise errors.AlreadyExistsError("there already")
        self.admin.children[request.name] = request
        async with self.admin.changed:
            self.admin.changed.notify_all()
        return admin_execution_pb2.ExecutionCreateResponse()

    async def RecoverExecution(self, request, context):
        self.admin.recovered.append(request)
        return admin_execution_pb2.ExecutionCreateResponse()

    async def GetExecution(self, request, context):
        if request.id.name not in self.admin.executions:
            if request.id.name in self.admin.children:
                return admin_execution_pb2.Execution(id=request.id)
            raise errors.NotFoundError("no such execution")
        return self.admin.executions[request.id.name]

    async def GetExecutionData(self, request, context):
        return admin_execution_pb2.WorkflowExecutionGetDataResponse()

    async def TerminateExecution(self, request, context):
        self.admin.terminated.append(request)
        return admin_execution_pb2.ExecutionTerminateResponse()


class Signals:
    def __init__(self, admin: FakeAdmin) -> None:
        self.admin = admin

    async def GetOrCreateSignal(self, request, context):
        signal = self.admin.signals.setdefault(
            request.id.signal_id, signal_pb2.Signal(id=request.id, type=request.type)
        )
        async with self.admin.changed:
            self.admin.changed.notify_all()
        return signal


@contextlib.asynccontextmanager
async def serving(admin: FakeAdmin, address: str = "127.0.0.1:0") -> AsyncIterator[str]:
    registrations = [
        rpc.Registration(admin, dispatch_pb2.DESCRIPTOR.services_by_name["DispatchService"], check_requests=False),
        rpc.Registration(Executions(admin), admin_pb2.DESCRIPTOR.services_by_name["AdminService"]),
        rpc.Registration(Signals(admin), signal_service_pb2.DESCRIPTOR.services_by_name["SignalService"]),
    ]
    async with await rpc.serve(registrations, [address]) as running:
        yield running.addresses[0]


def execution_id(name: str) -> identifier_pb2.WorkflowExecutionIdentifier:
    return identifier_pb2.WorkflowExecutionIdentifier(project="p", domain="d", name=name)


SUCCEEDED = execution_pb2.WorkflowExecution.SUCCEEDED
