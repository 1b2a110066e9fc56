"""Map tasks of the form before array nodes: a task node whose container runs once for each element of its lists.

Flytekit before 1.12 makes them, and `legacy_map_task` of later ones. They are array nodes in another form, and run so.
"""

from google.protobuf import json_format

from volantidl.core import tasks_pb2, workflow_pb2
from volantidl.plugins import array_job_pb2

TYPE = "container_array"
"""The type of such a task."""


def as_array(node: workflow_pb2.Node, template: tasks_pb2.TaskTemplate) -> workflow_pb2.Node:
    """The array node that runs `template`, the map task of `node`, for each element."""
    try:
        job = json_format.ParseDict(
            json_format.MessageToDict(template.custom), array_job_pb2.ArrayJob(), ignore_unknown_fields=True
        )
    except json_format.ParseError:
        job = array_job_pb2.ArrayJob()  # all elements at once, and all must succeed
    result = workflow_pb2.Node()
    result.CopyFrom(node)
    mapping = result.array_node
    mapping.node.id = node.id
    mapping.node.metadata.CopyFrom(node.metadata)
    mapping.node.task_node.CopyFrom(node.task_node)
    mapping.parallelism = max(job.parallelism, 0)
    if job.WhichOneof("success_criteria") == "min_success_ratio":
        mapping.min_success_ratio = job.min_success_ratio
    inputs = template.interface.inputs.variables
    mapping.bound_inputs.extend(
        sorted(name for name, variable in inputs.items() if variable.type.WhichOneof("type") != "collection_type")
    )
    return result
