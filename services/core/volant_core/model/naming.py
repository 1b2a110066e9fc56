"""Names that must come out the same each time they are derived: of nodes, attempts, child executions, raw outputs.

The schemes are Flyte's (contract rows 2.039, 2.040, 2.061, 2.099, 2.103), because they are visible in URIs and ids.
"""

import base64
import functools
import re
from collections.abc import Iterable

from volantidl.core import identifier_pb2

_BASE32 = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", b"abcdefghijklmnopqrstuvwxyz123456")
_SHARDS = "abcdefghijklmnopqrstuvwxyz0123456789"

NODE_ID_LENGTH = 20
"""The longest unique node id, in characters, that is not hashed."""
ATTEMPT_NAME_LENGTH = 50
"""The longest name of an attempt, in characters: a pod's."""
_FRONT = ATTEMPT_NAME_LENGTH - 24
"""Characters of an attempt's name that people can read."""
CHILD_NAME_LENGTH = 20
"""The longest name of a child execution, in characters, that is not hashed."""
EXECUTION_LABEL = "execution-id"
"""The label that names an execution: a pod's own, a child execution's parent."""
_LABEL_LENGTH = 63
"""The longest value of a label, in characters."""


def label_value(text: str) -> str:
    """`text` made fit for a label of Kubernetes."""
    return re.sub(r"[^-a-z0-9]", "-", text.lower())[:_LABEL_LENGTH].strip("-")


def fnv1a_32(data: bytes) -> int:
    """FNV-1a of 32 bits."""
    value = 0x811C9DC5
    for byte in data:
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value


def fnv1a_64(data: bytes) -> int:
    """FNV-1a of 64 bits."""
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return value


def hashed_name(text: str, *, bits: int = 32) -> str:
    """The letter f and the base32 form of the hash of `text`: 8 characters for 32 bits, 14 for 64."""
    digest = fnv1a_64(text.encode()) if bits == 64 else fnv1a_32(text.encode())
    encoded = base64.b32encode(digest.to_bytes(bits // 8, "big")).rstrip(b"=").translate(_BASE32)
    return "f" + encoded.decode()


def fixed_length(limit: int, parts: Iterable[str], *, bits: int = 32) -> str:
    """The parts joined by hyphens (leading empty ones left out), or its hash where that is longer than `limit`."""
    text = ""
    for part in parts:
        text = f"{text}-{part}" if text else part
    return text if len(text.encode()) <= limit else hashed_name(text, bits=bits)


def unique_node_id(parent_id: str, parent_attempt: int, node_id: str, *, bits: int = 32) -> str:
    """The id of a node within its execution; at the top (no parent) that is its own id."""
    if not parent_id:
        return fixed_length(NODE_ID_LENGTH, (node_id,), bits=bits)
    return fixed_length(NODE_ID_LENGTH, (parent_id, str(parent_attempt), node_id), bits=bits)


def driven_node_id(parent_id: str, key: str) -> str:
    """The id of a node that a driver adds below its own: the same in each attempt of the driver."""
    return hashed_name(f"{parent_id}/{key}", bits=64)


def generated_name(execution: str, node_id: str, attempt: int) -> str:
    """Flyte's name of an attempt, as it appears in raw output URIs: fit for a DNS-1123 label."""
    return dns_label(fixed_length(ATTEMPT_NAME_LENGTH, (execution, node_id, str(attempt))))


def attempt_name(execution: identifier_pb2.WorkflowExecutionIdentifier, node_id: str, attempt: str) -> str:
    """The name under which a launcher knows an attempt: readable at its front, and unlike any other's in the platform.

    Flyte's own name leaves out project and domain and falls back to a hash of 32 bits, which would let one attempt be
    adopted in place of another; so a hash over the execution and one of 64 bits over all of it stand at the end.
    """
    full = f"{execution.project}:{execution.domain}:{execution.name}:{node_id}:{attempt}"
    front = dns_label(f"{execution.name}-{node_id}-{attempt}")[:_FRONT].rstrip("-")
    return f"{front}-{_execution_hash(execution)}-{hashed_name(full, bits=64)}"


def is_attempt_of(name: str, execution: identifier_pb2.WorkflowExecutionIdentifier) -> bool:
    """Whether `attempt_name` has made `name` for an attempt of this execution."""
    parts = name.rsplit("-", 2)
    front = dns_label(f"{execution.name}-")[:_FRONT].rstrip("-")
    return len(parts) == 3 and parts[1] == _execution_hash(execution) and parts[0].startswith(front)


def _execution_hash(execution: identifier_pb2.WorkflowExecutionIdentifier) -> str:
    return hashed_name(f"{execution.project}:{execution.domain}:{execution.name}")


def child_execution_name(execution: str, node_id: str, attempt: int) -> str:
    """The name of the execution that a launch plan node starts."""
    return fixed_length(CHILD_NAME_LENGTH, (execution, node_id, str(attempt)), bits=64)


def dns_label(text: str) -> str:
    """`text` made fit for a DNS-1123 label: lower case letters, digits and inner hyphens."""
    label = re.sub(r"[^a-z0-9-]+", "-", text.lower()).strip("-")
    return label or "a"


@functools.lru_cache(maxsize=4096)
def raw_output_shard(name: str) -> str:
    """Two characters that spread raw outputs over an object store's partitions."""
    value = fnv1a_32(name.encode()) % (len(_SHARDS) ** 2)
    return _SHARDS[value // len(_SHARDS)] + _SHARDS[value % len(_SHARDS)]


def per_retry_unique_key(name: str) -> str:
    """`name` made fit for an identifier: what the template variable PerRetryUniqueKey becomes."""
    return re.sub(r"[^A-Za-z0-9_]", "_", re.sub(r"^[^A-Za-z_]+", "a", name))
