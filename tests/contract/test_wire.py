"""The contract against the wire facts of flyteidl 1.16.8, of which `flyteidl-1.16.8.json` is our own copy."""

import importlib
import json
import pathlib
import pkgutil
from typing import Any

from google.api import annotations_pb2
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor, FileDescriptor, MethodDescriptor

import volantidl
from volant_core.rpc import names

FACTS = json.loads((pathlib.Path(__file__).parent / "flyteidl-1.16.8.json").read_text())
TYPES = {
    value: name.removeprefix("TYPE_").lower()
    for name, value in vars(FieldDescriptor).items()
    if name.startswith("TYPE_")
}


def files() -> list[FileDescriptor]:
    modules = pkgutil.walk_packages(volantidl.__path__, "volantidl.")
    return [importlib.import_module(info.name).DESCRIPTOR for info in modules if info.name.endswith("_pb2")]


def messages_below(found: Any) -> list[Descriptor]:
    return [found, *(inner for nested in found.nested_types for inner in messages_below(nested))]


MESSAGES = {
    names.flyte_name(message.full_name): message
    for file in files()
    for top in file.message_types_by_name.values()
    for message in messages_below(top)
}
ENUMS: dict[str | None, EnumDescriptor] = {
    names.flyte_name(enum.full_name): enum for file in files() for enum in file.enum_types_by_name.values()
} | {names.flyte_name(enum.full_name): enum for message in MESSAGES.values() for enum in message.enum_types}
SERVICES = {
    names.flyte_name(service.full_name): service for file in files() for service in file.services_by_name.values()
}


def type_of(field: FieldDescriptor) -> str:
    named = field.message_type or field.enum_type
    if named is None:
        return TYPES[field.type]
    return names.flyte_name(named.full_name) or named.full_name


def is_repeated(field: FieldDescriptor) -> bool:
    known = getattr(field, "is_repeated", None)
    return bool(field.label == FieldDescriptor.LABEL_REPEATED if known is None else known)


def facts_of_field(field: FieldDescriptor) -> dict[str, Any]:
    facts = {"name": field.name, "number": field.number, "label": "singular", "type": type_of(field)}
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        key, value = field.message_type.fields
        facts |= {"label": "map", "type": f"map<{type_of(key)}, {type_of(value)}>"}
    elif is_repeated(field):
        facts["label"] = "repeated"
    if field.containing_oneof is not None:
        facts["oneof"] = field.containing_oneof.name
    return facts


def facts_of_method(method: MethodDescriptor) -> dict[str, Any]:
    facts: dict[str, Any] = {"request": type_name(method.input_type), "response": type_name(method.output_type)}
    if method.client_streaming:
        facts["client_streaming"] = True
    if method.server_streaming:
        facts["server_streaming"] = True
    rule = method.GetOptions().Extensions[annotations_pb2.http]
    rules = [rule, *rule.additional_bindings] if rule.WhichOneof("pattern") else []
    for one in rules:
        verb = one.WhichOneof("pattern")
        entry = {verb: getattr(one, verb)} | ({"body": one.body} if one.body else {})
        facts.setdefault("http", []).append(entry)
    return facts


def type_name(message: Descriptor) -> str:
    return names.flyte_name(message.full_name) or message.full_name


def test_the_facts_are_whole() -> None:
    fields = [field for message in FACTS["messages"].values() for field in message["fields"]]
    methods = [method for service in FACTS["services"].values() for method in service["methods"].values()]
    with_http = [method for method in methods if "http" in method]
    counts = [len(FACTS["messages"]), len(fields), len(FACTS["enums"]), len(methods), len(with_http)]
    assert counts == [437, 1308, 53, 92, 73]


def test_every_message_has_the_same_fields() -> None:
    ours = {name: sorted(map(facts_of_field, m.fields), key=lambda f: f["number"]) for name, m in MESSAGES.items()}
    for name, message in FACTS["messages"].items():
        mine = [field for field in ours[name] if field["number"] < 1000]
        assert mine == sorted(message["fields"], key=lambda f: f["number"]), name


def test_every_enum_has_the_same_values() -> None:
    for name, enum in FACTS["enums"].items():
        assert {value.name: value.number for value in ENUMS[name].values} == enum["values"], name


def test_every_method_has_the_same_types_and_paths() -> None:
    for name, service in FACTS["services"].items():
        mine = {method.name: facts_of_method(method) for method in SERVICES[name].methods}
        assert mine == service["methods"], name


def test_what_is_ours_has_no_flyte_name() -> None:
    ours = {service.full_name for name, service in SERVICES.items() if name is None}
    assert all(name.startswith(("volantidl.dispatch.", "volantidl.catalog.", "volantidl.driver.")) for name in ours)
    assert set(SERVICES) - {None} == set(FACTS["services"])
