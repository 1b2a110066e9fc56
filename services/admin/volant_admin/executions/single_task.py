"""Tasks launched by themselves: each has a hidden workflow and launch plan around it, made at its first launch."""

import contextlib
import dataclasses

from volant_admin import validation
from volant_admin.launch_plans import operations as launch_plans_
from volant_admin.workflows import operations as workflows_
from volant_core import errors, postgres
from volantidl.admin import common_pb2, launch_plan_pb2, workflow_pb2
from volantidl.core import compiler_pb2, identifier_pb2, interface_pb2, literals_pb2, tasks_pb2, types_pb2
from volantidl.core import workflow_pb2 as core_workflow_pb2

QUERIES = postgres.load_queries(__package__, "single_task.sql")
PREFIX = ".flytegen."
_LONGEST_NODE_ID = 63
_DEFAULT_RETRIES = 3


@dataclasses.dataclass(frozen=True, slots=True)
class Task:
    """A registered task."""

    number: int
    template: tasks_pb2.TaskTemplate


class SingleTasks:
    """The hidden entities of tasks."""

    def __init__(
        self, database: postgres.Database, workflows: workflows_.Workflows, plans: launch_plans_.LaunchPlans
    ) -> None:
        """Keep the dependencies."""
        self._database = database
        self._workflows = workflows
        self._plans = plans

    async def get(self, id_: identifier_pb2.Identifier) -> Task:
        """The task. NotFoundError when it is not registered."""
        row = await self._database.fetch_row(QUERIES["get_task"], *validation.key_of(id_))
        if row is None:
            raise validation.no_entity("TASK", id_)
        return Task(row["id"], compiler_pb2.CompiledTask.FromString(row["closure"]).template)

    async def register(self, id_: identifier_pb2.Identifier, task: Task) -> None:
        """Make the hidden workflow and launch plan. Another replica may be at it as well."""
        workflow = workflow_pb2.WorkflowCreateRequest(
            id=generated_id(id_, identifier_pb2.WORKFLOW), spec=workflow_of(id_, task.template)
        )
        plan = launch_plan_pb2.LaunchPlanCreateRequest(
            id=generated_id(id_, identifier_pb2.LAUNCH_PLAN),
            spec=launch_plan_pb2.LaunchPlanSpec(workflow_id=workflow.id),
        )
        with contextlib.suppress(errors.AlreadyExistsError):
            await self._workflows.create(workflow, common_pb2.SYSTEM_GENERATED)
        with contextlib.suppress(errors.AlreadyExistsError):
            await self._plans.create(plan, common_pb2.SYSTEM_GENERATED)


def generated_id(
    id_: identifier_pb2.Identifier, resource_type: identifier_pb2.ResourceType.ValueType
) -> identifier_pb2.Identifier:
    """The identifier of a hidden entity."""
    return identifier_pb2.Identifier(
        resource_type=resource_type,
        project=id_.project,
        domain=id_.domain,
        name=f"{PREFIX}{id_.name}",
        version=id_.version,
    )


def node_id_of(task_name: str) -> str:
    """The id of the only node: letters, digits and hyphens of the end of the task's name."""
    end = task_name.encode()[-_LONGEST_NODE_ID:].decode(errors="ignore")
    return "".join(letter for letter in end if letter == "-" or letter.isalnum()) or "task"


def workflow_of(id_: identifier_pb2.Identifier, template: tasks_pb2.TaskTemplate) -> workflow_pb2.WorkflowSpec:
    """A workflow of one node that runs the task, with the task's own interface."""
    node_id = node_id_of(id_.name)
    retries = literals_pb2.RetryStrategy(retries=_DEFAULT_RETRIES)
    if template.metadata.HasField("retries"):
        retries = template.metadata.retries
    node = core_workflow_pb2.Node(
        id=node_id,
        metadata=core_workflow_pb2.NodeMetadata(name=node_id, retries=retries),
        inputs=_bindings(template.interface.inputs, ""),
        task_node=core_workflow_pb2.TaskNode(reference_id=id_),
    )
    return workflow_pb2.WorkflowSpec(
        template=core_workflow_pb2.WorkflowTemplate(
            id=generated_id(id_, identifier_pb2.WORKFLOW),
            interface=template.interface,
            nodes=[node],
            outputs=_bindings(template.interface.outputs, node_id),
        )
    )


def _bindings(variables: interface_pb2.VariableMap, node_id: str) -> list[literals_pb2.Binding]:
    return [
        literals_pb2.Binding(
            var=name,
            binding=literals_pb2.BindingData(promise=types_pb2.OutputReference(node_id=node_id, var=name)),
        )
        for name in sorted(variables.variables)
    ]
