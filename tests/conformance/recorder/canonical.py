"""A reply as JSON, with stable placeholders for what must differ between two endpoints. Pure.

What differs is known by its type (a Timestamp outside a literal), by its field (an execution's name) or by its form in a text
(an address, a path of the machine, a line number). Values of literals stay, but for addresses and names of executions in them.
"""

import base64
import dataclasses
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import msgpack
from google.protobuf import any_pb2, descriptor, json_format, message, struct_pb2

from recorder import recordings

Json = Any

_TIMESTAMP = "google.protobuf.Timestamp"
_DURATION = "google.protobuf.Duration"
_PRIMITIVE = "flyteidl.core.Primitive"
_EXECUTION = "flyteidl.core.WorkflowExecutionIdentifier"
_CATALOG = "flyteidl.core.CatalogMetadata"
_GRAPH = "flyteidl.admin.DynamicWorkflowNodeMetadata"
_BINARY = "flyteidl.core.Binary"
_TOLD_S = 1_893_456_000
"""The year 2030, since 1970: later than any recording, so that who sent an event said so, and it must stay."""

_TEXT: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\b(?:s3|gs|abfs|file)://[^/\s\"']+"), "<store>"),
    (re.compile(r"\bhttps?://[^/\s\"']+"), "<host>"),
    # flytekit's raw data: two characters of spread, then the attempt.
    (re.compile(r"<store>/(?:[\w.-]+/)*?data/[a-z0-9]{2}/"), "<store>/<raw>/"),
    (re.compile(r"/(?:[\w.@~+-]+/)*(?:site|dist)-packages/"), "<packages>/"),
    (re.compile(r"/(?:[\w.@~+-]+/)*lib/python3\.\d+/"), "<python>/"),
    (re.compile(r"/(?:[\w.@~+-]+/)*(?=flows/\w+\.py)"), "<code>/"),
    (re.compile(r"\bline \d+"), "line <n>"),
    (re.compile(r"[0-9a-f]{32}\b"), "<hex>"),
    (re.compile(r"\b[A-Z2-7]{26}={6}"), "<digest>"),
    (re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "<uuid>"),
    (
        re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z| ?[+-]\d\d:?\d\d)?(?: UTC)?(?: m=[+-][\d.]+)?"),
        "<time>",
    ),
    # A pod's or a process's name, and the end of its log, where every image and every library leaves words of its own.
    (
        re.compile(
            r"\s*\[<execution \d+>[\w-]*\] terminated with exit code \((\d+)\)\. Reason \[(\w+)\]\. Message: [\s\S]*"
        ),
        r"[<attempt>] terminated with exit code (\1). Reason [\2]. Message: <log>",
    ),
    # What flytekit packs into a dynamic task's environment.
    (re.compile(r"\bH4sI[\w+/=]{100,}"), "<packed>"),
    (re.compile(r"\b0x[0-9a-f]+\b"), "<id>"),
)


@dataclasses.dataclass(frozen=True, slots=True)
class Names:
    """What a recording's own names are replaced by."""

    placeholders: Mapping[str, str]

    @classmethod
    def of(cls, answers: Iterable[recordings.Answer], known: Mapping[str, str] | None = None) -> "Names":
        """Placeholders for the executions that answers tell of, in order of appearance, beside those `known`."""
        placeholders = dict(known or {})
        for answer in answers:
            if isinstance(answer, message.Message):
                for name in _executions(answer):
                    placeholders.setdefault(name, f"<execution {len(placeholders)}>")
        return cls(placeholders)

    def text(self, text: str) -> str:
        """`text` with placeholders."""
        for name in sorted(self.placeholders, key=len, reverse=True):
            text = text.replace(name, self.placeholders[name])
        for form, placeholder in _TEXT:
            text = form.sub(placeholder, text)
        return text


def of_answer(answer: recordings.Answer, names: Names, ignored: Collection[str] = ()) -> Json:
    """What is compared of an answer."""
    if isinstance(answer, recordings.Refusal):
        details = [_any(detail, names, ignored) for detail in answer.details]
        return {"code": answer.code, "text": names.text(answer.text), "details": details}
    return value(answer, names, ignored)


