"""From a request to a row that an engine drives: two statements, the second of which leases it."""

import dataclasses
import secrets
from collections.abc import Callable

from google.protobuf import timestamp_pb2

from volant_admin import validation
from volant_admin.dispatch import assignments, dispatcher
from volant_admin.executions import config, inputs, launch_plans, names, single_task, store, times
from volant_admin.executions.settings import ExecutionSettings
from volant_admin.launch_plans import notifications
from volant_admin.projects import operations as projects_
from volant_core import blobstore, clock, errors, postgres, telemetry
from volantidl.admin import execution_pb2, launch_plan_pb2, matchable_resource_pb2
from volantidl.core import identifier_pb2, literals_pb2

_LONGEST_TAG = 255
_LAUNCHED = (identifier_pb2.LAUNCH_PLAN, identifier_pb2.TASK)


@dataclasses.dataclass(frozen=True, slots=True)
class _Target:
    """What is launched."""

    plan: launch_plans.Plan
    task: int
    """The number of a task that is launched by itself; else 0."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Kept:
    """Where a literal map is: in the row or the blob store."""

    inline: bytes | None
    uri: str | None


class Launching:
    """Starts executions."""

    def __init__(
        self,
        database: postgres.Database,
        blobs: blobstore.BlobStore,
        projects: projects_.Projects,
        dispatcher: dispatcher.Dispatcher,
        tasks: single_task.SingleTasks,
        settings: ExecutionSettings,
        clock: clock.Clock,
        random_bits: Callable[[int], int] = secrets.randbits,
    ) -> None:
        """Keep the dependencies; `random_bits` is what generated names are made of."""
        self._database = database
        self._blobs = blobs
        self._projects = projects
        self._dispatcher = dispatcher
        self._tasks = tasks
        self._settings = settings
        self._clock = clock
        self._random_bits = random_bits
        self._plans = launch_plans.Plans(database, settings.launch_plans_kept)

    async def launch(
        self, request: execution_pb2.ExecutionCreateRequest, *, source: int = 0
    ) -> identifier_pb2.WorkflowExecutionIdentifier:
        """Start an execution. The request is changed.

        Args:
            request: What to launch.
            source: The number of the execution that it repeats.

        Raises:
            InvalidArgumentError: The request can't be launched as it is.
            NotFoundError: What it names is not registered.
            AlreadyExistsError: The name is taken, or the launch plan's concurrency limit is met.
        """
        await self._check(request)
        spec = request.spec
        target = await self._target(spec.launch_plan)
        effective_inputs = inputs.effective(
            request.inputs, target.plan.closure.expected_inputs, target.plan.spec.fixed_inputs
        )
        context = await self._context(request, target.plan)
        await self._check_concurrency(target.plan, spec.launch_plan)
        id_ = identifier_pb2.WorkflowExecutionIdentifier(
            project=request.project,
            domain=request.domain,
            name=request.name or names.generate(self._random_bits),
            org=request.org,
        )
        parent = self._inherit(spec, id_, context)
        effective = self._merge(request, target.plan, context)
        with telemetry.execution_span("create", id_.project, id_.domain, id_.name):
            return await self._insert(request, id_, target, effective, effective_inputs, parent, source)

    async def _check(self, request: execution_pb2.ExecutionCreateRequest) -> None:
        validation.require(request.project, "project")
        validation.require(request.domain, "domain")
        if request.name:
            names.check(request.name)
        await self._projects.require_active(request.project, request.domain)
        if not request.HasField("spec"):
            raise validation.missing("spec")
        if not request.spec.HasField("launch_plan"):
            raise validation.missing("id of the launch_plan to run")
        validation.identifier_fields(request.spec.launch_plan)
        if request.spec.launch_plan.resource_type not in _LAUNCHED:
            kind = validation.resource_type_name(request.spec.launch_plan.resource_type).upper()
            raise errors.InvalidArgumentError(
                f"Invalid reference entity resource type [{kind}], only [LAUNCH_PLAN TASK] allowed"
            )
        validation.labels(request.spec.labels.values)
        validation.annotations(request.spec.annotations.values)
        notifications.check(request.spec.notifications.notifications)
        for tag in request.spec.tags:
            validation.max_length(tag, "tags", _LONGEST_TAG)
        # Before flyteidl 0.15 inputs were a part of the spec.
        if not request.inputs.literals:
            request.inputs.CopyFrom(request.spec.inputs)

    async def _target(self, id_: identifier_pb2.Identifier) -> _Target:
        if id_.resource_type == identifier_pb2.LAUNCH_PLAN:
            return _Target(await self._plans.get(id_), 0)
        task = await self._tasks.get(id_)
        generated = single_task.generated_id(id_, identifier_pb2.LAUNCH_PLAN)
        plan = await self._plans.find(generated)
        if plan is None:
            await self._tasks.register(id_, task)
            plan = await self._plans.get(generated)
        return _Target(plan, task.number)

    async def _context(self, request: execution_pb2.ExecutionCreateRequest, plan: launch_plans.Plan) -> postgres.Record:
        parent = request.spec.metadata.parent_node_execution.execution_id
        row = await self._database.fetch_row(
            store.QUERIES["launch_context"],
            request.project,
            request.domain,
            plan.workflow_id.name,
            *store.key(parent),
        )
        assert row is not None
        return row

    async def _check_concurrency(self, plan: launch_plans.Plan, id_: identifier_pb2.Identifier) -> None:
        policy = plan.spec.concurrency_policy
        if (
            not plan.spec.HasField("concurrency_policy")
            or policy.behavior != launch_plan_pb2.CONCURRENCY_LIMIT_BEHAVIOR_SKIP
        ):
            return
        active = await self._database.fetch_value(store.QUERIES["count_active"], id_.project, id_.domain, id_.name)
        if active >= policy.max:
            raise errors.AlreadyExistsError(
                f"concurrency limit ({policy.max}) reached for launch plan {id_.name}; skipping execution"
            )

    @staticmethod
    def _inherit(
        spec: execution_pb2.ExecutionSpec,
        id_: identifier_pb2.WorkflowExecutionIdentifier,
        context: postgres.Record,
    ) -> tuple[int | None, str | None]:
        """Take over what a child has from its parent; the parent's number and node."""
        metadata = spec.metadata
        metadata.principal = ""
        metadata.system_metadata.namespace = f"{id_.project}-{id_.domain}"
        metadata.ClearField("artifact_ids")
        if not metadata.HasField("parent_node_execution"):
            return None, None
        parent = metadata.parent_node_execution
        if context["parent"] is None:
            raise store.missing(parent.execution_id)
        validation.require(parent.node_id, "node_id")
        if context["parent_ended"]:
            # An engine that does not know yet that its lease is over: nobody would end the child.
            raise errors.FailedPreconditionError(
                f"execution {parent.execution_id.name} has ended: its nodes launch nothing any more"
            )
        metadata.principal = context["parent_user"]
        source = execution_pb2.Execution.FromString(context["parent_head"]).spec
        metadata.nesting = source.metadata.nesting + 1
        if source.HasField("execution_cluster_label"):
            spec.execution_cluster_label.CopyFrom(source.execution_cluster_label)
        return context["parent"], parent.node_id

    def _merge(
        self,
        request: execution_pb2.ExecutionCreateRequest,
        plan: launch_plans.Plan,
        context: postgres.Record,
    ) -> execution_pb2.ExecutionSpec:
        attributes = [
            matchable_resource_pb2.MatchingAttributes.FromString(data).workflow_execution_config
            for data in (context["config"], context["project_config"])
            if data is not None
        ]
        labels = config.project_labels(context["project_labels"])
        effective = config.merged(request.spec, plan.spec, attributes, labels, self._settings.max_parallelism)
        stored = config.cluster_assignment(request.spec, context["cluster_assignment"], request.project, request.domain)
        if stored.HasField("cluster_assignment"):
            effective.cluster_assignment.CopyFrom(stored.cluster_assignment)
        # What clients are shown as the execution's own, as Flyte does.
        if request.spec.launch_plan.resource_type != identifier_pb2.TASK:
            request.spec.max_parallelism = effective.max_parallelism
        request.spec.security_context.CopyFrom(effective.security_context)
        return effective

    async def _insert(
        self,
        request: execution_pb2.ExecutionCreateRequest,
        id_: identifier_pb2.WorkflowExecutionIdentifier,
        target: _Target,
        effective: execution_pb2.ExecutionSpec,
        effective_inputs: literals_pb2.LiteralMap,
        parent: tuple[int | None, str | None],
        source: int,
    ) -> identifier_pb2.WorkflowExecutionIdentifier:
        spec, now = request.spec, self._clock.now()
        kept, given = await self._keep_inputs(request, id_, effective_inputs)
        tags = [*spec.labels.values.items(), *((tag, "") for tag in spec.tags)]
        with self._dispatcher.place() as session:
            new = store.NewExecution(
                project=id_.project,
                domain=id_.domain,
                name=id_.name,
                created_at=now,
                mode=spec.metadata.mode,
                launch_plan=target.plan.number,
                workflow=target.plan.workflow,
                task=target.task,
                launch_entity="task" if target.task else "launch_plan",
                source_execution=source or parent[0] or 0,
                parent_execution=parent[0],
                parent_node=parent[1],
                user=spec.metadata.principal,
                inputs_uri=kept.uri,
                inputs=kept.inline,
                user_inputs_uri=given.uri,
                user_inputs=given.inline,
                head=self._head(id_, spec, target.plan, times.stamp(now)).SerializeToString(),
                effective_spec=effective.SerializeToString(),
                closure_uri=target.plan.closure_uri,
                workflow_id=target.plan.workflow_id.SerializeToString(),
                session=session.id if session else None,
                tag_keys=[tag_key for tag_key, _ in tags],
                tag_values=[value for _, value in tags],
            )
            number, leased = await self._insert_row(new)
        if session is None or not leased:
            self._dispatcher.waits()
            return id_
        self._dispatcher.assign(
            session,
            assignments.assignment(
                id_=id_,
                execution=number,
                epoch=1,
                workflow_id=target.plan.workflow_id,
                closure_uri=target.plan.closure_uri,
                spec=effective,
                inputs=kept.inline,
                inputs_uri=kept.uri,
                created_at=now,
                resumed=False,
            ),
        )
        return id_

    async def _insert_row(self, new: store.NewExecution) -> tuple[int, bool]:
        try:
            return await store.insert(self._database, new)
        except postgres.UniqueViolationError as error:
            raise errors.AlreadyExistsError(
                "value with matching already exists (duplicate key value violates unique constraint"
                f' "{error.constraint}"): there is an execution {new.name}'
            ) from error

    async def _keep_inputs(
        self,
        request: execution_pb2.ExecutionCreateRequest,
        id_: identifier_pb2.WorkflowExecutionIdentifier,
        effective_inputs: literals_pb2.LiteralMap,
    ) -> tuple[_Kept, _Kept]:
        """What the execution runs with, and what the user gave where that is something else."""
        effective_bytes = effective_inputs.SerializeToString(deterministic=True)
        given_bytes = request.inputs.SerializeToString(deterministic=True)
        folder = [id_.name] if not request.name else [id_.name, names.generate(self._random_bits)]
        kept = await self._keep(effective_bytes, id_, [*folder, "inputs"])
        if given_bytes == effective_bytes:
            return kept, _Kept(None, None)
        return kept, await self._keep(given_bytes, id_, [*folder, "user_inputs"])

    async def _keep(self, data: bytes, id_: identifier_pb2.WorkflowExecutionIdentifier, path: list[str]) -> _Kept:
        if len(data) <= self._settings.inline_bytes:
            return _Kept(data, None)
        uri = self._blobs.join("metadata", id_.project, id_.domain, *path)
        await self._blobs.put(uri, data)
        return _Kept(None, uri)

    @staticmethod
    def _head(
        id_: identifier_pb2.WorkflowExecutionIdentifier,
        spec: execution_pb2.ExecutionSpec,
        plan: launch_plans.Plan,
        now: timestamp_pb2.Timestamp,
    ) -> execution_pb2.Execution:
        """What never changes of the execution that clients are shown."""
        return execution_pb2.Execution(
            id=id_,
            spec=spec,
            closure=execution_pb2.ExecutionClosure(
                created_at=now,
                workflow_id=plan.workflow_id,
                notifications=config.notifications(spec, plan.spec),
                state_change_details=execution_pb2.ExecutionStateChangeDetails(
                    state=execution_pb2.EXECUTION_ACTIVE, occurred_at=now, principal=spec.metadata.principal
                ),
            ),
        )
