"""Helpers on literals: making the simple ones, looking into them, reading protobuf times."""

from google.protobuf import duration_pb2, timestamp_pb2

from volantidl.core import literals_pb2, types_pb2


def none() -> literals_pb2.Literal:
    """The literal of Python's None."""
    return literals_pb2.Literal(scalar=literals_pb2.Scalar(none_type=literals_pb2.Void()))


def parse_map(data: bytes) -> literals_pb2.LiteralMap:
    """A literal map from its bytes."""
    return literals_pb2.LiteralMap.FromString(data)


def boolean_of(literal: literals_pb2.Literal) -> bool | None:
    """The value of a boolean literal; None when it is not one."""
    primitive = literal.scalar.primitive
    return primitive.boolean if primitive.WhichOneof("value") == "boolean" else None


def may_be_none(type_: types_pb2.LiteralType) -> bool:
    """Whether a value of this type may be left out: a union with none among its variants."""
    return type_.WhichOneof("type") == "union_type" and any(
        variant.WhichOneof("type") == "simple" and variant.simple == types_pb2.NONE
        for variant in type_.union_type.variants
    )


def error_literal(message: str, failed_node_id: str) -> literals_pb2.Literal:
    """What a failure node's input `err` becomes: a union tagged FlyteError that holds the error."""
    error = literals_pb2.Literal(
        scalar=literals_pb2.Scalar(error=types_pb2.Error(message=message, failed_node_id=failed_node_id))
    )
    type_ = types_pb2.LiteralType(simple=types_pb2.ERROR, structure=types_pb2.TypeStructure(tag="FlyteError"))
    return literals_pb2.Literal(scalar=literals_pb2.Scalar(union=literals_pb2.Union(value=error, type=type_)))


def timestamp(seconds: float) -> timestamp_pb2.Timestamp:
    """A point in time from seconds since 1970, to the microsecond."""
    whole, micros = divmod(round(seconds * 1_000_000), 1_000_000)
    return timestamp_pb2.Timestamp(seconds=whole, nanos=micros * 1000)


def seconds_of(stamp: timestamp_pb2.Timestamp | duration_pb2.Duration) -> float:
    """Seconds since 1970, or of a duration."""
    return stamp.seconds + stamp.nanos / 1_000_000_000


def go_duration(seconds: float) -> str:
    """A length of time as Go prints it ("1m30s", "500ms"), for texts that clients know from Flyte."""
    if seconds == 0:
        return "0s"
    if seconds < 1:
        return f"{seconds * 1000:g}ms"
    whole, fraction = divmod(seconds, 60)
    minutes, hours = int(whole) % 60, int(whole) // 60
    text = f"{fraction:.9f}".rstrip("0").rstrip(".") + "s"
    if hours:
        return f"{hours}h{minutes}m{text}"
    return f"{minutes}m{text}" if minutes else text
