"""Requests that no service can keep are refused before any of them sees them, with the field's name."""

import grpc
import pytest

from volant_core import errors, rpc
from volant_core.rpc import wellformed
from volantidl.admin import common_pb2, execution_pb2, version_pb2
from volantidl.core import literals_pb2
from volantidl.service import admin_pb2_grpc

CHECK = wellformed.checker(execution_pb2.ExecutionCreateRequest.DESCRIPTOR)


def problem(request: execution_pb2.ExecutionCreateRequest) -> str | None:
    assert CHECK is not None
    try:
        CHECK(request, request.SerializeToString())
    except errors.InvalidArgumentError as error:
        return error.message
    return None


def valid() -> execution_pb2.ExecutionCreateRequest:
    request = execution_pb2.ExecutionCreateRequest(project="p", domain="d", name="n")
    request.spec.labels.values["team"] = "core"
    request.spec.tags.extend(["a", "b"])
    # 1.0 has NUL bytes on the wire: they are not text.
    request.inputs.literals["x"].scalar.primitive.float_value = 1.0
    request.inputs.literals["t"].collection.literals.add().scalar.primitive.datetime.seconds = -62_135_596_800
    request.inputs.literals["d"].scalar.primitive.duration.nanos = -999_999_999
    request.inputs.literals["s"].scalar.primitive.string_value = "a user's text may be \x00 anything"
    request.inputs.literals["g"].scalar.generic.fields["k"].string_value = "\x00"
    return request


def test_a_valid_request_passes() -> None:
    assert problem(valid()) is None


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("project", "a\x00", "project is a text with a NUL character"),
        ("spec.labels.values", {"a": "\x00"}, "spec.labels.values['a'] is a text with a NUL"),
        ("spec.labels.values", {"\x00": "a"}, "spec.labels.values has a key with a NUL"),
        ("spec.tags", ["ok", "\x00"], "spec.tags[1] is a text with a NUL"),
        ("inputs.literals", {"x\x00": {}}, "inputs.literals has a key with a NUL"),
        (
            "inputs.literals",
            {"l": {"collection": {"literals": [{"scalar": {"primitive": {"datetime": {"seconds": 2**60}}}}]}}},
            "inputs.literals['l'].collection.literals[0].scalar.primitive.datetime is not a valid timestamp",
        ),
        (
            "inputs.literals",
            {"l": {"scalar": {"primitive": {"datetime": {"seconds": 0, "nanos": -1}}}}},
            "inputs.literals['l'].scalar.primitive.datetime is not a valid timestamp",
        ),
        (
            "inputs.literals",
            {"l": {"scalar": {"primitive": {"duration": {"seconds": 1, "nanos": -1}}}}},
            "inputs.literals['l'].scalar.primitive.duration is not a valid duration",
        ),
    ],
)
def test_what_is_wrong_is_named(path: str, value: object, words: str) -> None:
    if path == "inputs.literals" and isinstance(value, dict):
        value = {key: literals_pb2.Literal(**fields) for key, fields in value.items()}
    changed: object = value
    for part in reversed(path.split(".")):
        changed = {part: changed}
    assert isinstance(changed, dict)
    assert words in str(problem(execution_pb2.ExecutionCreateRequest(**changed)))


def test_nothing_to_check() -> None:
    assert wellformed.checker(version_pb2.GetVersionRequest.DESCRIPTOR) is None


async def test_a_server_refuses(channel: grpc.aio.Channel) -> None:
    stub = admin_pb2_grpc.AdminServiceStub(channel)
    with pytest.raises(errors.InvalidArgumentError, match=r"id\.project is a text with a NUL character"):
        await rpc.call(stub.GetTask(common_pb2.ObjectGetRequest(id={"project": "\x00"})))
