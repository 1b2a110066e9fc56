"""Flyte's events: the rules that its engine relies on."""

import pytest
import scripted
from scripted import Execution, Node, Task, at

from volant_core import errors
from volant_core.rpc import call
from volantidl.admin import event_pb2, node_execution_pb2, task_execution_pb2
from volantidl.core import catalog_pb2, compiler_pb2, identifier_pb2
from volantidl.event import event_pb2 as events


@pytest.fixture
async def name(platform: scripted.Platform) -> str:
    return await platform.create("run")


async def workflow_event(platform: scripted.Platform, value: int, seconds: float = 1, **fields: object) -> None:
    event = events.WorkflowExecutionEvent(
        execution_id=scripted.execution_id("run"), phase=value, occurred_at=at(seconds), **fields
    )
    await call(platform.admin.CreateWorkflowEvent(event_pb2.WorkflowExecutionEventRequest(event=event)))


async def node_event(platform: scripted.Platform, value: int, id_: str = "n0", **fields: object) -> None:
    event = events.NodeExecutionEvent(
        id=scripted.node_id("run", id_), phase=value, occurred_at=at(fields.pop("seconds", 1)), **fields
    )
    await call(platform.admin.CreateNodeEvent(event_pb2.NodeExecutionEventRequest(event=event)))


def task_of(id_: str = "n0") -> dict[str, object]:
    return {
        "task_id": scripted.identifier(identifier_pb2.TASK, "t"),
        "parent_node_execution_id": scripted.node_id("run", id_),
    }


async def task_event(platform: scripted.Platform, value: int, **fields: object) -> None:
    event = events.TaskExecutionEvent(phase=value, **{"occurred_at": at(1), **task_of(), **fields})
    await call(platform.admin.CreateTaskEvent(event_pb2.TaskExecutionEventRequest(event=event)))


def reason_of(caught: pytest.ExceptionInfo[errors.FailedPreconditionError]) -> event_pb2.EventFailureReason:
    [detail] = caught.value.details
    assert isinstance(detail, event_pb2.EventFailureReason)
    return detail


async def test_an_execution_goes_through_its_phases(platform: scripted.Platform, name: str) -> None:
    await workflow_event(platform, Execution.QUEUED, producer_id="blue")
    await workflow_event(platform, Execution.QUEUED, producer_id="green")
    await workflow_event(platform, Execution.RUNNING, 2, producer_id="green")
    assert (await platform.get(name)).spec.metadata.system_metadata.execution_cluster == "green"
    with pytest.raises(errors.AlreadyExistsError):
        await workflow_event(platform, Execution.RUNNING)
    with pytest.raises(errors.FailedPreconditionError, match="Cannot go from RUNNING to QUEUED"):
        await workflow_event(platform, Execution.QUEUED)
    with pytest.raises(errors.FailedPreconditionError) as caught:
        await workflow_event(platform, Execution.SUCCEEDING, producer_id="blue")
    assert reason_of(caught).incompatible_cluster.cluster == "blue", "that of the event, as Flyte says"
    await workflow_event(platform, Execution.SUCCEEDED, 5, output_data=scripted.literal_map(o0=1))
    shown = await platform.get(name)
    assert shown.closure.started_at == at(2)
    assert shown.closure.duration.seconds == 3
    assert shown.closure.output_data == scripted.literal_map(o0=1)
    with pytest.raises(errors.FailedPreconditionError) as caught:
        await workflow_event(platform, Execution.FAILED)
    assert reason_of(caught).already_in_terminal_state.current_phase == "SUCCEEDED"


async def test_of_an_execution_that_is_being_aborted_only_ends_are_taken(
    platform: scripted.Platform, name: str
) -> None:
    await platform.terminate(name, "why")
    with pytest.raises(errors.FailedPreconditionError, match="aborting"):
        await workflow_event(platform, Execution.RUNNING)
    await workflow_event(platform, Execution.ABORTED, 3, error={"code": "A"})
    shown = await platform.get(name)
    assert shown.closure.abort_metadata.cause == "why"


