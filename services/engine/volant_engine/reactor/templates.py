"""Command templates: `{{ .Input }}` and its like in a container's command (contract rows 2.101 to 2.104)."""

import dataclasses
import decimal
import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgpack
from google.protobuf import json_format, struct_pb2, timestamp_pb2

from volant_core.model import literals, naming
from volantidl.core import literals_pb2, tasks_pb2

_VARIABLE = re.compile(r"\{\{\s*[.$]([a-zA-Z_]+)\s*\}\}")
_INPUT = re.compile(r"\{\{\s*[.$]Inputs\.([^}\s]+)\s*\}\}", re.IGNORECASE)


class TemplateError(Exception):
    """The command asks for what cannot be put into a text."""


@dataclasses.dataclass(frozen=True, slots=True)
class Variables:
    """What the templates of one attempt stand for."""

    input: str
    input_prefix: str
    output_prefix: str
    raw_output_data_prefix: str
    generated_name: str
    task_template_path: str
    prev_checkpoint_prefix: str
    checkpoint_output_prefix: str
    namespace: str

    def texts(self) -> dict[str, str]:
        """By name in lower case."""
        return {
            "input": self.input,
            "inputprefix": self.input_prefix,
            "outputprefix": self.output_prefix,
            "rawoutputdataprefix": self.raw_output_data_prefix,
            "perretryuniquekey": naming.per_retry_unique_key(self.generated_name),
            "tasktemplatepath": self.task_template_path,
            "prevcheckpointprefix": self.prev_checkpoint_prefix or '""',
            "checkpointoutputprefix": self.checkpoint_output_prefix,
            "namespace": self.namespace,
        }


def command_of(task: tasks_pb2.TaskTemplate) -> list[str]:
    """A task's command and arguments, unrendered: its container's, or its pod's primary container's."""
    target = task.WhichOneof("target")
    if target == "container":
        return [*task.container.command, *task.container.args]
    if target == "k8s_pod":
        container = _primary(task)
        return [*container.get("command", []), *container.get("args", [])]
    return []


def environment_of(task: tasks_pb2.TaskTemplate) -> dict[str, str]:
    """The variables that a task's container declares; of a pod's primary one, those with a value of their own."""
    if task.WhichOneof("target") != "k8s_pod":
        return {entry.key: entry.value for entry in task.container.env}
    declared = _primary(task).get("env", [])
    return {
        entry["name"]: str(entry.get("value", "")) for entry in declared if "name" in entry and "valueFrom" not in entry
    }


def _primary(task: tasks_pb2.TaskTemplate) -> dict[str, Any]:
    """The container of a task's pod that the task runs in; empty where there is none."""
    pod = json_format.MessageToDict(task.k8s_pod.pod_spec)
    primary = task.config.get("primary_container_name", "")
    for container in pod.get("containers", []):
        if container.get("name") == primary or not primary:
            return dict(container)
    return {}


def companions(task: tasks_pb2.TaskTemplate) -> list[str]:
    """The words of all containers of a task's pod; none where it is a container."""
    return [word.string_value for words in _words_of(task) for word in words.values]


def with_companions_rendered(
    task: tasks_pb2.TaskTemplate, variables: Variables, inputs: literals_pb2.LiteralMap | None
) -> tasks_pb2.TaskTemplate:
    """The task, the words of all containers of its pod rendered; itself where there is nothing to render."""
    if not any("{{" in word for word in companions(task)):
        return task
    result = tasks_pb2.TaskTemplate()
    result.CopyFrom(task)
    for words in _words_of(result):
        for word in words.values:
            (word.string_value,) = render([word.string_value], variables, inputs)
    return result


def _words_of(task: tasks_pb2.TaskTemplate) -> Iterator[struct_pb2.ListValue]:
    if task.WhichOneof("target") != "k8s_pod":
        return
    spec = task.k8s_pod.pod_spec.fields
    for kind in ("initContainers", "containers"):
        for container in spec[kind].list_value.values if kind in spec else ():
            fields = container.struct_value.fields
            for name in ("command", "args"):
                if name in fields:
                    yield fields[name].list_value


def uses(command: Sequence[str], name: str) -> bool:
    """Whether a command refers to a variable; `inputs` means any input's value."""
    if name == "inputs":
        return any(_INPUT.search(part) for part in command)
    return any(match.lower() == name for part in command for match in _VARIABLE.findall(part))


def render(command: Sequence[str], variables: Variables, inputs: literals_pb2.LiteralMap | None) -> list[str]:
    """The command with its templates replaced; names that mean nothing stay as they are."""
    texts = variables.texts()

    def variable(match: re.Match[str]) -> str:
        return texts.get(match.group(1).lower(), match.group(0))

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        if inputs is None or name not in inputs.literals:
            raise TemplateError(f"the command refers to input [{name}], which the task was not given")
        return text_of(inputs.literals[name], name)

    return [_INPUT.sub(value, _VARIABLE.sub(variable, part)) if "{{" in part else part for part in command]


def text_of(literal: literals_pb2.Literal, name: str) -> str:
    """A literal as a text for a command line."""
    kind = literal.WhichOneof("value")
    if kind == "collection":
        return "[" + ",".join(text_of(item, name) for item in literal.collection.literals) + "]"
    if kind != "scalar":
        raise TemplateError(f"input [{name}] is a {kind or 'nothing'}, which cannot be put into a command")
    scalar = literal.scalar
    inner = scalar.WhichOneof("value")
    if inner == "primitive":
        return _primitive(scalar.primitive)
    if inner == "blob":
        return scalar.blob.uri
    if inner == "schema":
        return scalar.schema.uri
    if inner == "binary" and scalar.binary.tag == "msgpack":
        return _go(msgpack.unpackb(scalar.binary.value, strict_map_key=False))
    raise TemplateError(f"input [{name}] is of kind [{inner}], which cannot be put into a command")


def _primitive(primitive: literals_pb2.Primitive) -> str:
    kind = primitive.WhichOneof("value")
    if kind == "datetime":
        return _rfc3339(primitive.datetime)
    if kind == "duration":
        return literals.go_duration(literals.seconds_of(primitive.duration))
    return _go(getattr(primitive, kind)) if kind else ""


def _rfc3339(stamp: timestamp_pb2.Timestamp) -> str:
    return stamp.ToJsonString()


def _go(value: Any) -> str:
    """A value as Go's %v prints it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _go_float(value)
    if isinstance(value, dict):
        return "map[" + " ".join(f"{_go(key)}:{_go(value[key])}" for key in sorted(value, key=str)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(_go(item) for item in value) + "]"
    return "<nil>" if value is None else str(value)


def _go_float(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    exponent = math.floor(math.log10(abs(value))) if value else 0
    if -5 < exponent < 21:
        text = format(decimal.Decimal(repr(value)), "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    mantissa, _, power = repr(value).partition("e")
    return f"{mantissa.removesuffix('.0')}e{int(power):+03d}"
