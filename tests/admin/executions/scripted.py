"""A control plane to play with, and an engine that does what a test tells it."""

import asyncio
import contextlib
import dataclasses
import datetime
from collections.abc import AsyncIterator
from pathlib import Path

from google.protobuf import timestamp_pb2

from volant_admin import service, settings
from volant_core import blobstore, errors, postgres, rpc
from volantidl.admin import execution_pb2, launch_plan_pb2, task_pb2, workflow_pb2
from volantidl.core import execution_pb2 as core_execution_pb2
from volantidl.core import identifier_pb2, interface_pb2, literals_pb2, types_pb2
from volantidl.dispatch import dispatch_pb2, dispatch_pb2_grpc
from volantidl.service import admin_pb2_grpc, dataproxy_pb2_grpc, signal_pb2_grpc

Execution = core_execution_pb2.WorkflowExecution
Node = core_execution_pb2.NodeExecution
Task = core_execution_pb2.TaskExecution
INTEGER = types_pb2.LiteralType(simple=types_pb2.INTEGER)
STRING = types_pb2.LiteralType(simple=types_pb2.STRING)
START = datetime.datetime(2024, 5, 1, 12, tzinfo=datetime.UTC)


class VirtualClock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self._passed = 0.0

    def now(self) -> datetime.datetime:
        return START + datetime.timedelta(seconds=self._passed)

    def monotonic(self) -> float:
        return self._passed

    def advance(self, seconds: float) -> None:
        self._passed += seconds


def at(seconds: float) -> timestamp_pb2.Timestamp:
    stamp = timestamp_pb2.Timestamp()
    stamp.FromDatetime(START + datetime.timedelta(seconds=seconds))
    return stamp


def integer(value: int) -> literals_pb2.Literal:
    literal = literals_pb2.Literal()
    literal.scalar.primitive.integer = value
    return literal


def text(value: str) -> literals_pb2.Literal:
    literal = literals_pb2.Literal()
    literal.scalar.primitive.string_value = value
    return literal


def literal_map(**values: int) -> literals_pb2.LiteralMap:
    return literals_pb2.LiteralMap(literals={name: integer(value) for name, value in values.items()})


def identifier(kind: int, name: str, version: str = "v1") -> identifier_pb2.Identifier:
    return identifier_pb2.Identifier(
        resource_type=kind, project="flytesnacks", domain="development", name=name, version=version
    )


def execution_id(name: str) -> identifier_pb2.WorkflowExecutionIdentifier:
    return identifier_pb2.WorkflowExecutionIdentifier(project="flytesnacks", domain="development", name=name)


def node_id(execution: str, node: str) -> identifier_pb2.NodeExecutionIdentifier:
    return identifier_pb2.NodeExecutionIdentifier(node_id=node, execution_id=execution_id(execution))


def create_request(name: str = "", **inputs: int) -> execution_pb2.ExecutionCreateRequest:
    request = execution_pb2.ExecutionCreateRequest(
        project="flytesnacks", domain="development", name=name, inputs=literal_map(**(inputs or {"x": 1}))
    )
    request.spec.launch_plan.CopyFrom(identifier(identifier_pb2.LAUNCH_PLAN, "w"))
    return request