async def test_outputs_of_events_are_bounded(platform: scripted.Platform, name: str) -> None:
    large = scripted.literals_pb2.LiteralMap(literals={"x": scripted.text("x" * (2 * 2**20 + 1))})
    for send in (
        workflow_event(platform, Execution.SUCCEEDED, output_data=large),
        node_event(platform, Node.SUCCEEDED, output_data=large),
        task_event(platform, Task.SUCCEEDED, output_data=large),
    ):
        with pytest.raises(errors.ResourceExhaustedError, match="exceeds platform configured threshold"):
            await send


async def test_events_of_unknown_executions_are_not_found(platform: scripted.Platform) -> None:
    for send in (
        workflow_event(platform, Execution.RUNNING),
        node_event(platform, Node.RUNNING),
        task_event(platform, Task.RUNNING),
    ):
        with pytest.raises(errors.NotFoundError, match="missing entity of type execution"):
            await send


async def test_empty_events_are_refused(platform: scripted.Platform) -> None:
    for send in (
        platform.admin.CreateWorkflowEvent(event_pb2.WorkflowExecutionEventRequest()),
        platform.admin.CreateNodeEvent(event_pb2.NodeExecutionEventRequest()),
        platform.admin.CreateTaskEvent(event_pb2.TaskExecutionEventRequest()),
        platform.admin.CreateTaskEvent(event_pb2.TaskExecutionEventRequest(event={"phase": 1})),
    ):
        with pytest.raises(errors.InvalidArgumentError):
            await call(send)


async def shown_node(platform: scripted.Platform, id_: str = "n0") -> node_execution_pb2.NodeExecution:
    request = node_execution_pb2.NodeExecutionGetRequest(id=scripted.node_id("run", id_))
    return await call(platform.admin.GetNodeExecution(request))


async def test_a_node_keeps_what_was_said_before(platform: scripted.Platform, name: str) -> None:
    await node_event(platform, Node.QUEUED, spec_node_id="n0", is_parent=True, is_dynamic=True, retry_group="0")
    with pytest.raises(errors.AlreadyExistsError, match="already recorded"):
        await node_event(platform, Node.QUEUED)
    await node_event(platform, Node.RUNNING, seconds=2, input_data=scripted.literal_map(a=1), deck_uri="s3://deck")
    graph = compiler_pb2.CompiledWorkflowClosure()
    graph.primary.template.id.CopyFrom(scripted.identifier(identifier_pb2.WORKFLOW, "made"))
    await node_event(
        platform,
        Node.DYNAMIC_RUNNING,
        seconds=3,
        task_node_metadata={
            "cache_status": catalog_pb2.CACHE_MISS,
            "catalog_key": {"artifact_tag": {"name": "tag"}},
            "dynamic_workflow": {
                "id": graph.primary.template.id,
                "compiled_workflow": graph,
                "dynamic_job_spec_uri": "s3://f",
            },
        },
    )
    await node_event(platform, Node.SUCCEEDED, seconds=6, reported_at=at(7), output_uri="s3://volant/out")
    shown = await shown_node(platform)
    assert shown.metadata.is_parent_node
    assert shown.metadata.is_dynamic
    assert (shown.metadata.spec_node_id, shown.metadata.retry_group) == ("n0", "0")
    closure = shown.closure
    assert (closure.created_at, closure.started_at, closure.updated_at) == (at(1), at(2), at(7))
    assert closure.duration.seconds == 5
    assert closure.deck_uri == "s3://deck"
    assert closure.task_node_metadata.cache_status == catalog_pb2.CACHE_MISS
    data = await call(
        platform.admin.GetNodeExecutionData(
            node_execution_pb2.NodeExecutionGetDataRequest(id=scripted.node_id("run", "n0"))
        )
    )
    assert data.full_inputs == scripted.literal_map(a=1)
    assert data.dynamic_workflow.compiled_workflow == graph
    assert data.flyte_urls.deck.endswith("/n0/d")
    with pytest.raises(errors.FailedPreconditionError) as caught:
        await node_event(platform, Node.FAILED)
    assert reason_of(caught).already_in_terminal_state.current_phase == "FAILED", "that of the event, as Flyte says"


