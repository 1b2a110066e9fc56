"""What goes wrong reaches the client as the status that is meant, and never as UNKNOWN."""

import logging
import re

import grpc
import pytest
import structlog
from contract_server import Served
from flyteidl.admin import event_pb2 as flytes_event
from flyteidl.admin import project_pb2 as flytes_project
from flyteidl.admin import workflow_pb2 as flytes_workflow
from flyteidl.service import admin_pb2_grpc as flytes_admin_grpc
from google.rpc import status_pb2

from volant_core import errors, rpc
from volantidl.admin import common_pb2, event_pb2, project_pb2, version_pb2, workflow_pb2
from volantidl.dispatch import dispatch_pb2, dispatch_pb2_grpc
from volantidl.service import admin_pb2_grpc


async def refused(channel: grpc.aio.Channel, name: str) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await admin_pb2_grpc.AdminServiceStub(channel).GetTask(common_pb2.ObjectGetRequest(id={"name": name}))
    return caught.value


@pytest.mark.parametrize(
    ("name", "code", "text"),
    [
        ("missing", "NOT_FOUND", "no such task"),
        ("group", "NOT_FOUND", "no such task"),
        ("aborts", "FAILED_PRECONDITION", "not now"),
        ("inner", "UNAVAILABLE", "the server is shutting down; try again"),
    ],
)
async def test_codes(served: Served, channel: grpc.aio.Channel, name: str, code: str, text: str) -> None:
    error = await refused(channel, name)
    assert (error.code().name, error.details()) == (code, text)
    assert await served.saw(1) == [("/volantidl.service.AdminService/GetTask", code)]


@pytest.mark.parametrize("name", ["bug", "unset"])
async def test_a_fault_tells_the_log_and_not_the_client(served: Served, channel: grpc.aio.Channel, name: str) -> None:
    with structlog.testing.capture_logs() as logs:
        error = await refused(channel, name)
    assert error.code() is grpc.StatusCode.INTERNAL
    found = re.fullmatch(r"internal error \(request (a-\w{20})\); the server's log has the cause", str(error.details()))
    assert found is not None
    (entry,) = logs
    assert entry["log_level"] == "error"
    assert entry["request_id"] == found[1]
    assert isinstance(entry["exc_info"], (ValueError, NotImplementedError))
    assert await served.saw(1) == [("/volantidl.service.AdminService/GetTask", "INTERNAL")]


async def test_no_method(channel: grpc.aio.Channel) -> None:
    with pytest.raises(errors.UnimplementedError, match=r"does not offer volantidl.service.AdminService/GetProject"):
        await rpc.call(admin_pb2_grpc.AdminServiceStub(channel).GetProject(project_pb2.ProjectGetRequest()))


async def test_a_request_that_does_not_parse(channel: grpc.aio.Channel) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await channel.unary_unary("/flyteidl.service.AdminService/GetTask")(b"\xff\xff\xff")
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "volantidl.admin.ObjectGetRequest" in str(caught.value.details())


async def test_stock_flyteidl_parses_the_details(channel: grpc.aio.Channel) -> None:
    stub = flytes_admin_grpc.AdminServiceStub(channel)
    cases = [
        (stub.CreateWorkflow(flytes_workflow.WorkflowCreateRequest()), flytes_workflow.CreateWorkflowFailureReason()),
        (stub.CreateNodeEvent(flytes_event.NodeExecutionEventRequest()), flytes_event.EventFailureReason()),
        (stub.UpdateProject(flytes_project.Project()), flytes_project.InactiveProject()),
    ]
    for call, detail in cases:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        trailers = dict(tuple(caught.value.trailing_metadata()))
        status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
        assert (status.code, status.message) == (caught.value.code().value[0], caught.value.details())
        (packed,) = status.details
        assert packed.type_url == f"type.googleapis.com/{detail.DESCRIPTOR.full_name}"
        assert packed.Unpack(detail)
        assert detail.ByteSize() > 0


async def test_our_client_gets_the_same_error_back(channel: grpc.aio.Channel) -> None:
    stub = admin_pb2_grpc.AdminServiceStub(channel)
    with pytest.raises(errors.AlreadyExistsError, match="identical structure") as caught:
        await rpc.call(stub.CreateWorkflow(workflow_pb2.WorkflowCreateRequest()))
    (detail,) = caught.value.details
    assert isinstance(detail, workflow_pb2.CreateWorkflowFailureReason)
    assert detail.exists_identical_structure.id.name == "again"
    assert isinstance(caught.value.__cause__, grpc.aio.AioRpcError)
    with pytest.raises(errors.FailedPreconditionError) as ended, rpc.peer_errors():
        await stub.CreateNodeEvent(event_pb2.NodeExecutionEventRequest())
    assert ended.value.details[0] == event_pb2.EventFailureReason(
        already_in_terminal_state=event_pb2.EventErrorAlreadyInTerminalState(current_phase="SUCCEEDED")
    )


async def test_long_texts_are_cut_and_lose_their_details(channel: grpc.aio.Channel) -> None:
    error = await refused(channel, "long")
    text = str(error.details())
    assert 31_990 <= len(text.encode()) <= 32_000
    assert text.endswith("é … (cut)")
    assert "grpc-status-details-bin" not in dict(tuple(error.trailing_metadata()))


async def test_request_ids(served: Served, channel: grpc.aio.Channel) -> None:
    stub = admin_pb2_grpc.AdminServiceStub(channel)
    await stub.GetVersion(version_pb2.GetVersionRequest(), metadata=(("x-request-id", "mine"),))
    await stub.GetVersion(version_pb2.GetVersionRequest())
    mine, made = served.admin.request_ids
    assert mine == "mine"
    assert made is not None
    assert re.fullmatch(r"a-\w{20}", made)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.CreateWorkflow(workflow_pb2.WorkflowCreateRequest(), metadata=(("x-request-id", "told"),))
    assert dict(tuple(caught.value.trailing_metadata()))["x-request-id"] == "told"
    assert rpc.current_request_id() is None


async def test_a_stream_that_breaks(served: Served, channel: grpc.aio.Channel) -> None:
    stub = dispatch_pb2_grpc.DispatchServiceStub(channel)
    parts = rpc.stream(stub.LoadExecution(dispatch_pb2.LoadExecutionRequest(id={"name": "breaks"})))
    assert [(await anext(parts)).nodes[0].node_id for _ in range(2)] == ["n0", "n1"]
    with pytest.raises(errors.UnavailableError, match="gone"):
        await anext(parts)
    assert await served.saw(1) == [("/volantidl.dispatch.DispatchService/LoadExecution", "UNAVAILABLE")]


async def test_a_client_that_leaves_is_no_fault(
    served: Served, channel: grpc.aio.Channel, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        call = admin_pb2_grpc.AdminServiceStub(channel).GetTask(common_pb2.ObjectGetRequest(id={"name": "hangs"}))
        await served.admin.started.wait()
        call.cancel()
        await served.saw(1)
    assert await served.saw(1) == [("/volantidl.service.AdminService/GetTask", "CANCELLED")]
    assert caplog.records == []


async def test_no_address_twice(served: Served) -> None:
    with pytest.raises(errors.FailedPreconditionError, match=r"cannot listen on 127\.0\.0\.1:\d+: is another process"):
        await rpc.serve([], [served.address])
