"""Plays groups of calls at an endpoint and keeps each answer."""

import secrets
import shlex
import string
import subprocess
import time
from collections.abc import Callable, Mapping
from typing import Any

import grpc
from flyteidl.datacatalog import datacatalog_pb2
from flyteidl.service import admin_pb2, auth_pb2, dataproxy_pb2, identity_pb2, signal_pb2
from google.protobuf import json_format, message, message_factory
from recorder import recordings

from calls import reading

SERVICES = {
    service.name: service
    for file in (admin_pb2, auth_pb2, dataproxy_pb2, identity_pb2, signal_pb2, datacatalog_pb2)
    for service in file.DESCRIPTOR.services_by_name.values()
}
_TIMEOUT_S = 20.0
_UNTIL_S = 120.0
_PAUSE_S = 0.2
_OPTIONS = [("grpc.max_send_message_length", 64 << 20), ("grpc.max_receive_message_length", 64 << 20)]


class Player:
    """A connection to a platform."""

    def __init__(self, endpoint: str, catalog: str = "", after_project: str = "") -> None:
        """Connect.

        Args:
            endpoint: where the platform's gRPC is.
            catalog: where DataCatalog is, when it is elsewhere.
            after_project: a command to run when a group has registered its project, with `{project}` for its name; the real
                Flyte makes a project's namespaces a minute later, and executions fail until then.
        """
        self._after_project = after_project
        self._channel = grpc.insecure_channel(endpoint, options=_OPTIONS)
        self._catalog = grpc.insecure_channel(catalog, options=_OPTIONS) if catalog else self._channel
        self._version = self._method("AdminService", "GetVersion")(b"", timeout=_TIMEOUT_S, wait_for_ready=True)

    def close(self) -> None:
        """Close the connections."""
        self._channel.close()
        self._catalog.close()

    def play(self, group: reading.Group) -> recordings.Recording:
        """The answers to a group's calls, on names that nobody has used."""
        run = "".join(secrets.choice(string.ascii_lowercase) for _ in range(7))
        answers = {}
        for call in group.calls:
            answers[call.name] = self._ask_until(call, group.name, run)
            if call.name == reading.OWN_PROJECT and self._after_project:
                command = self._after_project.format(project=reading.filled("<p>", group.name, run))
                subprocess.run(shlex.split(command), check=True)
        return recordings.Recording(self._version, answers, {run: "<run>"})

    def _ask_until(self, call: reading.Call, group: str, run: str) -> recordings.Answer:
        deadline = time.monotonic() + _UNTIL_S
        while True:
            answer = self._ask(call, group, run)
            if _says(answer, call.until) or time.monotonic() > deadline:
                return answer
            time.sleep(_PAUSE_S)

    def _ask(self, call: reading.Call, group: str, run: str) -> recordings.Answer:
        data = request_of(call, group, run).SerializeToString() + bytes.fromhex(reading.filled(call.hex, group, run))
        try:
            reply = self._method(call.service, call.method)(data, timeout=_TIMEOUT_S)
        except grpc.RpcError as error:
            if error.code() == grpc.StatusCode.UNAVAILABLE:
                raise ConnectionError(f"{group}, {call.name}: nobody answers any more: {error.details()}") from error
            return recordings.answer_of(error)
        if call.only:
            _replace(getattr(reply, call.only), lambda entries: [entry for entry in entries if run in str(entry)])
        if call.unordered:
            _replace(_at(reply, call.unordered), lambda entries: sorted(entries, key=str))
        return reply

    def _method(self, service: str, method: str) -> Any:
        described = SERVICES[service].methods_by_name[method]
        catalog = service == "DataCatalog"
        path = f"/{'datacatalog' if catalog else 'flyteidl.service'}.{service}/{method}"
        return (self._catalog if catalog else self._channel).unary_unary(
            path, response_deserializer=message_factory.GetMessageClass(described.output_type).FromString
        )


def request_of(call: reading.Call, group: str, run: str) -> message.Message:
    """What is sent."""
    request = message_factory.GetMessageClass(SERVICES[call.service].methods_by_name[call.method].input_type)()
    try:
        return json_format.ParseDict(reading.filled(call.request, group, run), request)
    except json_format.ParseError as error:
        raise ValueError(f"{group}, {call.name}: {error}") from error


def _at(reply: Any, path: str) -> Any:
    for step in path.split("."):
        reply = getattr(reply, step)
    return reply


def _replace(entries: Any, change: Callable[[list[Any]], list[Any]]) -> None:
    kept = change(list(entries))
    del entries[:]
    entries.extend(kept)


def _says(answer: recordings.Answer, wanted: Mapping[str, Any]) -> bool:
    if isinstance(answer, recordings.Refusal):
        return not wanted
    said = json_format.MessageToDict(answer, preserving_proto_field_name=True)
    for path, value in wanted.items():
        found: Any = said
        for step in path.split("."):
            found = found.get(step) if isinstance(found, dict) else None
        if found not in (value if isinstance(value, list) else [value]):
            return False
    return True
