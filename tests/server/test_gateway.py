"""JSON and raw protobuf over HTTP, by the contract's rules."""

import aiohttp
import pytest
from google.protobuf import json_format

from volant_core import errors
from volant_server import embedded
from volant_server.gateway import messages, rules
from volantidl.admin import common_pb2, event_pb2, project_pb2
from volantidl.service import admin_pb2, dataproxy_pb2, signal_pb2

SERVICES = [
    admin_pb2.DESCRIPTOR.services_by_name["AdminService"],
    signal_pb2.DESCRIPTOR.services_by_name["SignalService"],
    dataproxy_pb2.DESCRIPTOR.services_by_name["DataProxyService"],
]
BINARY = {"Accept": "application/octet-stream", "Content-Type": "application/octet-stream"}


async def test_asking_in_both_forms(running: embedded.Running) -> None:
    base = f"http://{running.addresses.http[0]}/api/v1"
    async with aiohttp.ClientSession() as session:
        # Registering by JSON.
        body = {"project": {"id": "by-json", "name": "By JSON"}}
        async with session.post(f"{base}/projects", json=body) as answer:
            assert (answer.status, await answer.json()) == (200, {})
        # Registering by protobuf.
        request = project_pb2.ProjectRegisterRequest(project=project_pb2.Project(id="by-proto", name="By proto"))
        async with session.post(f"{base}/projects", data=request.SerializeToString(), headers=BINARY) as answer:
            assert (answer.status, await answer.read()) == (200, b"")
        # Asking with a query: names as in the contract, defaults shown.
        query = {"filters": "value_in(identifier,by-json;by-proto)", "sort_by.key": "identifier", "limit": "10"}
        query["sort_by.direction"] = "ASCENDING"
        async with session.get(f"{base}/projects", params=query) as answer:
            told = await answer.json()
        assert [project["id"] for project in told["projects"]] == ["by-json", "by-proto"]
        assert told["token"] == ""
        assert told["projects"][0]["description"] == ""
        async with session.get(f"{base}/projects", params=query, headers=BINARY) as answer:
            assert answer.content_type == "application/octet-stream"
            projects = project_pb2.Projects.FromString(await answer.read())
        assert [project.id for project in projects.projects] == ["by-json", "by-proto"]


REFUSALS: list[tuple[str, str, str | None, int, str]] = [
    ("GET", "tasks/flytesnacks/development/nothing/v1", None, 404, "missing entity"),
    ("POST", "projects", '{"project": {"id": "flytesnacks", "name": "flytesnacks"}}', 409, ""),
    ("POST", "projects", "{", 400, "not a valid volantidl.admin.ProjectRegisterRequest"),
    ("POST", "projects", '{"projekt": {}}', 400, "projekt"),
    ("POST", "projects", "{}", 400, "missing project"),
    ("GET", "projects?limit=many", None, 400, "limit: 'many' does not fit"),
    ("GET", "projects?nonsense=1", None, 200, ""),
    ("GET", "nowhere", None, 404, ""),
    ("DELETE", "projects", None, 405, ""),
    ("GET", "named_entities/NONSENSE/flytesnacks/development", None, 400, "resource_type: 'NONSENSE'"),
]


async def test_refusals(running: embedded.Running) -> None:
    async with aiohttp.ClientSession() as session:
        for verb, path, body, status, text in REFUSALS:
            url = f"http://{running.addresses.http[0]}/api/v1/{path}"
            async with session.request(verb, url, data=body) as answer:
                told = await answer.text()
                assert (answer.status, text in told) == (status, True), (verb, path, told)


def test_every_rule_of_the_contract_has_a_route() -> None:
    found = rules.of_services(SERVICES)
    assert len(found) > 60
    assert len({(rule.verb, rule.path) for rule in found}) == len(found), "no two rules are the same to a router"
    for rule in found:
        request = rule.method.input_type._concrete_class()
        pairs = [(name, "1" if name.endswith(("resource_type", "retry_attempt")) else "x") for name in rule.variables]
        messages.set_fields(request, pairs, strict=True)
        if rule.body not in {"", "*"}:
            assert getattr(request, rule.body) is not None


def test_fields_from_queries() -> None:
    request = event_pb2.TaskExecutionEventRequest()
    pairs = [
        ("request_id", "r"),
        ("event.retry_attempt", "3"),
        ("event.occurred_at", "2026-01-02T03:04:05Z"),
        ("event.phase", "RUNNING"),
        ("event.taskId.name", "camel"),
        ("nowhere.at.all", "passed over"),
    ]
    messages.set_fields(request, pairs, strict=False)
    assert json_format.MessageToDict(request) == {
        "requestId": "r",
        "event": {
            "taskId": {"name": "camel"},
            "retryAttempt": 3,
            "phase": "RUNNING",
            "occurredAt": "2026-01-02T03:04:05Z",
        },
    }
    labels = common_pb2.Labels()
    messages.set_fields(labels, [("values[a]", "b")], strict=True)
    assert dict(labels.values) == {"a": "b"}
    with pytest.raises(errors.InvalidArgumentError, match="no field nowhere"):
        messages.set_fields(request, [("nowhere", "x")], strict=True)
