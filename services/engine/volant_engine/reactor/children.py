"""Child executions and signals: what runs want of admin beside reports."""

import asyncio

import structlog

from volant_core import clock, errors
from volant_core.model import naming, phases
from volant_core.rpc import client
from volant_engine import settings as engine_settings
from volant_engine.decide import commands, events
from volant_engine.reactor import attempts, errands, patience, worker
from volantidl.admin import execution_pb2 as admin_execution_pb2
from volantidl.admin import signal_pb2
from volantidl.core import execution_pb2, identifier_pb2, literals_pb2, types_pb2
from volantidl.dispatch import dispatch_pb2
from volantidl.service import admin_pb2_grpc, signal_pb2_grpc

_log = structlog.get_logger(__name__)
_SYSTEM_CODES = (
    errors.InternalError,
    errors.UnavailableError,
    errors.DeadlineExceededError,
)


class Children:
    """Calls AdminService and SignalService."""

    def __init__(
        self,
        admin: "admin_pb2_grpc.AdminServiceAsyncStub",
        signals: "signal_pb2_grpc.SignalServiceAsyncStub",
        errand: errands.Errands,
        settings: engine_settings.EngineSettings,
        waiting: patience.Patience,
        time: clock.Clock,
        post: attempts.Post,
    ) -> None:
        """Answers go to `post`."""
        self._admin = admin
        self._signals = signals
        self._errands = errand
        self._settings = settings
        self._patience = waiting
        self._clock = time
        self._post = post

    def _now(self) -> float:
        return self._clock.now().timestamp()

    def create(self, one: worker.Worker, command: commands.CreateChild) -> None:
        """Start a child execution."""
        self._errands.start(one, f"create {command.name}", self._create(one, command))

    async def _create(self, one: worker.Worker, command: commands.CreateChild) -> None:
        parent = one.assignment.id
        child = identifier_pb2.WorkflowExecutionIdentifier(
            project=parent.project, domain=parent.domain, name=command.name
        )
        refusal = ""
        existed = one.assignment.resumed

        async def call() -> None:
            nonlocal refusal, existed
            try:
                await self._launch(one, command)
            except errors.AlreadyExistsError as there:
                # It is ours from before, or a concurrency limit speaks: asking for it tells which.
                refusal, existed = there.message, True

        try:
            await self._patience.until_done(f"create {command.name}", call)
        except errors.VolantError as wrong:
            retryable = isinstance(wrong, _SYSTEM_CODES)
            kind = execution_pb2.ExecutionError.SYSTEM if retryable else execution_pb2.ExecutionError.USER
            error = execution_pb2.ExecutionError(code="RuntimeExecutionError", message=wrong.message, kind=kind)
            self._started(one, command, None, error, retryable=retryable)
            return
        if not existed:
            self._started(one, command, child, None)
            return
        state = await self._ask(child)
        if isinstance(state, errors.VolantError):
            error = execution_pb2.ExecutionError(
                code="RuntimeExecutionError",
                message=refusal or state.message,
                kind=execution_pb2.ExecutionError.USER if refusal else execution_pb2.ExecutionError.SYSTEM,
            )
            self._started(one, command, None, error)
            return
        self._started(one, command, child, None)
        if state.closure.phase in phases.TERMINAL_EXECUTION:
            self._post(one, await self._ended(command.node_id, child, state))

    async def _launch(self, one: worker.Worker, command: commands.CreateChild) -> None:
        parent, spec = one.assignment.id, one.assignment.spec
        metadata = admin_execution_pb2.ExecutionMetadata(
            mode=admin_execution_pb2.ExecutionMetadata.CHILD_WORKFLOW,
            principal=spec.metadata.principal,
            nesting=spec.metadata.nesting + 1,
            parent_node_execution=identifier_pb2.NodeExecutionIdentifier(execution_id=parent, node_id=command.node_id),
        )
        if command.recover is not None:
            recovery = admin_execution_pb2.ExecutionRecoverRequest(
                id=command.recover, name=command.name, metadata=metadata
            )
            try:
                await client.call(self._admin.RecoverExecution(recovery, timeout=self._settings.call_seconds))
            except errors.NotFoundError:
                _log.info("the child to recover is gone; it is started anew", child=command.recover.name)
            else:
                return
        request = admin_execution_pb2.ExecutionCreateRequest(
            project=parent.project, domain=parent.domain, name=command.name, inputs=command.inputs
        )
        child = request.spec
        child.launch_plan.CopyFrom(command.launch_plan)
        child.metadata.CopyFrom(metadata)
        for field in ("security_context", "raw_output_data_config", "interruptible"):
            if spec.HasField(field):
                getattr(child, field).CopyFrom(getattr(spec, field))
        child.labels.values.update(_labels(one.assignment))
        child.annotations.CopyFrom(spec.annotations)
        child.envs.CopyFrom(spec.envs)
        child.max_parallelism = spec.max_parallelism
        child.overwrite_cache = spec.overwrite_cache
        await client.call(self._admin.CreateExecution(request, timeout=self._settings.call_seconds))

    def _started(
        self,
        one: worker.Worker,
        command: commands.CreateChild,
        child: identifier_pb2.WorkflowExecutionIdentifier | None,
        error: execution_pb2.ExecutionError | None,
        *,
        retryable: bool = False,
    ) -> None:
        self._post(
            one,
            events.ChildStarted(self._now(), command.node_id, command.attempt, command.index, child, error, retryable),
        )

    async def _ask(
        self, child: identifier_pb2.WorkflowExecutionIdentifier
    ) -> admin_execution_pb2.Execution | errors.VolantError:
        request = admin_execution_pb2.WorkflowExecutionGetRequest(id=child)

        async def get() -> admin_execution_pb2.Execution:
            return await client.call(self._admin.GetExecution(request, timeout=self._settings.call_seconds))

        try:
            return await self._patience.until_done(f"ask for {child.name}", get)
        except errors.VolantError as wrong:
            return wrong

    async def _ended(
        self,
        node_id: str,
        child: identifier_pb2.WorkflowExecutionIdentifier,
        state: admin_execution_pb2.Execution,
    ) -> events.ChildEnded:
        outputs: literals_pb2.LiteralMap | None = None
        uri = ""
        if state.closure.phase == execution_pb2.WorkflowExecution.SUCCEEDED:
            request = admin_execution_pb2.WorkflowExecutionGetDataRequest(id=child)

            async def get() -> admin_execution_pb2.WorkflowExecutionGetDataResponse:
                return await client.call(self._admin.GetExecutionData(request, timeout=self._settings.call_seconds))

            data = await self._patience.until_done(f"read outputs of {child.name}", get)
            outputs, uri = data.full_outputs, state.closure.outputs.uri
        return events.ChildEnded(
            at=self._now(),
            node_id=node_id,
            child=child.name,
            phase=state.closure.phase,
            error=state.closure.error if state.closure.HasField("error") else None,
            outputs=outputs,
            output_uri=uri,
        )

    def told(self, one: worker.Worker, message: dispatch_pb2.ChildFinished) -> None:
        """Admin says that a child has ended."""
        outputs = (
            literals_pb2.LiteralMap.FromString(message.outputs) if message.outputs or not message.output_uri else None
        )
        self._post(
            one,
            events.ChildEnded(
                at=self._now(),
                node_id=message.node_id,
                child=message.child.name,
                phase=message.phase,
                error=message.error if message.HasField("error") else None,
                outputs=outputs,
                output_uri=message.output_uri,
            ),
        )

    def end(self, one: worker.Worker, command: commands.EndChild) -> None:
        """End a child execution; `Stopped` comes in any case, at the latest after a while."""
        self._errands.start(one, f"end {command.child.name}", self._end(one, command))

    async def _end(self, one: worker.Worker, command: commands.EndChild) -> None:
        request = admin_execution_pb2.ExecutionTerminateRequest(id=command.child, cause=command.reason)

        async def call() -> None:
            await client.call(self._admin.TerminateExecution(request, timeout=self._settings.call_seconds))

        try:
            async with asyncio.timeout(self._settings.stop_seconds):
                await self._patience.until_done(f"end {command.child.name}", call)
        except (errors.NotFoundError, errors.FailedPreconditionError):
            pass  # It never came to be, or has ended by itself.
        except (TimeoutError, errors.VolantError) as wrong:
            _log.error("a child execution could not be ended", child=command.child.name, error=str(wrong))
        self._post(one, events.Stopped(self._now(), command.node_id, command.attempt, command.index))

    def open_signal(self, one: worker.Worker, command: commands.OpenSignal) -> None:
        """Create a signal, or find its value."""
        self._errands.start(one, f"signal {command.signal_id}", self._open_signal(one, command))

    async def _open_signal(self, one: worker.Worker, command: commands.OpenSignal) -> None:
        request = signal_pb2.SignalGetOrCreateRequest(
            id=identifier_pb2.SignalIdentifier(execution_id=one.assignment.id, signal_id=command.signal_id),
            type=types_pb2.LiteralType.FromString(command.type),
        )

        async def call() -> signal_pb2.Signal:
            return await client.call(self._signals.GetOrCreateSignal(request, timeout=self._settings.call_seconds))

        try:
            signal = await self._patience.until_done(f"signal {command.signal_id}", call)
        except errors.VolantError as wrong:
            error = execution_pb2.ExecutionError(
                code="SignalFailed", message=wrong.message, kind=execution_pb2.ExecutionError.SYSTEM
            )
            self._post(one, events.Broke(self._now(), error))
            return
        if signal.HasField("value") and signal.value.WhichOneof("value"):
            self._post(one, events.SignalCame(self._now(), command.signal_id, signal.value))


def _labels(parent: dispatch_pb2.Assignment) -> dict[str, str]:
    """What a child is labelled with: as its parent, and with who the parent is, as Flyte does it."""
    return {
        **parent.spec.labels.values,
        "project": parent.id.project,
        "domain": parent.id.domain,
        naming.EXECUTION_LABEL: parent.id.name,
        "workflow-name": naming.label_value(parent.workflow_id.name),
    }
