"""Tasks that operators run, as the plugins of stock flytekit 1.16.31 write them (`jobs`)."""

import json
import pathlib

from google.protobuf import json_format

from volant_engine.launchers import port
from volantidl.core import identifier_pb2, tasks_pb2

FILES = pathlib.Path(__file__).parent / "jobs"
NAMES = sorted(file.stem for file in FILES.glob("*.json"))


def read(name: str) -> tasks_pb2.TaskTemplate:
    """The task of a file."""
    told = json.loads((FILES / f"{name}.json").read_text())["task"]
    return json_format.ParseDict(told, tasks_pb2.TaskTemplate())


def attempt(task: tasks_pb2.TaskTemplate, name: str = "abc-n0-0", **more) -> port.Attempt:
    """An attempt of a task."""
    given = {
        "name": name,
        "execution": identifier_pb2.WorkflowExecutionIdentifier(project="shop", domain="development", name="abc"),
        "node_id": "n0",
        "number": 0,
        "task": task,
        "arguments": ["pyflyte-execute", "--inputs", "s3://b/inputs.pb"],
        "environment": {"FLYTE_INTERNAL_EXECUTION_ID": "abc"},
        "input_uri": "s3://b/inputs.pb",
        "output_prefix": "s3://b/n0/data/0",
        "raw_output_prefix": "s3://b/raw",
        "workflow_name": "shop.flows.Train",
        **more,
    }
    return port.Attempt(**given)
