"""Which types can be given where which are expected, and the type of a value."""

import functools
from collections.abc import Iterable, Mapping, Sequence

from volant_core.compiler import json_schemas
from volantidl.core import literals_pb2, types_pb2

_MESSAGE_PACK = "msgpack"
_NONE = types_pb2.LiteralType(simple=types_pb2.NONE)
_SCHEMA_COLUMNS = {
    types_pb2.SchemaType.SchemaColumn.INTEGER: types_pb2.INTEGER,
    types_pb2.SchemaType.SchemaColumn.FLOAT: types_pb2.FLOAT,
    types_pb2.SchemaType.SchemaColumn.STRING: types_pb2.STRING,
    types_pb2.SchemaType.SchemaColumn.BOOLEAN: types_pb2.BOOLEAN,
    types_pb2.SchemaType.SchemaColumn.DATETIME: types_pb2.DATETIME,
    types_pb2.SchemaType.SchemaColumn.DURATION: types_pb2.DURATION,
}


def castable(upstream: types_pb2.LiteralType, downstream: types_pb2.LiteralType) -> bool:
    """Whether a value of type `upstream` can be given where `downstream` is expected."""
    return _castable(upstream.SerializeToString(deterministic=True), downstream.SerializeToString(deterministic=True))


@functools.lru_cache(maxsize=1024)
def _castable(upstream: bytes, downstream: bytes) -> bool:
    """The same on serialized types: a graph has few types and many edges."""
    return _fits(types_pb2.LiteralType.FromString(upstream), types_pb2.LiteralType.FromString(downstream))


def _fits(upstream: types_pb2.LiteralType, downstream: types_pb2.LiteralType) -> bool:
    variants = upstream.union_type.variants
    if len(variants) == 1 and _casts(variants[0], downstream):
        return True
    return _casts(upstream, downstream)


def _casts(upstream: types_pb2.LiteralType, downstream: types_pb2.LiteralType) -> bool:
    match downstream.WhichOneof("type"):
        case "collection_type":
            if upstream.WhichOneof("type") != "collection_type":
                return False
            inner = upstream.collection_type
            return is_none(inner) or _casts(inner, downstream.collection_type)
        case "map_value_type":
            if upstream.WhichOneof("type") != "map_value_type":
                return False
            inner = upstream.map_value_type
            return is_none(inner) or _casts(inner, downstream.map_value_type)
        case "blob":
            formats = {upstream.blob.format, downstream.blob.format} - {""}
            return upstream.HasField("blob") and len(formats) <= 1
        case "schema":
            return _casts_to_schema(upstream, downstream.schema)
        case "structured_dataset_type":
            return _casts_to_dataset(upstream, downstream.structured_dataset_type)
        case "union_type":
            return _casts_to_union(upstream, downstream.union_type)
        case _:
            return _casts_simply(upstream, downstream)


def _casts_to_union(upstream: types_pb2.LiteralType, downstream: types_pb2.UnionType) -> bool:
    if upstream.HasField("union_type"):
        return all(any(_fits(theirs, ours) for ours in downstream.variants) for theirs in upstream.union_type.variants)
    # One variant, and only one: which of two would be meant could not be told.
    return sum(_fits(upstream, variant) for variant in downstream.variants) == 1


def _casts_simply(upstream: types_pb2.LiteralType, downstream: types_pb2.LiteralType) -> bool:
    if is_none(downstream):
        return is_none(upstream)
    if upstream.HasField("enum_type") and _is_simple(downstream, types_pb2.STRING):
        return True
    if downstream.HasField("enum_type") and _is_simple(upstream, types_pb2.STRING):
        return True
    tag = upstream.structure.tag
    if tag and tag != downstream.structure.tag:
        return False
    if _is_simple(upstream, types_pb2.STRUCT) and _is_simple(downstream, types_pb2.STRUCT):
        if not upstream.HasField("metadata") or not downstream.HasField("metadata"):
            return True
        return json_schemas.readable_as(upstream.metadata, downstream.metadata)
    return _bare(upstream) == _bare(downstream)


def _bare(type_: types_pb2.LiteralType) -> types_pb2.LiteralType:
    """The type without what does not count when types are compared."""
    bare = types_pb2.LiteralType()
    bare.CopyFrom(type_)
    for field in ("metadata", "structure", "annotation"):
        bare.ClearField(field)
    return bare


def _casts_to_schema(upstream: types_pb2.LiteralType, downstream: types_pb2.SchemaType) -> bool:
    wanted = {column.name: column.type for column in downstream.columns}
    if upstream.HasField("schema"):
        return _has_columns({column.name: column.type for column in upstream.schema.columns}, wanted)
    if not upstream.HasField("structured_dataset_type") or not _is_parquet(upstream.structured_dataset_type.format):
        return False
    columns = {column.name: column.literal_type.simple for column in upstream.structured_dataset_type.columns}
    return _has_columns(columns, {name: _SCHEMA_COLUMNS.get(type_) for name, type_ in wanted.items()})


