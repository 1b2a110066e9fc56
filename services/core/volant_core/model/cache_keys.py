"""Cache keys: under which dataset and tag the outputs of a cacheable task are found (contract rows 2.087 to 2.091).

The scheme is Flyte's; the hash is our own (of deterministic protobuf bytes), since no cache is shared with a Flyte.
"""

import base64
import hashlib
from collections.abc import Collection

from volantidl.core import identifier_pb2, interface_pb2, literals_pb2, tasks_pb2, types_pb2

_KEPT_ANNOTATION = "cache-key-metadata"


def dataset_name(task: identifier_pb2.Identifier) -> str:
    """The dataset of a task."""
    return f"flyte_task-{task.name}"


def dataset_version(task: tasks_pb2.TaskTemplate) -> str:
    """The user's cache version, and the interface."""
    inputs = _interface_hash(task.interface.inputs)
    outputs = _interface_hash(task.interface.outputs)
    return f"{task.metadata.discovery_version}-{inputs[:8]}-{outputs[:8]}"


def tag(inputs: literals_pb2.LiteralMap, ignored: Collection[str]) -> str:
    """The name of the outputs for these inputs, without the ignored ones, hashed literals standing for their hash."""
    digest = hashlib.sha256(b"volant-inputs-1")
    for name in sorted(inputs.literals):
        if name not in ignored:
            collapsed = collapse(inputs.literals[name]).SerializeToString(deterministic=True)
            encoded = name.encode()
            digest.update(len(encoded).to_bytes(4, "big") + encoded + len(collapsed).to_bytes(8, "big"))
            digest.update(collapsed)
    return "flyte_cached-" + _text(digest.digest())


def collapse(literal: literals_pb2.Literal) -> literals_pb2.Literal:
    """The literal with everything that has a hash of its own replaced by that hash, at any depth."""
    if literal.hash:
        return literals_pb2.Literal(hash=literal.hash)
    kind = literal.WhichOneof("value")
    result = literals_pb2.Literal()
    if kind == "collection":
        result.collection.SetInParent()
        result.collection.literals.extend(collapse(item) for item in literal.collection.literals)
    elif kind == "map":
        result.map.SetInParent()
        for key, item in literal.map.literals.items():
            result.map.literals[key].CopyFrom(collapse(item))
    else:
        result.CopyFrom(literal)
        result.metadata.clear()
    return result


def _interface_hash(variables: interface_pb2.VariableMap) -> str:
    digest = hashlib.sha256(b"volant-interface-1")
    for name in sorted(variables.variables):
        type_ = types_pb2.LiteralType()
        type_.CopyFrom(variables.variables[name].type)
        _strip(type_)
        encoded = type_.SerializeToString(deterministic=True)
        digest.update(len(name.encode()).to_bytes(4, "big") + name.encode() + len(encoded).to_bytes(8, "big") + encoded)
    return _text(digest.digest())


def _strip(type_: types_pb2.LiteralType) -> None:
    """Take out what says nothing about values: metadata and annotations, but for those meant for cache keys."""
    type_.ClearField("metadata")
    if type_.HasField("annotation"):
        kept = type_.annotation.annotations.fields
        for key in [key for key in kept if key != _KEPT_ANNOTATION]:
            del kept[key]
        if not kept:
            type_.ClearField("annotation")
    for part in _parts(type_):
        _strip(part)


def _parts(type_: types_pb2.LiteralType) -> list[types_pb2.LiteralType]:
    parts = list(type_.structure.dataclass_type.values()) if type_.HasField("structure") else []
    kind = type_.WhichOneof("type")
    if kind == "collection_type":
        parts.append(type_.collection_type)
    elif kind == "map_value_type":
        parts.append(type_.map_value_type)
    elif kind == "union_type":
        parts.extend(type_.union_type.variants)
    elif kind == "structured_dataset_type":
        parts.extend(column.literal_type for column in type_.structured_dataset_type.columns)
    return parts


def _text(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