class Engine:
    """One session."""

    def __init__(self, stub: "dispatch_pb2_grpc.DispatchServiceAsyncStub", session: str, capacity: int) -> None:
        self.stub = stub
        self.session = session
        self._outgoing: asyncio.Queue[dispatch_pb2.AttachRequest | None] = asyncio.Queue()
        self._outgoing.put_nowait(
            dispatch_pb2.AttachRequest(hello=dispatch_pb2.Hello(engine="scripted", session=session, capacity=capacity))
        )
        self._call = stub.Attach(self._requests())
        self._incoming: asyncio.Queue[dispatch_pb2.AttachResponse | BaseException | None] = asyncio.Queue()
        # Cancelling a read would cancel the call: one task reads for all.
        self._reading = asyncio.create_task(self._read())

    async def _requests(self) -> AsyncIterator[dispatch_pb2.AttachRequest]:
        while (request := await self._outgoing.get()) is not None:
            yield request

    async def _read(self) -> None:
        try:
            with rpc.peer_errors():
                async for message in self._call:
                    self._incoming.put_nowait(message)
        except (errors.VolantError, asyncio.CancelledError) as error:
            self._incoming.put_nowait(error)
        else:
            self._incoming.put_nowait(None)

    async def hear(self) -> dispatch_pb2.AttachResponse:
        """The next message; an error of ours when the stream ended badly."""
        async with asyncio.timeout(10):
            message = await self._incoming.get()
        if isinstance(message, BaseException):
            raise message
        assert message is not None, "the stream has ended"
        return message

    async def hear_nothing(self) -> None:
        """Nothing comes for a while. What answered calls caused would be here at once."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.1):
                raise AssertionError(f"heard {await self._incoming.get()}")

    async def given(self) -> dispatch_pb2.Assignment:
        message = await self.hear()
        assert message.WhichOneof("message") == "assignment", message
        return message.assignment

    def heartbeat(self) -> None:
        self._outgoing.put_nowait(dispatch_pb2.AttachRequest(heartbeat=dispatch_pb2.Heartbeat()))

    def send(self, request: dispatch_pb2.AttachRequest) -> None:
        self._outgoing.put_nowait(request)

    async def detach(self) -> None:
        self._outgoing.put_nowait(dispatch_pb2.AttachRequest(detach=dispatch_pb2.Detach()))
        async with asyncio.timeout(10):
            while await self._incoming.get() is not None:
                pass

    async def drop(self) -> None:
        """The stream breaks."""
        self._call.cancel()
        await self._reading

    async def report(self, *parts: dispatch_pb2.ExecutionReport) -> dispatch_pb2.ReportResponse:
        return await rpc.call(self.stub.Report(dispatch_pb2.ReportRequest(session=self.session, executions=parts)))

    async def load(self, name: str) -> list[dispatch_pb2.LoadExecutionResponse]:
        request = dispatch_pb2.LoadExecutionRequest(id=execution_id(name))
        with rpc.peer_errors():
            return [piece async for piece in self.stub.LoadExecution(request)]


def part(assignment: dispatch_pb2.Assignment, **fields: object) -> dispatch_pb2.ExecutionReport:
    return dispatch_pb2.ExecutionReport(execution=assignment.execution, epoch=assignment.epoch, **fields)


def phase(value: int, seconds: float = 1, **fields: object) -> dispatch_pb2.ExecutionRecord:
    record = dispatch_pb2.ExecutionRecord(phase=value, occurred_at=at(seconds), **fields)
    if value == Execution.RUNNING:
        record.started_at.CopyFrom(at(seconds))
    return record


def node(id_: str, value: int = Node.RUNNING, seconds: float = 1, **fields: object) -> dispatch_pb2.NodeRecord:
    return dispatch_pb2.NodeRecord(
        node_id=id_,
        spec_node_id=str(fields.pop("spec_node_id", id_)),
        phase=value,
        created_at=at(0),
        started_at=at(1),
        updated_at=at(seconds),
        **fields,
    )


def task(node: str = "n0", value: int = Task.RUNNING, attempt: int = 0, **fields: object) -> dispatch_pb2.TaskRecord:
    return dispatch_pb2.TaskRecord(
        node_id=node,
        attempt=attempt,
        phase=value,
        task_id=identifier(identifier_pb2.TASK, "t"),
        task_type="python-task",
        created_at=at(0),
        started_at=at(1),
        updated_at=at(2),
        **fields,
    )


@dataclasses.dataclass
class Platform:
    """A control plane with its clients."""

    admin: "admin_pb2_grpc.AdminServiceAsyncStub"
    dispatch: "dispatch_pb2_grpc.DispatchServiceAsyncStub"
    signals: "signal_pb2_grpc.SignalServiceAsyncStub"
    dataproxy: "dataproxy_pb2_grpc.DataProxyServiceAsyncStub"
    blobs: blobstore.FolderStore
    clock: VirtualClock
    opened: service.Admin
    address: str
    engines: list[Engine] = dataclasses.field(default_factory=list)

    async def engine(self, session: str = "s1", capacity: int = 0) -> Engine:
        """An engine that is attached."""
        engine = Engine(self.dispatch, session, capacity)
        self.engines.append(engine)
        message = await engine.hear()
        assert message.WhichOneof("message") == "welcome"
        return engine

    async def create(self, name: str = "", **inputs: int) -> str:
        created = await rpc.call(self.admin.CreateExecution(create_request(name, **inputs)))
        return created.id.name

    async def get(self, name: str) -> execution_pb2.Execution:
        return await rpc.call(self.admin.GetExecution(execution_pb2.WorkflowExecutionGetRequest(id=execution_id(name))))

    async def terminate(self, name: str, cause: str = "enough") -> None:
        await rpc.call(
            self.admin.TerminateExecution(execution_pb2.ExecutionTerminateRequest(id=execution_id(name), cause=cause))
        )


@contextlib.asynccontextmanager
async def open_platform(
    database: postgres.Database,
    folder: Path,
    clock: VirtualClock,
    admin_settings: settings.AdminSettings | None = None,
) -> AsyncIterator[Platform]:
    endpoint = blobstore.Endpoint(url="http://localhost:30002", access_key="minio", secret_key="miniostorage")
    blobs = blobstore.FolderStore(folder, "volant", presigner=blobstore.Presigner(endpoint, clock))
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(blobs.close)
        admin = await stack.enter_async_context(
            service.open_admin(
                database=database, blobs=blobs, settings=admin_settings or settings.AdminSettings(), clock=clock
            )
        )
        server = await stack.enter_async_context(await rpc.serve(admin.servicers, ["127.0.0.1:0"]))
        channel = await stack.enter_async_context(rpc.connect(server.addresses[0]))
        platform = Platform(
            admin=admin_pb2_grpc.AdminServiceStub(channel),
            dispatch=dispatch_pb2_grpc.DispatchServiceStub(channel),
            signals=signal_pb2_grpc.SignalServiceStub(channel),
            dataproxy=dataproxy_pb2_grpc.DataProxyServiceStub(channel),
            blobs=blobs,
            clock=clock,
            opened=admin,
            address=server.addresses[0],
        )
        yield platform
        for engine in platform.engines:
            await engine.drop()


async def register(admin: "admin_pb2_grpc.AdminServiceAsyncStub") -> None:
    """A task t, a workflow w of it and a launch plan of the same name: an input x, one y with a default."""
    task_request = task_pb2.TaskCreateRequest(id=identifier(identifier_pb2.TASK, "t"))
    template = task_request.spec.template
    template.type = "python-task"
    template.metadata.runtime.version = "1"
    template.container.image = "image"
    template.container.args.append("run")
    for name in ("x", "y"):
        template.interface.inputs.variables[name].type.CopyFrom(INTEGER)
    template.interface.outputs.variables["o0"].type.CopyFrom(INTEGER)
    await rpc.call(admin.CreateTask(task_request))
    workflow = workflow_pb2.WorkflowCreateRequest(id=identifier(identifier_pb2.WORKFLOW, "w"))
    graph = workflow.spec.template
    graph.id.CopyFrom(workflow.id)
    graph.interface.CopyFrom(template.interface)
    step = graph.nodes.add(id="n0")
    step.task_node.reference_id.CopyFrom(task_request.id)
    for name in ("x", "y"):
        step.inputs.append(_binding(name, "", name))
    graph.outputs.append(_binding("o0", "n0", "o0"))
    await rpc.call(admin.CreateWorkflow(workflow))
    await rpc.call(admin.CreateLaunchPlan(plan_request("w")))


def plan_request(name: str, **fields: object) -> launch_plan_pb2.LaunchPlanCreateRequest:
    plan = launch_plan_pb2.LaunchPlanCreateRequest(id=identifier(identifier_pb2.LAUNCH_PLAN, name))
    plan.spec.CopyFrom(launch_plan_pb2.LaunchPlanSpec(workflow_id=identifier(identifier_pb2.WORKFLOW, "w"), **fields))
    if "fixed_inputs" not in fields:
        plan.spec.default_inputs.parameters["y"].CopyFrom(
            interface_pb2.Parameter(var=interface_pb2.Variable(type=INTEGER), default=integer(7))
        )
    return plan


def _binding(var: str, from_node: str, output: str) -> literals_pb2.Binding:
    made = literals_pb2.Binding(var=var)
    made.binding.promise.node_id = from_node
    made.binding.promise.var = output
    return made
