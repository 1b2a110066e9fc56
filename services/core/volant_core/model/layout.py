"""Where an execution's metadata and data lie in the blob store (contract group 8). Everything is a URI."""

from volant_core.model import naming

INPUTS = "inputs.pb"
OUTPUTS = "outputs.pb"
ERROR = "error.pb"
FUTURES = "futures.pb"
DECK = "deck.html"
TASK_TEMPLATE = "task.pb"
CHECKPOINTS = "_flytecheckpoints"
DYNAMIC = "dynamic-node"
"""Between a dynamic node's output folder and its children's."""
DRIVEN = "driven"
"""Between the data folder of a driver's node and its children's."""


def execution_root(bucket_uri: str, project: str, domain: str, name: str) -> str:
    """The metadata folder of an execution, `bucket_uri` being the platform's own bucket."""
    return f"{bucket_uri}/metadata/propeller/{project}-{domain}-{name}"


def node_data_dir(root: str, node_id: str) -> str:
    """The data folder of a node at the top of an execution."""
    return f"{root}/{node_id}/data"


def child_data_dir(parent_output_dir: str, node_id: str) -> str:
    """The data folder of a node that runs under another."""
    return f"{parent_output_dir}/{node_id}"


def output_dir(data_dir: str, attempt: int) -> str:
    """Where an attempt writes its outputs."""
    return f"{data_dir}/{attempt}"


def raw_output_prefix(prefix: str, name: str) -> str:
    """Where an attempt of that generated name puts large data."""
    return f"{prefix.rstrip('/')}/{naming.raw_output_shard(name)}/{name}"


def dynamic_closure_uri(bucket_uri: str, project: str, domain: str, execution: str, node_id: str, name: str) -> str:
    """Where the compiled form of a dynamic node's graph lies."""
    return f"{bucket_uri}/metadata/admin/{project}/{domain}/{execution}/{node_id}/{project}_{domain}_{name}"


def driven_inputs_uri(root: str, node_id: str) -> str:
    """Where the inputs of a node that a driver added lie, below an execution's metadata folder."""
    return f"{root}/{DRIVEN}/{node_id}/{INPUTS}"
