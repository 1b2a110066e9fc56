"""Values and times in words."""

import datetime
import json

from google.protobuf import duration_pb2, struct_pb2, timestamp_pb2

from volantidl.core import literals_pb2

_LONGEST = 4000
_MOST_ITEMS = 100
_DEEPEST = 20


def moment(stamp: timestamp_pb2.Timestamp) -> str:
    """A time of day, in UTC."""
    if not stamp.seconds:
        return ""
    start = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    try:
        at = start + datetime.timedelta(seconds=stamp.seconds, microseconds=stamp.nanos // 1000)
    except OverflowError:
        return ""
    return at.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def length(duration: duration_pb2.Duration) -> str:
    """A length of time."""
    seconds = duration.seconds + duration.nanos / 1e9
    if seconds < 60:
        return f"{seconds:.3f} s"
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min {seconds} s" if hours else f"{minutes} min {seconds} s"


def literal(value: literals_pb2.Literal, depth: int = 0) -> str:
    """A value, cut where it is long."""
    if depth > _DEEPEST:
        return "…"
    match value.WhichOneof("value"):
        case "scalar":
            text = _scalar(value.scalar, depth)
        case "collection":
            items = [literal(item, depth + 1) for item in value.collection.literals[:_MOST_ITEMS]]
            more = ["…"] if len(value.collection.literals) > _MOST_ITEMS else []
            text = f"[{', '.join(items + more)}]"
        case "map":
            names = sorted(value.map.literals)[:_MOST_ITEMS]
            pairs = [f"{name}: {literal(value.map.literals[name], depth + 1)}" for name in names]
            more = ["…"] if len(value.map.literals) > _MOST_ITEMS else []
            text = f"{{{', '.join(pairs + more)}}}"
        case "offloaded_metadata":
            text = value.offloaded_metadata.uri
        case _:
            text = ""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _scalar(scalar: literals_pb2.Scalar, depth: int) -> str:
    match scalar.WhichOneof("value"):
        case "primitive":
            return _primitive(scalar.primitive)
        case "blob":
            return scalar.blob.uri
        case "schema":
            return scalar.schema.uri
        case "structured_dataset":
            return scalar.structured_dataset.uri
        case "none_type":
            return "None"
        case "error":
            return scalar.error.message
        case "generic":
            return json.dumps(_plain(scalar.generic, depth + 1), ensure_ascii=False)
        case "binary":
            return f"{len(scalar.binary.value)} bytes of {scalar.binary.tag or 'binary data'}"
        case "union":
            return literal(scalar.union.value, depth + 1)
        case _:
            return ""


def _primitive(primitive: literals_pb2.Primitive) -> str:
    match primitive.WhichOneof("value"):
        case "datetime":
            return moment(primitive.datetime)
        case "duration":
            return length(primitive.duration)
        case "string_value":
            return primitive.string_value
        case None:
            return ""
        case kind:
            return str(getattr(primitive, kind))


def _plain(struct: struct_pb2.Struct, depth: int) -> dict[str, object]:
    return {name: _value(struct.fields[name], depth) for name in sorted(struct.fields)}


def _value(value: struct_pb2.Value, depth: int) -> object:
    if depth > _DEEPEST:
        return "…"
    match value.WhichOneof("kind"):
        case "struct_value":
            return _plain(value.struct_value, depth + 1)
        case "list_value":
            return [_value(item, depth + 1) for item in value.list_value.values[:_MOST_ITEMS]]
        case "null_value" | None:
            return None
        case kind:
            return getattr(value, kind)