def _casts_to_dataset(upstream: types_pb2.LiteralType, downstream: types_pb2.StructuredDatasetType) -> bool:
    if is_none(upstream):
        return True
    if upstream.HasField("schema"):
        columns = {column.name: _SCHEMA_COLUMNS.get(column.type) for column in upstream.schema.columns}
        wanted = {column.name: column.literal_type.simple for column in downstream.columns}
        return _is_parquet(downstream.format) and _has_columns(columns, wanted)
    if not upstream.HasField("structured_dataset_type"):
        return False
    theirs = upstream.structured_dataset_type
    formats = {theirs.format.lower(), downstream.format.lower()} - {""}
    if len(formats) > 1:
        return False
    if not theirs.columns or not downstream.columns:
        return True
    types = {column.name: column.literal_type for column in theirs.columns}
    return all(
        column.name in types and _casts(types[column.name], column.literal_type) for column in downstream.columns
    )


def _has_columns(columns: Mapping[str, object], wanted: Mapping[str, object]) -> bool:
    if not columns or not wanted:
        return True
    return all(name in columns and columns[name] == type_ for name, type_ in wanted.items())


def _is_parquet(format_: str) -> bool:
    return format_.lower() in {"", "parquet"}


def _is_simple(type_: types_pb2.LiteralType, simple: types_pb2.SimpleType.ValueType) -> bool:
    return type_.WhichOneof("type") == "simple" and type_.simple == simple


def is_none(type_: types_pb2.LiteralType) -> bool:
    """Whether it is the type of nothing."""
    return _is_simple(type_, types_pb2.NONE)


def is_optional(type_: types_pb2.LiteralType) -> bool:
    """Whether an input of this type may stay unbound: it is a union in which nothing is allowed."""
    return any(is_none(variant) for variant in type_.union_type.variants)


_PRIMITIVES = {
    "integer": types_pb2.INTEGER,
    "float_value": types_pb2.FLOAT,
    "string_value": types_pb2.STRING,
    "boolean": types_pb2.BOOLEAN,
    "datetime": types_pb2.DATETIME,
    "duration": types_pb2.DURATION,
}


def type_of_primitive(primitive: literals_pb2.Primitive) -> types_pb2.LiteralType:
    """The type of a primitive; NONE for an empty one."""
    return types_pb2.LiteralType(simple=_PRIMITIVES.get(primitive.WhichOneof("value") or "", types_pb2.NONE))


def type_of_scalar(scalar: literals_pb2.Scalar) -> types_pb2.LiteralType | None:
    """The type of a scalar; None when it has no value that is known."""
    simple: types_pb2.SimpleType.ValueType
    match scalar.WhichOneof("value"):
        case "primitive":
            return type_of_primitive(scalar.primitive)
        case "blob":
            return types_pb2.LiteralType(blob=scalar.blob.metadata.type) if scalar.blob.HasField("metadata") else None
        case "schema":
            return types_pb2.LiteralType(schema=scalar.schema.type)
        case "structured_dataset":
            return types_pb2.LiteralType(
                structured_dataset_type=scalar.structured_dataset.metadata.structured_dataset_type
            )
        case "union":
            return types_pb2.LiteralType(union_type=types_pb2.UnionType(variants=[scalar.union.type]))
        case "binary":
            simple = types_pb2.STRUCT if scalar.binary.tag == _MESSAGE_PACK else types_pb2.BINARY
        case "none_type":
            simple = types_pb2.NONE
        case "error":
            simple = types_pb2.ERROR
        case "generic":
            simple = types_pb2.STRUCT
        case _:
            return None
    return types_pb2.LiteralType(simple=simple)


def type_of_literal(literal: literals_pb2.Literal) -> types_pb2.LiteralType | None:
    """The type of a literal; None when it holds a value that is not known.

    A list or map of different types has a union of them, one of nothing the type NONE.
    """
    match literal.WhichOneof("value"):
        case "scalar":
            return type_of_scalar(literal.scalar)
        case "collection":
            inner = _type_of_all(literal.collection.literals)
            return None if inner is None else types_pb2.LiteralType(collection_type=inner)
        case "map":
            inner = _type_of_all(literal.map.literals.values())
            return None if inner is None else types_pb2.LiteralType(map_value_type=inner)
        case "offloaded_metadata":
            return literal.offloaded_metadata.inferred_type
        case _:
            return None


def _type_of_all(literals: Iterable[literals_pb2.Literal]) -> types_pb2.LiteralType | None:
    found: dict[bytes, types_pb2.LiteralType] = {}
    empty: types_pb2.LiteralType | None = None
    for literal in literals:
        type_ = type_of_literal(literal)
        if type_ is None:
            return None
        if literal.WhichOneof("value") == "collection" and not literal.collection.literals:
            empty = type_  # an empty list says nothing of the type of the lists beside it
            continue
        found.setdefault(type_.SerializeToString(deterministic=True), type_)
    if not found:
        return empty or _NONE
    types = [found[key] for key in sorted(found)]
    return types[0] if len(types) == 1 else _union(types)


def _union(types: Sequence[types_pb2.LiteralType]) -> types_pb2.LiteralType:
    """A union of the types; lists of unions among them are merged into one list of all their variants."""
    variants: list[types_pb2.LiteralType] = []
    nested = False
    for type_ in types:
        if type_.collection_type.HasField("union_type"):
            nested = True
            variants.extend(type_.collection_type.union_type.variants)
        else:
            variants.append(type_)
    union = types_pb2.LiteralType(union_type=types_pb2.UnionType(variants=variants))
    return types_pb2.LiteralType(collection_type=union) if nested else union
