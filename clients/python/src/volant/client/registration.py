"""Registering: what the platform has already is left alone, the rest is created in an order that works."""

from __future__ import annotations

import concurrent.futures
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from volant import errors
from volant.client import channel
from volant.serialization import settings as serialization_settings
from volant.serialization import specs
from volantidl.admin import common_pb2, launch_plan_pb2, task_pb2, workflow_pb2
from volantidl.core import identifier_pb2, tasks_pb2

_PARALLEL = 8

Settings = serialization_settings.SerializationSettings


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of one entity."""

    kind: str
    """task, workflow or launch plan."""
    name: str
    version: str
    is_new: bool
    """False where the platform had it already, in this version."""


Progress = Callable[[Outcome], None]


def silent(outcome: Outcome) -> None:
    """Say nothing of progress."""


class Registration:
    """Brings specs to a platform.

    Args:
        connection: The platform.
        progress: Told of each entity.
    """

    def __init__(self, connection: channel.Connection, progress: Progress) -> None:
        self._connection = connection
        self._progress = progress

    def missing_tasks(self, made: specs.Specs, archive_name: str | None) -> set[str]:
        """The names of tasks that the platform doesn't have.

        Args:
            made: What is registered.
            archive_name: The code that a task of this version must have; None where the version tells of the code.

        Raises:
            DefinitionError: A task is registered in this version, and is another.
        """

        def look(spec: task_pb2.TaskSpec) -> bool:
            identifier = spec.template.id
            try:
                request = common_pb2.ObjectGetRequest(id=identifier)
                found = self._connection.call(channel.ADMIN, "GetTask", request, task_pb2.Task)
            except errors.NotFoundError:
                return True
            _refuse_another(spec.template, found.closure.compiled_task.template, archive_name)
            self._progress(Outcome("task", identifier.name, identifier.version, is_new=False))
            return False

        names = list(made.tasks)
        with _pool() as pool:
            return {name for name, new in zip(names, pool.map(look, made.tasks.values()), strict=True) if new}

    def create(self, made: specs.Specs, tasks: set[str]) -> list[identifier_pb2.Identifier]:
        """Create the tasks that are named, and workflows and launch plans; gives the launch plans."""
        with _pool() as pool:
            list(pool.map(self._create_task, (spec for name, spec in made.tasks.items() if name in tasks)))
            # Each stands after what it refers to, and waits for it: what is waited for was begun before.
            begun: dict[tuple[int, str], concurrent.futures.Future[None]] = {}
            for spec in made.workflows.values():
                before = [begun[key] for key in _references(spec) if key in begun]
                workflow = pool.submit(self._create_workflow, spec, before)
                begun[identifier_pb2.WORKFLOW, spec.template.id.name] = workflow
                for plan in made.launch_plans.values():
                    if plan.spec.workflow_id.name == spec.template.id.name:
                        future = pool.submit(self._create_launch_plan, plan, [workflow])
                        begun[identifier_pb2.LAUNCH_PLAN, plan.id.name] = future
            for future in begun.values():
                future.result()
        return [plan.id for plan in made.launch_plans.values()]

    def _create_task(self, spec: task_pb2.TaskSpec) -> None:
        request = task_pb2.TaskCreateRequest(id=spec.template.id, spec=spec)
        self._create("task", "CreateTask", request, task_pb2.TaskCreateResponse)

    def _create_workflow(self, spec: workflow_pb2.WorkflowSpec, before: list[concurrent.futures.Future[None]]) -> None:
        for future in before:
            future.result()
        request = workflow_pb2.WorkflowCreateRequest(id=spec.template.id, spec=spec)
        self._create("workflow", "CreateWorkflow", request, workflow_pb2.WorkflowCreateResponse)

    def _create_launch_plan(
        self, plan: launch_plan_pb2.LaunchPlan, before: list[concurrent.futures.Future[None]]
    ) -> None:
        for future in before:
            future.result()
        request = launch_plan_pb2.LaunchPlanCreateRequest(id=plan.id, spec=plan.spec)
        self._create("launch plan", "CreateLaunchPlan", request, launch_plan_pb2.LaunchPlanCreateResponse)

    def _create(self, kind: str, method: str, request: Any, answer: Any) -> None:
        try:
            is_new = create(self._connection, method, request, answer)
        except errors.RemoteError as cause:
            if "with different structure already exists" in str(cause):
                raise _taken(kind, request.id) from cause
            raise type(cause)(f"{kind} {request.id.name}: {cause}", cause.code) from cause
        self._progress(Outcome(kind, request.id.name, request.id.version, is_new=is_new))


def _pool() -> concurrent.futures.ThreadPoolExecutor:
    return concurrent.futures.ThreadPoolExecutor(_PARALLEL, thread_name_prefix="volant-register")


def create(connection: channel.Connection, method: str, request: Any, answer: Any) -> bool:
    """Create something; False where the same is there already."""
    try:
        connection.call(channel.ADMIN, method, request, answer)
    except errors.RemoteError as cause:
        if cause.code != "ALREADY_EXISTS":
            raise
        return False
    return True


def _references(spec: workflow_pb2.WorkflowSpec) -> list[tuple[int, str]]:
    """Workflows and launch plans that a workflow's nodes name, wherever they are in it."""
    found: list[tuple[int, str]] = [(identifier_pb2.WORKFLOW, one.id.name) for one in spec.sub_workflows]
    pending: list[Any] = [*spec.template.nodes, *(node for one in spec.sub_workflows for node in one.nodes)]
    while pending:
        node = pending.pop()
        kind = node.WhichOneof("target")
        if kind == "workflow_node" and node.workflow_node.HasField("launchplan_ref"):
            found.append((identifier_pb2.LAUNCH_PLAN, node.workflow_node.launchplan_ref.name))
        elif kind == "array_node":
            pending.append(node.array_node.node)
        elif kind == "branch_node":
            choice = node.branch_node.if_else
            pending += [block.then_node for block in (choice.case, *choice.other)]
            pending += [choice.else_node] if choice.HasField("else_node") else []
    return found


def _refuse_another(ours: tasks_pb2.TaskTemplate, theirs: tasks_pb2.TaskTemplate, archive_name: str | None) -> None:
    """Compare what is in nobody's power but ours: platforms fill in resources and the like."""
    words, code = _words(theirs.container.args)
    is_same = (
        ours.interface == theirs.interface
        and _words(ours.container.args)[0] == words
        and ours.container.image == theirs.container.image
        and _variables(ours.container) == _variables(theirs.container)
    )
    if not is_same or (archive_name is not None and code is not None and not code.endswith(f"/{archive_name}")):
        raise _taken("task", ours.id)


def _taken(kind: str, identifier: identifier_pb2.Identifier) -> errors.DefinitionError:
    return errors.DefinitionError(
        f"{kind} {identifier.name} is registered in version {identifier.version} already, and differs from what "
        f"it is here. Choose another version (--version); without one, the code's content makes it"
    )


def _words(arguments: Any) -> tuple[list[str], str | None]:
    """A command without the part that fetches code, and what that part fetches."""
    words = list(arguments)
    if words[:2] != ["volant-fast-execute", "--additional-distribution"] or "--" not in words:
        return words, None
    return words[words.index("--") + 1 :], words[2]


def _variables(container: tasks_pb2.Container) -> Mapping[str, str]:
    return {pair.key: pair.value for pair in container.env if pair.key != serialization_settings.ENVIRONMENT_VARIABLE}
