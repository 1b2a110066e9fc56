"""Recordings: answers by key, and their files."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import grpc
from flyteidl.datacatalog import datacatalog_pb2
from flyteidl.service import admin_pb2, dataproxy_pb2, signal_pb2
from google.protobuf import json_format, message, symbol_database
from google.rpc import status_pb2

# Imported for their messages, and those that they import, to be known by name.
KNOWN = (admin_pb2, datacatalog_pb2, dataproxy_pb2, signal_pb2)


@dataclasses.dataclass(frozen=True, slots=True)
class Refusal:
    """A call that failed."""

    code: str
    """Its gRPC status, such as NOT_FOUND."""
    text: str
    details: tuple[message.Message, ...] = ()
    """Typed details of the status, if any."""


Answer = message.Message | Refusal


@dataclasses.dataclass(frozen=True, slots=True)
class Recording:
    """What an endpoint answered."""

    version: message.Message
    """What it says of itself: flyteidl.admin.GetVersionResponse."""
    answers: Mapping[str, Answer]
    names: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Placeholders for names of its own, beside the executions'."""


def answer_of(error: grpc.RpcError) -> Refusal:
    """What a failed call said."""
    details: tuple[message.Message, ...] = ()
    for name, value in error.trailing_metadata() or ():
        if name == "grpc-status-details-bin":
            details = tuple(status_pb2.Status.FromString(value).details)
    return Refusal(error.code().name, error.details() or "", details)


def load(path: Path) -> Recording:
    """The recording in a file."""
    written = json.loads(path.read_text())
    version = _message(written["version"])
    answers = {key: _answer(entry) for key, entry in written["answers"].items()}
    return Recording(version, answers, written["names"])


def save(path: Path, recording: Recording) -> None:
    """Write a recording: one line for each answer."""
    lines = [f"{json.dumps(key)}: {json.dumps(_written(answer))}" for key, answer in recording.answers.items()]
    version = json.dumps(_written(recording.version))
    path.parent.mkdir(parents=True, exist_ok=True)
    names = json.dumps(recording.names)
    path.write_text(f'{{"version": {version},\n"names": {names},\n"answers": {{\n' + ",\n".join(lines) + "\n}}\n")


def _written(answer: Answer) -> dict[str, Any]:
    if isinstance(answer, Refusal):
        details = [_plain(detail) for detail in answer.details]
        return {"refusal": {"code": answer.code, "text": answer.text, "details": details}}
    return {"type": answer.DESCRIPTOR.full_name, "message": _plain(answer)}


def _plain(reply: message.Message) -> Any:
    return json_format.MessageToDict(reply, preserving_proto_field_name=True)


def _answer(written: Mapping[str, Any]) -> Answer:
    if "refusal" not in written:
        return _message(written)
    said = written["refusal"]
    wrapped = [
        json_format.ParseDict({"details": [detail]}, status_pb2.Status()).details[0] for detail in said["details"]
    ]
    return Refusal(said["code"], said["text"], tuple(wrapped))


def _message(written: Mapping[str, Any]) -> message.Message:
    kind = symbol_database.Default().GetSymbol(written["type"])
    return json_format.ParseDict(written["message"], kind())
