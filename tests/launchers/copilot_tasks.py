"""Attempts whose inputs and outputs are files, for both launchers that run such."""

from collections.abc import Mapping
from typing import Any

import launcher_worlds

from volant_core import errors
from volant_engine.launchers import port
from volantidl.core import errors_pb2, identifier_pb2, interface_pb2, literals_pb2, tasks_pb2, types_pb2

_SIMPLE = types_pb2.SimpleType
_EVERYTHING = """
set -e
cd /var/in
test "$(cat number)" = 20
test "$(cat when)" = 2026-11-23T20:15:00Z
test -s inputs.pb
for form in $FORMS; do grep -q '"/var/in/file"\\|"file": "[^"]*/file"' inputs.$form; done
echo $(($(cat number) + 1)) >/var/out/number
tr a-z A-Z <name >/var/out/name.txt
echo $RATIO >/var/out/ratio
echo false >/var/out/flag
cat when >/var/out/when
echo 1h30m >/var/out/pause
cat "$1" file >/var/out/file
mkdir -p /var/out/tree/below
cp tree/one /var/out/tree/
cp tree/below/two /var/out/tree/below/
"""


def kind_of(name: str) -> types_pb2.LiteralType:
    """A type by its name: a simple one's, `file` or `tree`."""
    if name in {"file", "tree"}:
        dimensionality = types_pb2.BlobType.MULTIPART if name == "tree" else types_pb2.BlobType.SINGLE
        return types_pb2.LiteralType(blob=types_pb2.BlobType(dimensionality=dimensionality))
    return types_pb2.LiteralType(simple=_SIMPLE.Value(name.upper()))


def attempt(
    world: Any,
    name: str,
    script: str,
    /,
    *,
    inputs: Mapping[str, str] | None = None,
    form: str = "JSON",
    **outputs: str,
) -> port.Attempt:
    """An attempt that runs a shell script; inputs and outputs are names of types."""

    def variables(kinds: Mapping[str, str]) -> interface_pb2.VariableMap:
        made = {one: interface_pb2.Variable(type=kind_of(kind)) for one, kind in kinds.items()}
        return interface_pb2.VariableMap(variables=made)

    words = ["/bin/sh", "-c", script]
    config = tasks_pb2.DataLoadingConfig(enabled=True, input_path="/var/in", output_path="/var/out")
    config.format = tasks_pb2.DataLoadingConfig.LiteralMapFormat.Value(form)
    task = tasks_pb2.TaskTemplate(
        id=identifier_pb2.Identifier(name="t"),
        type="raw-container",
        interface=interface_pb2.TypedInterface(inputs=variables(inputs or {}), outputs=variables(outputs)),
        container=tasks_pb2.Container(image="localhost/python:3.11", command=words, data_config=config),
    )
    return launcher_worlds.attempt(name, words, task=task)


def primitive(**value: Any) -> literals_pb2.Literal:
    return literals_pb2.Literal(scalar=literals_pb2.Scalar(primitive=literals_pb2.Primitive(**value)))


def blob(uri: str, kind: str) -> literals_pb2.Literal:
    metadata = literals_pb2.BlobMetadata(type=kind_of(kind).blob)
    return literals_pb2.Literal(scalar=literals_pb2.Scalar(blob=literals_pb2.Blob(uri=uri, metadata=metadata)))


async def everything(world: Any, name: str, form: str) -> port.Attempt:
    """An attempt with inputs and outputs of each kind, its inputs in place."""
    given = {"number": "integer", "name": "string", "when": "datetime", "file": "file", "tree": "tree"}
    made = {"ratio": "float", "flag": "boolean", "pause": "duration", **given}
    result = attempt(world, name, _EVERYTHING, inputs=given, form=form, **made)
    result.task.container.command.append("/bin/sh")
    result.task.container.args.append("/var/in/file")
    result.arguments.extend(["/bin/sh", "/var/in/file"])
    result.environment.update(RATIO="0.5", FORMS="" if form == "PROTO" else form.lower())
    values = {
        "number": primitive(integer=20),
        "name": primitive(string_value="ada"),
        "when": primitive(),
        "file": blob("s3://volant/given/file", "file"),
        "tree": blob("s3://volant/given/tree", "tree"),
    }
    values["when"].scalar.primitive.datetime.FromJsonString("2026-11-23T20:15:00Z")
    for key, text in {"file": "twice;", "tree/one": "1", "tree/below/two": "2"}.items():
        await world.blobs.put(f"s3://volant/given/{key}", text.encode())
    await world.blobs.put(result.input_uri, literals_pb2.LiteralMap(literals=values).SerializeToString())
    return result


async def check_everything(world: Any, of: port.Attempt) -> None:
    """What it must have left."""
    data = await world.blobs.get(f"{of.output_prefix}/outputs.pb")
    made = literals_pb2.LiteralMap.FromString(data).literals
    assert made["number"] == primitive(integer=21)
    assert made["name"] == primitive(string_value="ADA")
    assert made["ratio"] == primitive(float_value=0.5)
    assert made["flag"] == primitive(boolean=False)
    assert made["pause"].scalar.primitive.duration.seconds == 5400
    assert made["when"].scalar.primitive.datetime.ToJsonString() == "2026-11-23T20:15:00Z"
    assert made["file"] == blob(f"{of.raw_output_prefix}/file", "file")
    assert made["tree"] == blob(f"{of.raw_output_prefix}/tree", "tree")
    for key, text in {"file": "twice;twice;", "tree/one": "1", "tree/below/two": "2"}.items():
        assert await world.blobs.get(f"{of.raw_output_prefix}/{key}") == text.encode()


async def error_of(world: Any, of: port.Attempt) -> errors_pb2.ContainerError | None:
    """The error document that it left."""
    try:
        data = await world.blobs.get(f"{of.output_prefix}/error.pb")
    except errors.NotFoundError:
        return None
    return errors_pb2.ErrorDocument.FromString(data).error
