"""Graphs that tasks make at run time: read, compiled (or found compiled), stored for admin to show."""

import asyncio

import structlog
from google.protobuf.message import DecodeError

from volant_core import clock, compiler, errors
from volant_core.blobstore.port import BlobStore
from volant_core.model import layout
from volant_core.rpc import client
from volant_engine import settings as engine_settings
from volant_engine.decide import commands, events, graphs
from volant_engine.reactor import attempts, errands, loading, patience, worker
from volantidl.admin import common_pb2
from volantidl.core import (
    compiler_pb2,
    dynamic_job_pb2,
    execution_pb2,
    identifier_pb2,
    interface_pb2,
    tasks_pb2,
    workflow_pb2,
)
from volantidl.service import admin_pb2_grpc

_log = structlog.get_logger(__name__)
_USER = execution_pb2.ExecutionError.USER
_SYSTEM = execution_pb2.ExecutionError.SYSTEM


class _BuildError(Exception):
    """The graph cannot be made."""

    def __init__(
        self, message: str, kind: execution_pb2.ExecutionError.ErrorKind.ValueType, *, retryable: bool = False
    ) -> None:
        """Say why, and whose fault it is."""
        super().__init__(message)
        self.error = execution_pb2.ExecutionError(code="DynamicWorkflowBuildFailed", message=message, kind=kind)
        self.retryable = retryable


class DynamicGraphs:
    """Makes the graphs of dynamic nodes."""

    def __init__(
        self,
        blobs: BlobStore,
        closures: loading.Closures,
        admin: "admin_pb2_grpc.AdminServiceAsyncStub",
        errand: errands.Errands,
        settings: engine_settings.EngineSettings,
        waiting: patience.Patience,
        time: clock.Clock,
        post: attempts.Post,
    ) -> None:
        """Read from `blobs`, ask `admin` for launch plans; answers go to `post`."""
        self._blobs = blobs
        self._closures = closures
        self._admin = admin
        self._errands = errand
        self._settings = settings
        self._patience = waiting
        self._clock = time
        self._post = post
        self._bucket = blobs.join("x").removesuffix("/x")

    def compile(self, one: worker.Worker, command: commands.CompileDynamic) -> None:
        """Make the graph of a node."""
        self._errands.start(one, f"compile {command.node_id}", self._answer(one, command))

    async def _answer(self, one: worker.Worker, command: commands.CompileDynamic) -> None:
        graph: graphs.Graph | None = None
        workflow_id, uri = None, command.closure_uri
        error, retryable = None, False
        try:
            if uri:
                library = await self._load(uri)
                graph, workflow_id = library.primary, library.primary.id
            else:
                graph, workflow_id, uri = await self._make(one, command)
        except _BuildError as wrong:
            error, retryable = wrong.error, wrong.retryable
        except loading.BrokenError as wrong:
            error = wrong.error
        except errors.VolantError as wrong:
            error, retryable = _BuildError(wrong.message, _SYSTEM).error, True
        now = self._clock.now().timestamp()
        self._post(
            one,
            events.GraphCame(now, command.node_id, command.attempt, graph, workflow_id, uri, error, retryable),
        )

    async def _load(self, uri: str) -> graphs.Library:
        async def load() -> graphs.Library:
            return await self._closures.library(uri, registered=False)

        return await self._patience.until_done(f"load {uri}", load)

    async def _make(
        self, one: worker.Worker, command: commands.CompileDynamic
    ) -> tuple[graphs.Graph, identifier_pb2.Identifier, str]:
        spec = await self._job_spec(command.job_spec_uri)
        template = _template(one.assignment.id, command, spec)
        plans = await self._launch_plans(template, spec)
        closure, library = await asyncio.to_thread(_compile, template, spec, command.task, plans)
        execution = one.assignment.id
        uri = layout.dynamic_closure_uri(
            self._bucket,
            execution.project,
            execution.domain,
            execution.name,
            command.node_id,
            f"{template.id.name}_{template.id.version}",
        )
        data = closure.SerializeToString()

        async def put() -> None:
            await self._blobs.put(uri, data)

        await self._patience.until_done(f"write {uri}", put)
        self._closures.keep(uri, library)
        return library.primary, template.id, uri

    async def _job_spec(self, uri: str) -> dynamic_job_pb2.DynamicJobSpec:
        async def get() -> bytes:
            return await self._blobs.get(uri, limit=self._settings.value_bytes)

        data = await self._patience.until_done(f"read {uri}", get)
        try:
            return dynamic_job_pb2.DynamicJobSpec.FromString(data)
        except DecodeError as broken:
            raise _BuildError("unable to read futures file, maybe corrupted", _SYSTEM, retryable=True) from broken

    async def _launch_plans(
        self, template: workflow_pb2.WorkflowTemplate, spec: dynamic_job_pb2.DynamicJobSpec
    ) -> dict[str, compiler.LaunchPlanInterface]:
        try:
            _, needed = compiler.required_entities(template, spec.subworkflows)
        except compiler.CompileErrors as wrong:
            raise _BuildError(f"failed to Get requirements for subworkflows: {wrong}", _USER) from wrong
        found: dict[str, compiler.LaunchPlanInterface] = {}
        for plan_id in needed:
            key = compiler.identifier_key(plan_id)
            request = common_pb2.ObjectGetRequest(id=plan_id)
            try:
                plan = await client.call(self._admin.GetLaunchPlan(request, timeout=self._settings.call_seconds))
            except (errors.NotFoundError, errors.InvalidArgumentError) as wrong:
                raise _BuildError(f"incorrectly specified launchplan {key}: {wrong.message}", _USER) from wrong
            found[key] = compiler.LaunchPlanInterface(plan.closure.expected_inputs, plan.closure.expected_outputs)
        return found