def value(reply: message.Message, names: Names, ignored: Collection[str] = ()) -> Json:
    """What is compared of a message: fields that are set, but for those ignored (`package.Message.field`)."""
    kind = reply.DESCRIPTOR.full_name
    if kind == _TIMESTAMP:
        return reply.ToJsonString() if reply.seconds >= _TOLD_S else "<time>"  # type: ignore[attr-defined]
    if kind == _BINARY and reply.tag == "msgpack":  # type: ignore[attr-defined]
        return {"msgpack": msgpack.unpackb(reply.value, strict_map_key=False)}  # type: ignore[attr-defined]
    if kind == "google.protobuf.Any":
        return _any(reply, names, ignored)
    if isinstance(reply, struct_pb2.Struct | struct_pb2.Value | struct_pb2.ListValue):
        return _texts(json_format.MessageToDict(reply), names)
    if kind.startswith("google.protobuf."):
        return json_format.MessageToDict(reply)
    result = {}
    for field, content in reply.ListFields():
        if field.full_name in ignored:
            continue
        shown = _field(field, content, names, ignored)
        if shown == {} and isinstance(content, message.Message) and _is_cut(content, ignored):
            continue
        result[field.name] = shown
    if kind == _CATALOG:
        _without_digests(result)
    if kind == _GRAPH:
        _without_drawn_version(result)
    return result


def _without_drawn_version(graph: dict[str, Json]) -> None:
    """The name of a graph that was made at run time: Flyte draws one. It has to be the same in both places, and be there."""
    places = [graph.get("id", {})]
    places.append(graph.get("compiled_workflow", {}).get("primary", {}).get("template", {}).get("id", {}))
    if places[0].get("version") and len({place.get("version") for place in places}) == 1:
        for place in places:
            place["version"] = "<drawn>"


def _without_digests(catalog: dict[str, Json]) -> None:
    """Digests of an interface and of inputs, which are an endpoint's own: keys are equal when what they stand for is."""
    if "dataset_id" in catalog:
        version = catalog["dataset_id"].get("version", "")
        catalog["dataset_id"]["version"] = re.sub(r"-[\w-]{8}-[\w-]{8}$", "-<digest>-<digest>", version)
    if "artifact_tag" in catalog:
        tag = catalog["artifact_tag"].get("name", "")
        catalog["artifact_tag"]["name"] = re.sub(r"^flyte_cached-[\w-]{43}$", "flyte_cached-<digest>", tag)


def _is_cut(content: message.Message, ignored: Collection[str]) -> bool:
    """Whether fields of such a message are left out: then an empty one says no more than none."""
    return any(field.full_name in ignored for field in content.DESCRIPTOR.fields)


def _field(field: descriptor.FieldDescriptor, content: Any, names: Names, ignored: Collection[str]) -> Json:
    one = _one(field, names, ignored)
    if field.label != field.LABEL_REPEATED:
        return one(content)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        of_value = _one(field.message_type.fields_by_name["value"], names, ignored)
        return {names.text(str(key)): of_value(content[key]) for key in sorted(content)}
    return [one(element) for element in content]


def _one(field: descriptor.FieldDescriptor, names: Names, ignored: Collection[str]) -> Callable[[Any], Json]:
    """How one value of a field is written."""
    owner = field.containing_type.full_name
    if field.message_type is not None:
        if owner == _PRIMITIVE:
            return json_format.MessageToJson
        if field.message_type.full_name == _DURATION and owner.endswith("Closure"):
            return lambda _: "<duration>"
        return lambda content: value(content, names, ignored)
    if field.enum_type is not None:
        numbers = field.enum_type.values_by_number
        return lambda content: numbers[content].name if content in numbers else content
    if field.type == field.TYPE_BYTES:
        return lambda content: base64.b64encode(content).decode()
    if field.type == field.TYPE_STRING:
        return names.text
    return lambda content: content if content == content else "NaN"  # noqa: PLR0124 - that is what a NaN is


def _any(packed: message.Message, names: Names, ignored: Collection[str]) -> Json:
    if not isinstance(packed, any_pb2.Any):
        return value(packed, names, ignored)
    wrapped = json_format.MessageToDict(packed, preserving_proto_field_name=True)
    return _texts(wrapped, names)


def _texts(plain: Json, names: Names) -> Json:
    if isinstance(plain, dict):
        return {names.text(key): _texts(plain[key], names) for key in sorted(plain)}
    if isinstance(plain, list):
        return [_texts(element, names) for element in plain]
    return names.text(plain) if isinstance(plain, str) else plain


def _executions(reply: message.Message) -> Iterable[str]:
    """The names of executions in a message, in its order."""
    if reply.DESCRIPTOR.full_name == _EXECUTION:
        if reply.name:  # type: ignore[attr-defined]
            yield reply.name  # type: ignore[attr-defined]
        return
    for field, content in reply.ListFields():
        if field.message_type is None:
            continue
        if field.label != field.LABEL_REPEATED:
            yield from _executions(content)
        elif field.message_type.GetOptions().map_entry:
            if field.message_type.fields_by_name["value"].message_type is not None:
                for key in sorted(content):
                    yield from _executions(content[key])
        else:
            for element in content:
                yield from _executions(element)
