"""One execution is followed through admin, engine and datacatalog in one trace."""

import asyncio
from pathlib import Path

import grpc.aio
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tests.server import scripts
from tests.server.conftest import ANY, ENVIRONMENT, binaries

from volant_core import telemetry
from volant_core.telemetry import traces
from volant_server import embedded
from volantidl.admin import execution_pb2
from volantidl.core import execution_pb2 as core_execution_pb2
from volantidl.service import admin_pb2_grpc

PHASE = core_execution_pb2.WorkflowExecution.Phase


async def test_one_execution_is_one_trace(tmp_path: Path) -> None:
    options = embedded.Options(
        data=tmp_path / "data", grpc=ANY, http=ANY, s3=ANY, postgres=binaries(), environment=ENVIRONMENT
    )
    exporter = InMemorySpanExporter()
    with telemetry.open_traces(telemetry.TraceSettings(), "test", exporter=exporter):
        async with embedded.embedded_server(options) as running, asyncio.timeout(60):
            channel = grpc.aio.insecure_channel(running.addresses.grpc[0])
            async with channel:
                admin = admin_pb2_grpc.AdminServiceStub(channel)
                create_task, create_execution = scripts.requests("true", cached=True)
                await admin.CreateTask(create_task)
                execution = (await admin.CreateExecution(create_execution)).id
                closure = execution_pb2.ExecutionClosure()
                while closure.phase not in {PHASE.SUCCEEDED, PHASE.FAILED}:
                    await asyncio.sleep(0.05)
                    request = execution_pb2.WorkflowExecutionGetRequest(id=execution)
                    closure = (await admin.GetExecution(request)).closure
                assert closure.phase == PHASE.SUCCEEDED, closure.error
    spans = exporter.get_finished_spans()
    trace_id = traces.trace_id_of(execution.project, execution.domain, execution.name)
    names = {span.name for span in spans if span.context.trace_id == trace_id}
    for name in (
        "create",
        "ask the cache",
        "volantidl.catalog.CacheBatchService/Lookup",
        "report",
        "volantidl.dispatch.DispatchService/Report",
    ):
        assert name in names, (name, sorted(names))
    assert any(name.startswith("node ") for name in names), names
    assert any(name.startswith("attempt ") for name in names), names
    # The request that started it is linked, not swallowed: it has a trace of its own.
    (created,) = [span for span in spans if span.name == "create"]
    (asked,) = [span for span in spans if span.name.endswith("AdminService/CreateExecution")]
    assert [link.context.span_id for link in created.links] == [asked.context.span_id]
