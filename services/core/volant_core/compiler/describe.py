"""Types and bindings in words, for error texts."""

from volantidl.core import literals_pb2, types_pb2

_LONGEST = 300
_LONGEST_LIST = 8


def describe(type_: types_pb2.LiteralType | None) -> str:
    """A type in words: `list of INTEGER`, `STRING or NONE`, `struct {a: INTEGER}`."""
    text = "unknown" if type_ is None else _describe(type_)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _describe(type_: types_pb2.LiteralType) -> str:
    match type_.WhichOneof("type"):
        case "simple":
            return _simple(type_)
        case "collection_type":
            return f"list of {_describe(type_.collection_type)}"
        case "map_value_type":
            return f"map of {_describe(type_.map_value_type)}"
        case "union_type":
            return " or ".join(_describe(variant) for variant in type_.union_type.variants) or "union of nothing"
        case "enum_type":
            return f"enum of {_some(list(type_.enum_type.values))}"
        case "blob":
            shape = "directory" if type_.blob.dimensionality == types_pb2.BlobType.MULTIPART else "file"
            return f"{shape} of format {type_.blob.format}" if type_.blob.format else shape
        case "schema":
            return _columns("schema", [column.name for column in type_.schema.columns])
        case "structured_dataset_type":
            dataset = type_.structured_dataset_type
            kind = f"structured dataset of format {dataset.format}" if dataset.format else "structured dataset"
            return _columns(kind, [f"{c.name}: {_describe(c.literal_type)}" for c in dataset.columns])
        case _:
            return "unknown"


def _simple(type_: types_pb2.LiteralType) -> str:
    if type_.simple not in types_pb2.SimpleType.values():
        return f"simple type {type_.simple}"
    name = types_pb2.SimpleType.Name(type_.simple)
    fields = type_.structure.dataclass_type
    if type_.simple == types_pb2.STRUCT and fields:
        return f"struct {{{_some([f'{key}: {_describe(fields[key])}' for key in sorted(fields)])}}}"
    title = type_.metadata.fields["title"].string_value if "title" in type_.metadata.fields else ""
    return f"{name} {title}" if title else name


def _columns(kind: str, columns: list[str]) -> str:
    return f"{kind} with columns {_some(columns)}" if columns else kind


def _some(items: list[str]) -> str:
    more = ["…"] if len(items) > _LONGEST_LIST else []
    return ", ".join(items[:_LONGEST_LIST] + more)


def describe_binding(binding: literals_pb2.BindingData) -> str:
    """What kind of value a binding gives."""
    match binding.WhichOneof("value"):
        case "collection":
            return f"a list of {len(binding.collection.bindings)} bindings"
        case "map":
            return f"a map of {len(binding.map.bindings)} bindings"
        case "promise":
            return f"output {binding.promise.var} of node {binding.promise.node_id or 'start-node'}"
        case "scalar":
            return "a scalar"
        case "offloaded_metadata":
            return "an offloaded value"
        case _:
            return "nothing"