def _template(
    execution: identifier_pb2.WorkflowExecutionIdentifier,
    command: commands.CompileDynamic,
    spec: dynamic_job_pb2.DynamicJobSpec,
) -> workflow_pb2.WorkflowTemplate:
    template = workflow_pb2.WorkflowTemplate(
        id=identifier_pb2.Identifier(
            resource_type=identifier_pb2.WORKFLOW,
            project=execution.project,
            domain=execution.domain,
            name=f"dynamic_{command.spec_node_id}",
            version=f"{execution.name}-{command.attempt}",
        ),
        nodes=spec.nodes,
        outputs=spec.outputs,
    )
    # Its inputs are the task's, and all bound already: the graph itself has only the outputs to keep its promise of.
    template.interface.outputs.CopyFrom(command.task.interface.outputs)
    template.interface.inputs.SetInParent()
    return template


def _compile(
    template: workflow_pb2.WorkflowTemplate,
    spec: dynamic_job_pb2.DynamicJobSpec,
    parent: tasks_pb2.TaskTemplate,
    plans: dict[str, compiler.LaunchPlanInterface],
) -> tuple[compiler_pb2.CompiledWorkflowClosure, graphs.Library]:
    compiled = []
    try:
        for task in spec.tasks:
            if task.WhichOneof("target") == "container" and parent.WhichOneof("target") == "container":
                task.container.config.extend(parent.container.config)
            compiled.append(compiler.compile_task(task))
        closure = compiler.compile_workflow(template, spec.subworkflows, compiled, plans)
        for workflow in (closure.primary, *closure.sub_workflows):
            _without_words(workflow.template.interface)
        for made in closure.tasks:
            _without_words(made.template.interface)
        return closure, graphs.Library(closure)
    except compiler.CompileErrors as wrong:
        raise _BuildError(f"malformed dynamic workflow: {wrong}", _USER) from wrong
    except graphs.GraphError as wrong:
        raise _BuildError(f"malformed dynamic workflow: {wrong}", _USER) from wrong


def _without_words(interface: interface_pb2.TypedInterface) -> None:
    """Take out what describes variables: it is kept with the entities, and many graphs can come of one task."""
    for variables in (interface.inputs.variables, interface.outputs.variables):
        for variable in variables.values():
            variable.ClearField("description")
