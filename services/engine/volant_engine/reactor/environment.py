"""The environment that Flyte gives a task (contract row 2.116, part D.2)."""

from volant_engine.reactor import templates
from volantidl.admin import execution_pb2 as admin_execution_pb2
from volantidl.core import identifier_pb2, tasks_pb2

INDEX = "FLYTE_K8S_ARRAY_INDEX"
DRIVER_TOKEN = "VOLANT_DRIVER_TOKEN"  # noqa: S105 -- the variable's name


def of_attempt(
    *,
    execution: identifier_pb2.WorkflowExecutionIdentifier,
    workflow: identifier_pb2.Identifier,
    spec: admin_execution_pb2.ExecutionSpec,
    task: tasks_pb2.TaskTemplate,
    attempt: int,
    index: int,
    driver_token: str = "",
) -> dict[str, str]:
    """What an attempt's process finds in its environment, beside what only its launcher knows.

    The task's own comes first, the execution's over it, and identity last.

    Args:
        execution: the execution.
        workflow: what it runs.
        spec: how it was asked to run.
        task: the task.
        attempt: the attempt's number.
        index: the element of a map task; -1 for a plain one.
        driver_token: by which the attempt may add nodes below its own; empty where it may not.
    """
    plan = spec.launch_plan
    result = templates.environment_of(task)
    result.update((entry.key, entry.value) for entry in spec.envs.values)
    result.update(
        {
            "FLYTE_INTERNAL_EXECUTION_WORKFLOW": f"{workflow.project}:{workflow.domain}:{workflow.name}",
            "FLYTE_INTERNAL_EXECUTION_ID": execution.name,
            "FLYTE_INTERNAL_EXECUTION_PROJECT": execution.project,
            "FLYTE_INTERNAL_EXECUTION_DOMAIN": execution.domain,
            "FLYTE_INTERNAL_EXECUTION_LAUNCHPLAN": f"{plan.project}:{plan.domain}:{plan.name}",
            "FLYTE_ATTEMPT_NUMBER": str(attempt),
            "FLYTE_INTERNAL_TASK_PROJECT": task.id.project,
            "FLYTE_INTERNAL_TASK_DOMAIN": task.id.domain,
            "FLYTE_INTERNAL_TASK_NAME": task.id.name,
            "FLYTE_INTERNAL_TASK_VERSION": task.id.version,
            "FLYTE_INTERNAL_PROJECT": task.id.project,
            "FLYTE_INTERNAL_DOMAIN": task.id.domain,
            "FLYTE_INTERNAL_NAME": task.id.name,
            "FLYTE_INTERNAL_VERSION": task.id.version,
        }
    )
    if driver_token:
        result[DRIVER_TOKEN] = driver_token
    if index >= 0:
        result["BATCH_JOB_ARRAY_INDEX_VAR_NAME"] = INDEX
        result[INDEX] = str(index)
    return result
