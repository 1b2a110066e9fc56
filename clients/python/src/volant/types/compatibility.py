"""Whether a value of one contract type may be given where another is expected: the rules of the platform's compiler.

Being told while defining a workflow is better than being told when registering it.
"""

from __future__ import annotations

from typing import Any

from volantidl.core import types_pb2

_SIMPLE = types_pb2.SimpleType


def assignable(upstream: types_pb2.LiteralType, downstream: types_pb2.LiteralType) -> bool:  # noqa: PLR0911
    """Whether an upstream type can be bound to a downstream one."""
    kind = downstream.WhichOneof("type")
    upstream_kind = upstream.WhichOneof("type")
    if upstream_kind == "union_type":
        variants = upstream.union_type.variants
        if kind == "union_type" or len(variants) == 1:
            return all(assignable(one, downstream) for one in variants)
        return False
    if kind == "union_type":
        return any(assignable(upstream, one) for one in downstream.union_type.variants)
    if kind == "collection_type":
        return upstream_kind == kind and assignable(upstream.collection_type, downstream.collection_type)
    if kind == "map_value_type":
        return upstream_kind == kind and assignable(upstream.map_value_type, downstream.map_value_type)
    if kind == "blob":
        return upstream_kind == kind and _blobs(upstream.blob, downstream.blob)
    if kind in {"structured_dataset_type", "schema"}:
        return upstream_kind in {"structured_dataset_type", "schema"} and _columns(upstream, downstream)
    if kind == "enum_type":
        if upstream_kind == "enum_type":
            return set(upstream.enum_type.values) <= set(downstream.enum_type.values)
        return _is_simple(upstream, _SIMPLE.STRING)
    if upstream_kind == "enum_type":
        return _is_simple(downstream, _SIMPLE.STRING)
    if kind == "simple" and upstream_kind == "simple":
        return upstream.simple == downstream.simple and _structs(upstream, downstream)
    return False


def _is_simple(known: types_pb2.LiteralType, simple: types_pb2.SimpleType.ValueType) -> bool:
    return known.WhichOneof("type") == "simple" and known.simple == simple


def _blobs(upstream: types_pb2.BlobType, downstream: types_pb2.BlobType) -> bool:
    if upstream.dimensionality != downstream.dimensionality:
        return False
    return not upstream.format or not downstream.format or upstream.format == downstream.format


def _columns(upstream: types_pb2.LiteralType, downstream: types_pb2.LiteralType) -> bool:
    if downstream.WhichOneof("type") == "schema" or upstream.WhichOneof("type") == "schema":
        return True
    wanted = downstream.structured_dataset_type
    given = upstream.structured_dataset_type
    if given.format and wanted.format and given.format.lower() != wanted.format.lower():
        return False
    if not given.columns or not wanted.columns:
        return True
    known = {column.name: column.literal_type for column in given.columns}
    return all(c.name in known and assignable(known[c.name], c.literal_type) for c in wanted.columns)


def _structs(upstream: types_pb2.LiteralType, downstream: types_pb2.LiteralType) -> bool:
    if upstream.simple != _SIMPLE.STRUCT:
        return True
    given, wanted = upstream.metadata.fields, downstream.metadata.fields
    if not given or not wanted or "properties" not in given or "properties" not in wanted:
        return True
    return _schemas(upstream.metadata, downstream.metadata)


def _schemas(given: Any, wanted: Any) -> bool:
    """Whether the object of one schema has all that another requires."""
    properties = given["properties"]
    required = list(wanted["required"]) if "required" in wanted.fields else []
    for name in required:
        if name not in properties.fields:
            return False
    for name in wanted["properties"].fields:
        if name in properties.fields and not _same_kind(properties[name], wanted["properties"][name]):
            return False
    return True


def _same_kind(given: Any, wanted: Any) -> bool:
    known = [part.fields["type"].string_value if "type" in part.fields else "" for part in (given, wanted)]
    return not all(known) or known[0] == known[1]


def words(known: types_pb2.LiteralType) -> str:
    """A contract type in a reader's words."""
    kind = known.WhichOneof("type")
    if kind == "simple":
        if known.simple == _SIMPLE.STRUCT and "title" in known.metadata.fields:
            return known.metadata.fields["title"].string_value
        names = {
            _SIMPLE.INTEGER: "int",
            _SIMPLE.FLOAT: "float",
            _SIMPLE.STRING: "str",
            _SIMPLE.BOOLEAN: "bool",
            _SIMPLE.DATETIME: "datetime",
            _SIMPLE.DURATION: "timedelta",
            _SIMPLE.STRUCT: "dict",
            _SIMPLE.NONE: "None",
        }
        return names.get(known.simple, _SIMPLE.Name(known.simple).lower())
    if kind == "collection_type":
        return f"list[{words(known.collection_type)}]"
    if kind == "map_value_type":
        return f"dict[str, {words(known.map_value_type)}]"
    if kind == "union_type":
        return " | ".join(words(one) for one in known.union_type.variants)
    if kind == "blob":
        if known.blob.format == "PythonPickle":
            return f"a pickled {known.metadata.fields['python_class_name'].string_value}"
        name = "Directory" if known.blob.dimensionality == types_pb2.BlobType.MULTIPART else "File"
        return f"{name}[{known.blob.format}]" if known.blob.format else name
    if kind == "structured_dataset_type":
        return "a data frame"
    if kind == "enum_type":
        return f"one of {', '.join(known.enum_type.values)}"
    return kind or "nothing"
