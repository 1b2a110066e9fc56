"""Why a launcher refuses an attempt, in the words that all of them use."""

from volant_core import errors
from volantidl.core import tasks_pb2


def not_runnable(task: tasks_pb2.TaskTemplate) -> errors.InvalidArgumentError:
    """For a task without anything to start: only a connector could run it."""
    return errors.InvalidArgumentError(
        f"a task of type {task.type!r} without a container and without a pod runs only through a connector that serves"
        " its type, and none does; the setting connectors.endpoints (VOLANT_CONNECTORS__ENDPOINTS) names connectors"
    )


def not_operated(task: tasks_pb2.TaskTemplate, kind: str, group: str) -> errors.InvalidArgumentError:
    """For a task that an operator of the cluster runs, where settings name no such operator."""
    return errors.InvalidArgumentError(
        f"a task of type {task.type!r} runs on Kubernetes as a {kind} of {group}, by an operator, and the setting"
        f" kubernetes.operators (VOLANT_KUBERNETES__OPERATORS) does not name {task.type!r}"
    )
