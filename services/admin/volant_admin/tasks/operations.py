"""What can be done with tasks."""

from collections.abc import Sequence

from volant_admin import structure, validation
from volant_admin.attributes import operations as attribute_operations
from volant_admin.description_entities import store as descriptions
from volant_admin.projects import operations as project_operations
from volant_admin.tasks import resources, store
from volant_core import clock, compiler, errors, postgres
from volantidl.admin import common_pb2, task_pb2
from volantidl.core import compiler_pb2, identifier_pb2, tasks_pb2


class Tasks:
    """Tasks."""

    def __init__(
        self,
        database: postgres.Database,
        projects: project_operations.Projects,
        attributes: attribute_operations.Attributes,
        clock: clock.Clock,
    ) -> None:
        """Keep the dependencies."""
        self._database = database
        self._projects = projects
        self._attributes = attributes
        self._clock = clock

    async def create(self, request: task_pb2.TaskCreateRequest) -> None:
        """Register a version."""
        if not request.HasField("id"):
            raise validation.missing("id")
        validation.identifier(request.id, identifier_pb2.TASK)
        await self._projects.require_active(request.id.project, request.id.domain)
        if not request.spec.HasField("template"):
            raise validation.missing("spec")
        template = request.spec.template
        await self._check(request.id, template)
        template.id.CopyFrom(request.id)
        try:
            compiled = compiler.compile_task(template)
        except compiler.CompileErrors as error:
            raise errors.InvalidArgumentError(f"task failed compilation with {error}") from error
        described = descriptions.described(request.spec.description, given=request.spec.HasField("description"))
        digest = structure.digest(compiled)
        if not await store.insert(self._database, compiled, digest, described, self._clock.now()):
            await self._refuse(compiled)

    async def get(self, id_: identifier_pb2.Identifier) -> task_pb2.Task:
        """One task."""
        if not id_.ByteSize():
            raise validation.missing("id")
        validation.identifier_fields(id_)  # whatever type it names, a task is meant
        found = await store.get(self._database, id_)
        if found is None:
            raise validation.no_entity("TASK", id_)
        return found

    async def get_compiled(self, ids: Sequence[identifier_pb2.Identifier]) -> list[compiler_pb2.CompiledTask]:
        """All of the tasks, in the order of the ids.

        Raises:
            NotFoundError: One of them does not exist.
        """
        found = {
            compiler.identifier_key(task.template.id): task for task in await store.get_compiled(self._database, ids)
        }
        tasks: list[compiler_pb2.CompiledTask] = []
        for id_ in ids:
            task = found.get(compiler.identifier_key(id_))
            if task is None:
                raise validation.no_entity("TASK", id_)
            tasks.append(task)
        return tasks

    async def list_page(self, request: common_pb2.ResourceListRequest) -> task_pb2.TaskList:
        """A page of versions."""
        if not request.HasField("id"):
            raise validation.missing("id")
        validation.list_scope(request.id.project, request.id.domain, request.id.name)
        tasks, token = await store.list_page(self._database, request)
        return task_pb2.TaskList(tasks=tasks, token=token)

    async def _refuse(self, compiled: compiler_pb2.CompiledTask) -> None:
        """Say how a version that is there already relates to what was to be registered."""
        existing = (await self.get(compiled.template.id)).closure.compiled_task
        if structure.same(existing, compiled):
            raise errors.AlreadyExistsError("task with identical structure already exists")
        raise errors.InvalidArgumentError(
            f"{compiled.template.id.name} task with different structure already exists. (Please register a new version"
            f" of the task):\n{structure.differences(existing, compiled)}"
        )

    async def _check(self, id_: identifier_pb2.Identifier, template: tasks_pb2.TaskTemplate) -> None:
        validation.require(template.type, "type")
        if not template.HasField("metadata"):
            raise validation.missing("metadata")
        if template.metadata.HasField("runtime"):
            validation.require(template.metadata.runtime.version, "runtime version")
        if not template.HasField("interface"):
            raise validation.missing("typed interface")
        if template.HasField("container"):
            validation.require(template.container.image, "image")
            if template.container.HasField("resources"):
                limits = await self._attributes.task_limits(id_.project, id_.domain)
                resources.check_container(id_, template.container.resources, limits)
        elif template.HasField("k8s_pod"):
            if not template.k8s_pod.HasField("pod_spec"):
                raise errors.InvalidArgumentError(
                    "invalid TaskSpecification, pod tasks should specify their target as a K8sPod with a defined pod"
                    " spec"
                )
            limits = await self._attributes.task_limits(id_.project, id_.domain)
            resources.check_pod(id_, template.k8s_pod, limits)
