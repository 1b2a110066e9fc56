"""What can be done with matchable attributes, and what others ask of them."""

import datetime

from volant_admin import validation
from volant_admin.attributes import store
from volant_admin.attributes.store import Place
from volant_admin.projects import operations as project_operations
from volant_admin.settings import AdminSettings
from volant_core import clock, errors, postgres
from volantidl.admin import matchable_resource_pb2
from volantidl.core import tasks_pb2

_Attributes = matchable_resource_pb2.MatchingAttributes
_Config = matchable_resource_pb2.WorkflowExecutionConfig

_KINDS = {
    "task_resource_attributes": matchable_resource_pb2.TASK_RESOURCE,
    "cluster_resource_attributes": matchable_resource_pb2.CLUSTER_RESOURCE,
    "execution_queue_attributes": matchable_resource_pb2.EXECUTION_QUEUE,
    "execution_cluster_label": matchable_resource_pb2.EXECUTION_CLUSTER_LABEL,
    "plugin_overrides": matchable_resource_pb2.PLUGIN_OVERRIDE,
    "workflow_execution_config": matchable_resource_pb2.WORKFLOW_EXECUTION_CONFIG,
    "cluster_assignment": matchable_resource_pb2.CLUSTER_ASSIGNMENT,
}


class Attributes:
    """Settings of projects, domains and workflows."""

    def __init__(
        self,
        database: postgres.Database,
        projects: project_operations.Projects,
        settings: AdminSettings,
        clock: clock.Clock,
    ) -> None:
        """Keep the dependencies."""
        self._database = database
        self._projects = projects
        self._settings = settings
        self._clock = clock
        self._limits: dict[tuple[str, str], tuple[float, dict[int, str]]] = {}

    async def update(self, place: Place, attributes: _Attributes) -> None:
        """Set what a place has. Plugin overrides replace those of the same task types only."""
        kind = _KINDS.get(attributes.WhichOneof("target") or "")
        if kind is None:
            where = "-".join(part for part in (place.project, place.domain, place.workflow) if part)
            raise errors.InvalidArgumentError(f"Unrecognized matching attributes type for request {where}")
        self._limits.clear()
        await store.put(self._database, kind, place, lambda old: _merged(old, attributes), self._clock.now())

    async def get(self, place: Place, kind: int) -> store.Found:
        """What counts for a place, and where it is set."""
        found = await store.get(self._database, kind, place)
        if found is None:
            raise _not_found(place, kind)
        return found

    async def get_project(self, project: str, kind: int) -> _Attributes:
        """What a project as a whole has; execution settings are completed with the platform's."""
        await self._projects.require_existing(project)
        found = await store.get_project(self._database, kind, project)
        if kind != matchable_resource_pb2.WORKFLOW_EXECUTION_CONFIG:
            if found is None:
                raise _not_found(Place(project), kind)
            return found.attributes
        config = found.attributes.workflow_execution_config if found else _Config()
        return _Attributes(workflow_execution_config=self._completed(config))

    async def delete(self, place: Place, kind: int) -> None:
        """Remove what a place has; removing nothing is fine."""
        self._limits.clear()
        await store.delete(self._database, kind, place)

    async def list_all(self, kind: int) -> list[matchable_resource_pb2.MatchableAttributesConfiguration]:
        """All settings of one kind."""
        if kind not in matchable_resource_pb2.MatchableResource.values():
            raise errors.InvalidArgumentError("invalid value for resource_type")
        return await store.list_all(self._database, kind)

    async def require_place(self, place: Place, *, workflow: bool = False) -> None:
        """Refuse an unknown or inactive project or domain, and a missing workflow where there must be one."""
        if place.domain or workflow:
            await self._projects.require_active(place.project, place.domain)
        else:
            await self._projects.require_active_project(place.project)
        if workflow:
            validation.require(place.workflow, "name")

    async def task_limits(self, project: str, domain: str) -> dict[int, str]:
        """The most that tasks of a project and domain may ask for, by resource name. Looked up every few seconds."""
        found = self._limits.get((project, domain))
        now = self._clock.monotonic()
        if found and now - found[0] < self._settings.project_check_age / datetime.timedelta(seconds=1):
            return found[1]
        set_ = await store.get(self._database, matchable_resource_pb2.TASK_RESOURCE, Place(project, domain))
        limits = self._settings.task_limits if set_ is None else set_.attributes.task_resource_attributes.limits
        amounts = {
            tasks_pb2.Resources.CPU: limits.cpu,
            tasks_pb2.Resources.MEMORY: limits.memory,
            tasks_pb2.Resources.GPU: limits.gpu,
            tasks_pb2.Resources.EPHEMERAL_STORAGE: limits.ephemeral_storage,
        }
        known: dict[int, str] = {name: amount for name, amount in amounts.items() if amount}
        self._limits[project, domain] = now, known
        return known

    def _completed(self, config: _Config) -> _Config:
        """A configuration with the platform's values where it says nothing."""
        completed = _Config()
        completed.CopyFrom(config)
        completed.max_parallelism = config.max_parallelism or self._settings.executions.max_parallelism
        return completed


def _merged(old: _Attributes | None, new: _Attributes) -> _Attributes:
    if old is None or new.WhichOneof("target") != "plugin_overrides":
        return new
    overrides = {one.task_type: one for one in old.plugin_overrides.overrides}
    overrides.update({one.task_type: one for one in new.plugin_overrides.overrides})
    return _Attributes(
        plugin_overrides=matchable_resource_pb2.PluginOverrides(overrides=[overrides[key] for key in sorted(overrides)])
    )


def _not_found(place: Place, kind: int) -> errors.NotFoundError:
    kinds = matchable_resource_pb2.MatchableResource.DESCRIPTOR.values_by_number
    name = kinds[kind].name if kind in kinds else str(kind)
    return errors.NotFoundError(
        f"Resource [{{Project:{place.project} Domain:{place.domain} Workflow:{place.workflow} LaunchPlan:"
        f" ResourceType:{name}}}] not found"
    )
