"""What can be done with workflows."""

import asyncio

from volant_admin import structure, validation
from volant_admin.description_entities import store as descriptions
from volant_admin.executions import times
from volant_admin.launch_plans import store as launch_plan_store
from volant_admin.projects import operations as project_operations
from volant_admin.settings import AdminSettings
from volant_admin.tasks import operations as task_operations
from volant_admin.workflows import closures, store
from volant_core import blobstore, clock, compiler, errors, postgres
from volantidl.admin import common_pb2, workflow_pb2
from volantidl.core import compiler_pb2, identifier_pb2

_NODES_IN_LOOP = 200
"""Graphs up to this size are compiled at once, within some 10 ms; larger ones in a thread."""
_SYSTEM_NODES = 2


class Workflows:
    """Workflows."""

    def __init__(
        self,
        database: postgres.Database,
        blobs: blobstore.BlobStore,
        projects: project_operations.Projects,
        tasks: task_operations.Tasks,
        settings: AdminSettings,
        clock: clock.Clock,
    ) -> None:
        """Keep the dependencies."""
        self._database = database
        self._blobs = blobs
        self._projects = projects
        self._tasks = tasks
        self._settings = settings
        self._clock = clock
        self._closures = closures.Closures(blobs, settings.closure_cache_bytes)

    async def create(
        self,
        request: workflow_pb2.WorkflowCreateRequest,
        state: common_pb2.NamedEntityState.ValueType = common_pb2.NAMED_ENTITY_ACTIVE,
    ) -> None:
        """Register a version.

        Args:
            request: The workflow.
            state: Of its name, when that is new.
        """
        if not request.HasField("id"):
            raise validation.missing("id")
        id_ = request.id
        validation.identifier(id_, identifier_pb2.WORKFLOW)
        await self._projects.require_active(id_.project, id_.domain)
        if not request.spec.HasField("template"):
            raise validation.missing("spec")
        request.spec.template.id.CopyFrom(id_)
        described = descriptions.described(request.spec.description, given=request.spec.HasField("description"))
        compiled, digest = await self._compile(request)
        now = self._clock.now()
        closure = workflow_pb2.WorkflowClosure(created_at=times.stamp(now))
        closure.compiled_workflow.CopyFrom(compiled)
        row = store.WorkflowRow(
            key=0,
            id=id_,
            interface=request.spec.template.interface,
            closure_uri=self.closure_uri(id_),
            digest=digest,
            short_description=described.short,
            created_at=now,
        )
        inserted = await store.insert(
            self._database, row, described, state, lambda: self._closures.put(row.closure_uri, closure)
        )
        if not inserted:
            await self._refuse(id_, compiled, digest)

    async def get(self, id_: identifier_pb2.Identifier) -> workflow_pb2.Workflow:
        """One workflow with its closure."""
        validation.called(id_, identifier_pb2.WORKFLOW)
        row = await self.get_row(id_)
        closure = await self.closure(row.closure_uri)
        workflow = workflow_pb2.Workflow(id=row.id, short_description=row.short_description)
        workflow.closure.compiled_workflow.CopyFrom(closure.compiled_workflow)
        workflow.closure.created_at.CopyFrom(times.stamp(row.created_at))
        return workflow

    async def get_row(self, id_: identifier_pb2.Identifier) -> store.WorkflowRow:
        """One workflow without its closure. NotFoundError when there is none."""
        row = await store.get(self._database, id_)
        if row is None:
            raise validation.no_entity("WORKFLOW", id_)
        return row

    async def closure(self, uri: str) -> workflow_pb2.WorkflowClosure:
        """The closure at a URI; it must not be changed."""
        return await self._closures.get(uri)

    def closure_uri(self, id_: identifier_pb2.Identifier) -> str:
        """Where a workflow's closure is."""
        return self._blobs.join(
            *self._settings.metadata_prefix, id_.project, id_.domain, *map(store.key_segment, (id_.name, id_.version))
        )

    async def list_page(self, request: common_pb2.ResourceListRequest) -> workflow_pb2.WorkflowList:
        """A page of versions, without compiled graphs but with their interfaces."""
        if not request.HasField("id"):
            raise validation.missing("id")
        validation.list_scope(request.id.project, request.id.domain, request.id.name)
        rows, token = await store.list_page(self._database, request)
        return workflow_pb2.WorkflowList(workflows=[_listed(row) for row in rows], token=token)

    async def _compile(
        self, request: workflow_pb2.WorkflowCreateRequest
    ) -> tuple[compiler_pb2.CompiledWorkflowClosure, bytes]:
        """The compiled graph and its digest."""
        spec = request.spec
        try:
            task_ids, plan_ids = compiler.required_entities(spec.template, spec.sub_workflows)
            tasks = await self._tasks.get_compiled(task_ids)
            plans = {
                key: compiler.LaunchPlanInterface(plan.closure.expected_inputs, plan.closure.expected_outputs)
                for key, plan in (await launch_plan_store.get_many(self._database, plan_ids)).items()
            }
            for id_ in plan_ids:
                if compiler.identifier_key(id_) not in plans:
                    raise validation.no_entity("LAUNCH_PLAN", id_)

            def compile_() -> tuple[compiler_pb2.CompiledWorkflowClosure, bytes]:
                closure = compiler.compile_workflow(spec.template, spec.sub_workflows, tasks, plans)
                return closure, structure.digest(closure)

            nodes = len(spec.template.nodes) + sum(len(workflow.nodes) for workflow in spec.sub_workflows)
            compiled, digest = compile_() if nodes <= _NODES_IN_LOOP else await asyncio.to_thread(compile_)
        except (compiler.CompileErrors, errors.NotFoundError) as error:
            raise errors.InvalidArgumentError(
                f"failed to compile workflow for [{validation.one_line(request.id)}] with err: {error}"
            ) from error
        self._check_limits(request.id, compiled)
        return compiled, digest

    def _check_limits(self, id_: identifier_pb2.Identifier, compiled: compiler_pb2.CompiledWorkflowClosure) -> None:
        bytes_limit, nodes_limit = self._settings.workflow_bytes_limit, self._settings.workflow_nodes_limit
        if bytes_limit and compiled.ByteSize() > bytes_limit:
            raise errors.InvalidArgumentError(f"Workflow closure size exceeds max limit [{bytes_limit}]")
        nodes = len(compiled.primary.template.nodes) - _SYSTEM_NODES
        if nodes_limit and nodes > nodes_limit:
            raise errors.InvalidArgumentError(
                f"number of nodes in workflow [{validation.one_line(id_)}] exceeds limit ({nodes} > {nodes_limit})"
            )

    async def _refuse(
        self, id_: identifier_pb2.Identifier, compiled: compiler_pb2.CompiledWorkflowClosure, digest: bytes
    ) -> None:
        """Say how a version that is there already relates to what was to be registered."""
        row = await self.get_row(id_)
        existing = None
        if row.digest != digest:
            existing = (await self.closure(row.closure_uri)).compiled_workflow
        if existing is None or existing == compiled:
            raise errors.AlreadyExistsError(
                "workflow with identical structure already exists",
                workflow_pb2.CreateWorkflowFailureReason(
                    exists_identical_structure=workflow_pb2.WorkflowErrorExistsIdenticalStructure(id=id_)
                ),
            )
        changes = await asyncio.to_thread(structure.differences, existing, compiled)
        raise errors.InvalidArgumentError(
            f"{id_.name} workflow with different structure already exists. (Please register a new version of the"
            f" workflow):\n{changes}",
            workflow_pb2.CreateWorkflowFailureReason(
                exists_different_structure=workflow_pb2.WorkflowErrorExistsDifferentStructure(id=id_)
            ),
        )


def _listed(row: store.WorkflowRow) -> workflow_pb2.Workflow:
    workflow = workflow_pb2.Workflow(id=row.id, short_description=row.short_description)
    workflow.closure.compiled_workflow.primary.template.interface.CopyFrom(row.interface)
    workflow.closure.created_at.CopyFrom(times.stamp(row.created_at))
    return workflow