async def test_parents_and_children_of_nodes_must_exist(platform: scripted.Platform, name: str) -> None:
    with pytest.raises(errors.NotFoundError):
        await node_event(platform, Node.QUEUED, "n0-0-n0", parent_node_metadata={"node_id": "n0"})
    with pytest.raises(errors.NotFoundError):
        await node_event(platform, Node.QUEUED, workflow_node_metadata={"execution_id": scripted.execution_id("no")})
    await node_event(platform, Node.QUEUED)
    await node_event(platform, Node.QUEUED, "n0-0-n0", parent_node_metadata={"node_id": "n0"})
    listed = await call(
        platform.admin.ListNodeExecutions(
            node_execution_pb2.NodeExecutionListRequest(
                workflow_execution_id=scripted.execution_id("run"), unique_parent_id="n0", limit=5
            )
        )
    )
    assert [one.id.node_id for one in listed.node_executions] == ["n0-0-n0"]


async def test_attempts_advance_by_phase_and_version(platform: scripted.Platform, name: str) -> None:
    with pytest.raises(errors.NotFoundError, match="node execution"):
        await task_event(platform, Task.QUEUED)
    await node_event(platform, Node.RUNNING)
    await task_event(platform, Task.QUEUED, reason="queued")
    await task_event(platform, Task.RUNNING, occurred_at=at(2), custom_info={"a": {"x": 1.0, "y": 2.0}, "b": 1.0})
    with pytest.raises(errors.AlreadyExistsError, match="have already recorded task execution phase RUNNING"):
        await task_event(platform, Task.RUNNING)
    await task_event(
        platform,
        Task.RUNNING,
        phase_version=1,
        occurred_at=at(3),
        custom_info={"a": {"x": 5.0, "y": None}, "c": [1.0]},
        logs=[{"uri": "file:///log", "name": "log"}],
        reason="busy",
        metadata={"external_resources": [{"index": 0, "phase": Task.RUNNING, "external_id": "e0"}]},
    )
    await task_event(
        platform,
        Task.SUCCEEDED,
        occurred_at=at(6),
        output_uri="s3://volant/out",
        metadata={"external_resources": [{"index": 0, "phase": Task.SUCCEEDED, "external_id": "e0"}]},
    )
    request = task_execution_pb2.TaskExecutionListRequest(node_execution_id=scripted.node_id("run", "n0"), limit=9)
    [shown] = (await call(platform.admin.ListTaskExecutions(request))).task_executions
    closure = shown.closure
    assert (closure.phase, closure.created_at, closure.started_at) == (Task.SUCCEEDED, at(1), at(2))
    assert closure.duration.seconds == 4
    assert [reason.message for reason in closure.reasons] == ["queued", "busy"]
    assert [log.uri for log in closure.logs] == ["file:///log"]
    assert dict(closure.custom_info["a"]) == {"x": 5.0}
    assert closure.custom_info["b"] == 1.0
    assert [one.phase for one in closure.metadata.external_resources] == [Task.SUCCEEDED]
    with pytest.raises(errors.FailedPreconditionError) as caught:
        await task_event(platform, Task.FAILED)
    assert reason_of(caught).already_in_terminal_state.current_phase == "FAILED"
    # Nodes of old engines name the task execution that launched them.
    await node_event(
        platform,
        Node.QUEUED,
        "n5",
        parent_task_metadata={"id": {**_task_id(), "node_execution_id": shown.id.node_execution_id}},
    )
    children = await call(
        platform.admin.ListNodeExecutionsForTask(
            node_execution_pb2.NodeExecutionForTaskListRequest(task_execution_id=shown.id, limit=5)
        )
    )
    assert [one.id.node_id for one in children.node_executions] == ["n5"]


def _task_id() -> dict[str, object]:
    return {"task_id": scripted.identifier(identifier_pb2.TASK, "t")}
