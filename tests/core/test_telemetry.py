"""Logs in both forms, metrics, and traces that follow one execution."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from volant_core import rpc, telemetry
from volant_core.telemetry import metrics, traces
from volantidl.admin import version_pb2
from volantidl.service import admin_pb2


@pytest.fixture
def _logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.mark.usefixtures("_logging_as_it_was")
def test_json_lines_of_ours_and_of_libraries() -> None:
    out = io.StringIO()
    telemetry.configure_logs(telemetry.LogSettings(), "admin", out)
    with telemetry.bound(execution="p/d/n", node="n0"):
        structlog.get_logger("ours").info("happened", count=3)
        logging.getLogger("theirs").warning("heard %s", "it")
    structlog.get_logger("ours").debug("not this")
    structlog.get_logger("ours").info("after")
    ours, theirs, after = (json.loads(line) for line in out.getvalue().splitlines())
    common = {"service": "admin", "execution": "p/d/n", "node": "n0"}
    assert ours.items() >= {**common, "event": "happened", "count": 3, "level": "info"}.items()
    assert theirs.items() >= {**common, "event": "heard it", "level": "warning", "logger": "theirs"}.items()
    assert "execution" not in after


@pytest.mark.usefixtures("_logging_as_it_was")
def test_exceptions_are_one_json_line() -> None:
    out = io.StringIO()
    telemetry.configure_logs(telemetry.LogSettings(), "admin", out)
    try:
        {}["why"]
    except KeyError as error:
        structlog.get_logger().error("failed", exc_info=error)
        logging.getLogger("theirs").exception("failed too")
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert all("KeyError: 'why'" in line["exception"] for line in lines)


@pytest.mark.usefixtures("_logging_as_it_was")
def test_text_for_people() -> None:
    out = io.StringIO()
    telemetry.configure_logs(telemetry.LogSettings(form="text", level="warning"), "admin", out)
    structlog.get_logger().info("not this")
    structlog.get_logger().warning("mind this", node="n0")
    assert "mind this" in out.getvalue()
    assert "node=n0" in out.getvalue()
    assert "not this" not in out.getvalue()


def test_metrics_of_calls() -> None:
    telemetry.observe_rpc("/test.Service/Method", "OK", 0.002)
    text = telemetry.render().decode()
    assert 'volant_rpc_seconds_count{code="OK",method="/test.Service/Method"} 1.0' in text
    assert metrics.CONTENT_TYPE.startswith("text/plain")


def test_values_that_are_asked_for() -> None:
    for value in (1.0, 2.0):
        telemetry.watch("volant_test_watched", "A test's.", lambda value=value: value)
    assert "volant_test_watched 2.0" in telemetry.render().decode()


def test_without_traces_nothing_is_imported_or_made() -> None:
    assert telemetry.span("x") is telemetry.execution_span("y", "p", "d", "n")
    assert telemetry.client_interceptors() == []


class Version:
    """A servicer that works for an execution."""

    async def GetVersion(self, _request, _context):  # noqa: N802 - the wire's name
        with telemetry.span("look up"):
            return version_pb2.GetVersionResponse()


async def test_an_execution_is_followed_over_grpc() -> None:
    exporter = InMemorySpanExporter()
    service = admin_pb2.DESCRIPTOR.services_by_name["AdminService"]
    with telemetry.open_traces(telemetry.TraceSettings(), "test", exporter=exporter):
        registration = rpc.Registration(Version(), service)
        async with await rpc.serve([registration], ["127.0.0.1:0"], scope=telemetry.rpc_scope) as server:
            interceptors = telemetry.client_interceptors()
            async with rpc.connect(server.addresses[0], interceptors=interceptors) as channel:
                ask = channel.unary_unary(
                    "/volantidl.service.AdminService/GetVersion",
                    request_serializer=version_pb2.GetVersionRequest.SerializeToString,
                    response_deserializer=version_pb2.GetVersionResponse.FromString,
                )
                with telemetry.execution_span("drive", "p", "d", "n", node="n0"):
                    await ask(version_pb2.GetVersionRequest())
    spans = {span.name: span for span in exporter.get_finished_spans()}
    served = spans["volantidl.service.AdminService/GetVersion"]
    assert set(spans) == {"drive", "look up", served.name}
    trace_id = traces.trace_id_of("p", "d", "n")
    assert {span.context.trace_id for span in spans.values()} == {trace_id}, "whoever works for it is in its trace"
    assert served.parent.span_id == spans["drive"].context.span_id
    assert spans["look up"].parent.span_id == served.context.span_id
    assert spans["drive"].attributes == {"volant.execution": "p/d/n", "node": "n0"}


def test_a_request_is_linked_with_the_execution_that_it_starts() -> None:
    exporter = InMemorySpanExporter()
    with (
        telemetry.open_traces(telemetry.TraceSettings(), "test", exporter=exporter),
        telemetry.span("request"),
        telemetry.execution_span("create", "p", "d", "n"),
    ):
        pass
    created, request = exporter.get_finished_spans()
    assert [link.context.span_id for link in created.links] == [request.context.span_id]
    assert created.context.trace_id != request.context.trace_id
