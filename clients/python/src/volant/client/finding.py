"""What a platform has: entities by name, projects, its version and pages."""

from __future__ import annotations

import difflib
import functools
from typing import Any

from volant import errors
from volant.client import channel, config, registered
from volantidl.admin import common_pb2, launch_plan_pb2, project_pb2, task_pb2, version_pb2, workflow_pb2
from volantidl.core import compiler_pb2, identifier_pb2, interface_pb2, tasks_pb2

_PLURALS = {"task": "tasks", "workflow": "workflows", "launch plan": "launchplans"}


class Finder:
    """The part of `Remote` that only looks."""

    config: config.PlatformConfig
    connection: channel.Connection

    def fetch_task(self, name: str, version: str = "") -> registered.Registered:
        """A registered task; the latest version by default."""
        found = self._fetch(identifier_pb2.TASK, "Task", name, version, task_pb2.Task, task_pb2.TaskList, "tasks")
        return registered.Registered(found.id, found.closure.compiled_task.template.interface)

    def fetch_workflow(self, name: str, version: str = "") -> registered.Registered:
        """A registered workflow; the latest version by default."""
        answer, several = workflow_pb2.Workflow, workflow_pb2.WorkflowList
        found = self._fetch(identifier_pb2.WORKFLOW, "Workflow", name, version, answer, several, "workflows")
        return registered.Registered(found.id, found.closure.compiled_workflow.primary.template.interface)

    def fetch_launch_plan(self, name: str, version: str = "") -> registered.Registered:
        """A registered launch plan; the latest version by default."""
        answer, several = launch_plan_pb2.LaunchPlan, launch_plan_pb2.LaunchPlanList
        found = self._fetch(identifier_pb2.LAUNCH_PLAN, "LaunchPlan", name, version, answer, several, "launch_plans")
        return registered.of_launch_plan(found)

    def _fetch(
        self,
        kind: identifier_pb2.ResourceType.ValueType,
        noun: str,
        name: str,
        version: str,
        answer: Any,
        several: Any,
        field: str,
    ) -> Any:
        named = {"project": self.config.project, "domain": self.config.domain, "name": name}
        if not version:
            request = common_pb2.ResourceListRequest(
                id=common_pb2.NamedEntityIdentifier(**named),
                limit=1,
                sort_by=common_pb2.Sort(key="created_at", direction=common_pb2.Sort.DESCENDING),
            )
            listed = getattr(self.connection.call(channel.ADMIN, f"List{noun}s", request, several), field)
            if not listed:
                raise self._unknown(kind, name)
            version = listed[0].id.version
        identifier = identifier_pb2.Identifier(resource_type=kind, version=version, **named)
        try:
            return self.connection.call(channel.ADMIN, f"Get{noun}", common_pb2.ObjectGetRequest(id=identifier), answer)
        except errors.NotFoundError as cause:
            latest = self._fetch(kind, noun, name, "", answer, several, field)
            raise errors.NotFoundError(
                f"{name} is not registered in version {version!r}; its latest is {latest.id.version!r}"
            ) from cause

    def _unknown(self, kind: identifier_pb2.ResourceType.ValueType, name: str) -> errors.NotFoundError:
        noun = {identifier_pb2.TASK: "task", identifier_pb2.WORKFLOW: "workflow"}.get(kind, "launch plan")
        near = difflib.get_close_matches(name, self.list_names(_PLURALS[noun], 1000), 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        return errors.NotFoundError(f"{self.config.project}/{self.config.domain} has no {noun} {name!r}{hint}")

    def check_project(self) -> None:
        """Raise NotFoundError where the platform doesn't know the project or the domain."""
        answer = self.connection.call(
            channel.ADMIN, "ListProjects", project_pb2.ProjectListRequest(limit=1000), project_pb2.Projects
        )
        known = {one.id: one for one in answer.projects}
        if self.config.project not in known:
            near = difflib.get_close_matches(self.config.project, known, 1)
            rest = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(known)[:20]) or 'none'}"
            raise errors.NotFoundError(f"the platform has no project {self.config.project!r}; {rest}")
        domains = [one.id for one in known[self.config.project].domains]
        if self.config.domain not in domains:
            raise errors.NotFoundError(
                f"the platform has no domain {self.config.domain!r}; there are {', '.join(domains)}"
            )

    def task_template(self, identifier: identifier_pb2.Identifier) -> tasks_pb2.TaskTemplate:
        """A registered task's template."""
        request = common_pb2.ObjectGetRequest(id=identifier)
        return self.connection.call(channel.ADMIN, "GetTask", request, task_pb2.Task).closure.compiled_task.template

    def compiled_workflow(self, identifier: identifier_pb2.Identifier) -> compiler_pb2.CompiledWorkflowClosure:
        """A registered workflow's graph, with those of its sub-workflows."""
        request = common_pb2.ObjectGetRequest(id=identifier)
        found = self.connection.call(channel.ADMIN, "GetWorkflow", request, workflow_pb2.Workflow)
        return found.closure.compiled_workflow

    def version(self) -> str:
        """The platform's version."""
        request = version_pb2.GetVersionRequest()
        found = self.connection.call(channel.ADMIN, "GetVersion", request, version_pb2.GetVersionResponse)
        return found.control_plane_version.Version or "unknown"

    @functools.cached_property
    def pages(self) -> str:
        """URL of the platform's pages: as configured, or as the platform says; else where its gRPC service is."""
        if self.config.console:
            return self.config.console
        usual = f"{'http' if self.config.insecure else 'https'}://{self.config.endpoint}"
        request = version_pb2.GetVersionRequest()
        try:
            _, told = self.connection.call_for_metadata(
                channel.ADMIN, "GetVersion", request, version_pb2.GetVersionResponse, timeout=5
            )
        except errors.VolantError:
            return usual
        return told.get("volant-pages", usual)

    def interface_of(self, target: identifier_pb2.Identifier) -> interface_pb2.TypedInterface:
        """The interface of what an execution runs."""
        if target.resource_type == identifier_pb2.TASK:
            return self.task_template(target).interface
        plan = self.connection.call(
            channel.ADMIN, "GetLaunchPlan", common_pb2.ObjectGetRequest(id=target), launch_plan_pb2.LaunchPlan
        )
        return registered.of_launch_plan(plan).interface

    def list_names(self, kind: str, limit: int = 20) -> list[str]:
        """The names of registered tasks, workflows or launchplans."""
        numbers = {"tasks": identifier_pb2.TASK, "workflows": identifier_pb2.WORKFLOW}
        request = common_pb2.NamedEntityListRequest(
            resource_type=numbers.get(kind, identifier_pb2.LAUNCH_PLAN),
            project=self.config.project,
            domain=self.config.domain,
            limit=limit,
        )
        found = self.connection.call(channel.ADMIN, "ListNamedEntities", request, common_pb2.NamedEntityList)
        return [one.id.name for one in found.entities]
