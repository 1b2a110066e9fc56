"""What decides about the cache: who asks it, under which key, and who may compute what it lacks."""

from volant_core.model import cache_keys, naming
from volant_engine.decide import commands, state
from volantidl.core import literals_pb2, tasks_pb2

RETRY_SECONDS = 1.0
"""How long to wait before asking again for what another node computes."""


def key_of(task: tasks_pb2.TaskTemplate, inputs: literals_pb2.LiteralMap) -> commands.CacheKey:
    """Where the outputs of the task for these inputs are found."""
    return commands.CacheKey(
        project=task.id.project,
        domain=task.id.domain,
        name=cache_keys.dataset_name(task.id),
        version=cache_keys.dataset_version(task),
        tag=cache_keys.tag(inputs, set(task.metadata.cache_ignore_input_vars)),
    )


def owner(run: state.Run, node: state.Node) -> str:
    """Who holds a reservation for a node's attempt."""
    return naming.fixed_length(50, (run.identity.execution.name, node.id, str(node.attempt)))


def has_outputs(task: tasks_pb2.TaskTemplate) -> bool:
    """Whether there is anything to keep; tasks without outputs are never written."""
    return bool(task.interface.outputs.variables)
