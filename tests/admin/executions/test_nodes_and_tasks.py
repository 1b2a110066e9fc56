"""What clients are shown of nodes and attempts, and the data RPCs."""

import pytest
import scripted
from scripted import Execution, Node, Task, at, node, part, phase, task

from volant_core import errors
from volant_core.rpc import call
from volantidl.admin import common_pb2, execution_pb2, node_execution_pb2, task_execution_pb2
from volantidl.core import catalog_pb2, compiler_pb2, identifier_pb2
from volantidl.dispatch import dispatch_pb2
from volantidl.service import dataproxy_pb2


@pytest.fixture
async def run(platform: scripted.Platform) -> tuple[scripted.Engine, dispatch_pb2.Assignment]:
    """A driven execution named run."""
    engine = await platform.engine()
    await platform.create("run")
    return engine, await engine.given()


Run = tuple[scripted.Engine, dispatch_pb2.Assignment]


async def list_nodes(platform: scripted.Platform, parent: str = "", **asked: object) -> list[str]:
    request = node_execution_pb2.NodeExecutionListRequest(
        workflow_execution_id=scripted.execution_id("run"),
        limit=100,
        unique_parent_id=parent,
        sort_by=common_pb2.Sort(key="created_at", direction=common_pb2.Sort.ASCENDING),
    )
    for name, value in asked.items():
        setattr(request, name, value)
    found = await call(platform.admin.ListNodeExecutions(request))
    return [one.id.node_id for one in found.node_executions]


async def get_node(platform: scripted.Platform, id_: str) -> node_execution_pb2.NodeExecution:
    return await call(
        platform.admin.GetNodeExecution(node_execution_pb2.NodeExecutionGetRequest(id=scripted.node_id("run", id_)))
    )


async def node_data(platform: scripted.Platform, id_: str) -> node_execution_pb2.NodeExecutionGetDataResponse:
    return await call(
        platform.admin.GetNodeExecutionData(
            node_execution_pb2.NodeExecutionGetDataRequest(id=scripted.node_id("run", id_))
        )
    )


async def test_nodes_of_the_same_instant_are_listed_as_they_follow_one_another(
    platform: scripted.Platform, run: Run
) -> None:
    engine, given = run
    ids = ["start-node", "n2", "n9", "n10", "end-node"]
    await engine.report(part(given, nodes=[node(id_, Node.SUCCEEDED) for id_ in reversed(ids)]))
    assert await list_nodes(platform) == ids


async def test_a_node_is_shown_with_all_that_flytekit_reads(platform: scripted.Platform, run: Run) -> None:
    engine, given = run
    child = scripted.execution_id("child")
    await engine.report(
        part(
            given,
            nodes=[
                node("start-node", Node.SUCCEEDED),
                node(
                    "n0",
                    Node.SUCCEEDED,
                    4,
                    input_uri="s3://volant/in",
                    output_uri="s3://volant/out",
                    deck_uri="s3://volant/deck.html",
                    cache_status=catalog_pb2.CACHE_HIT,
                    catalog_key={"artifact_tag": {"name": "tag"}},
                    checkpoint_uri="s3://volant/cp",
                    retry_group="0",
                ),
                node("n1", Node.RUNNING, is_parent=True, child_execution=child),
                node("n2", Node.FAILED, 3, is_parent=True, is_dynamic=True, error={"code": "E", "message": "m" * 500}),
                node("n3", is_array=True),
            ],
        )
    )
    shown = await get_node(platform, "n0")
    assert shown.id == scripted.node_id("run", "n0")
    assert shown.input_uri == "s3://volant/in"
    assert shown.metadata.spec_node_id == "n0"
    assert shown.metadata.retry_group == "0"
    closure = shown.closure
    assert (closure.phase, closure.output_uri, closure.deck_uri) == (
        Node.SUCCEEDED,
        "s3://volant/out",
        "s3://volant/deck.html",
    )
    assert (closure.created_at, closure.started_at, closure.updated_at) == (at(0), at(1), at(4))
    assert closure.duration.seconds == 3
    assert closure.task_node_metadata.cache_status == catalog_pb2.CACHE_HIT
    assert closure.task_node_metadata.catalog_key.artifact_tag.name == "tag"
    assert closure.task_node_metadata.checkpoint_uri == "s3://volant/cp"
    launched = await get_node(platform, "n1")
    assert launched.metadata.is_parent_node
    assert launched.closure.workflow_node_metadata.executionId == child
    failed = await get_node(platform, "n2")
    assert failed.metadata.is_dynamic
    assert len(failed.closure.error.message) == 500
    assert (await get_node(platform, "n3")).metadata.is_array
    listed = await call(
        platform.admin.ListNodeExecutions(
            node_execution_pb2.NodeExecutionListRequest(
                workflow_execution_id=scripted.execution_id("run"), limit=1, filters="eq(phase,FAILED)"
            )
        )
    )
    assert listed.token == "1"
    assert len(listed.node_executions[0].closure.error.message) == 100
    with pytest.raises(errors.NotFoundError, match="missing entity of type node execution"):
        await get_node(platform, "n9")


async def test_nodes_are_listed_by_level(platform: scripted.Platform, run: Run) -> None:
    engine, given = run
    await engine.report(
        part(
            given,
            nodes=[
                node("n0", is_parent=True),
                node("n0-0-n0", parent_node_id="n0", spec_node_id="n0"),
                node(
                    "n0-0-n1", parent_node_id="n0", spec_node_id="n1", value=Node.FAILED, error={"kind": 1, "code": "C"}
                ),
                node("n1", cache_status=catalog_pb2.CACHE_MISS),
            ],
        )
    )
    assert await list_nodes(platform) == ["n0", "n1"]
    assert await list_nodes(platform, "n0") == ["n0-0-n0", "n0-0-n1"]
    assert await list_nodes(platform, "n1") == []
    assert await list_nodes(platform, "n0", filters="eq(error_code,C)+eq(error_kind,USER)") == ["n0-0-n1"]
    assert await list_nodes(platform, filters="eq(cache_status,CACHE_MISS)") == ["n1"]
    assert await list_nodes(platform, filters="eq(execution.execution_name,run)+value_in(node_id,n0;n1)") == [
        "n0",
        "n1",
    ]
    assert await list_nodes(platform, filters="eq(execution.phase,FAILED)") == []
    assert await list_nodes(platform, limit=1, token="1") == ["n1"]
    with pytest.raises(errors.NotFoundError):
        await list_nodes(platform, "n9")
    with pytest.raises(errors.InvalidArgumentError, match="limit"):
        await list_nodes(platform, limit=0)


async def test_values_made_by_the_engine_and_values_in_files(platform: scripted.Platform, run: Run) -> None:
    engine, given = run
    await platform.blobs.put("s3://volant/in.pb", scripted.literal_map(a=1).SerializeToString())
    await platform.blobs.put("s3://volant/out.pb", scripted.literal_map(b=2).SerializeToString())
    await platform.blobs.put("s3://volant/bad.pb", b"\xff\xff")
    inline = scripted.literal_map(c=3)
    await engine.report(
        part(
            given,
            record=phase(Execution.SUCCEEDED, output_uri="s3://volant/out.pb"),
            nodes=[
                node("files", Node.SUCCEEDED, input_uri="s3://volant/in.pb", output_uri="s3://volant/out.pb"),
                node("inline", inputs=inline.SerializeToString(), outputs=inline.SerializeToString()),
                node("gone", input_uri="s3://volant/nothere.pb", output_uri="s3://volant/bad.pb"),
            ],
            tasks=[task("files", Task.SUCCEEDED, input_uri="s3://volant/in.pb", output_uri="s3://volant/out.pb")],
        )
    )
    data = await node_data(platform, "files")
    assert (data.full_inputs, data.full_outputs) == (scripted.literal_map(a=1), scripted.literal_map(b=2))
    assert data.flyte_urls.outputs == "flyte://v1/flytesnacks/development/run/files/o"
    assert data.flyte_urls.deck == ""
    data = await node_data(platform, "inline")
    assert (data.full_inputs, data.full_outputs) == (inline, inline)
    data = await node_data(platform, "gone")
    assert not data.full_inputs.literals
    assert not data.full_outputs.literals
    whole = await call(
        platform.admin.GetExecutionData(execution_pb2.WorkflowExecutionGetDataRequest(id=scripted.execution_id("run")))
    )
    assert whole.full_outputs == scripted.literal_map(b=2)
    id_ = identifier_pb2.TaskExecutionIdentifier(
        task_id=scripted.identifier(identifier_pb2.TASK, "t"), node_execution_id=scripted.node_id("run", "files")
    )
    of_task = await call(platform.admin.GetTaskExecutionData(task_execution_pb2.TaskExecutionGetDataRequest(id=id_)))
    assert (of_task.full_inputs, of_task.full_outputs) == (scripted.literal_map(a=1), scripted.literal_map(b=2))
    assert of_task.flyte_urls.inputs == "flyte://v1/flytesnacks/development/run/files/0/i"
    for url, field, expected in (
        ("run/files/i", "literal_map", scripted.literal_map(a=1)),
        ("run/files/o/b", "literal", scripted.integer(2)),
        ("run/files/0/o", "literal_map", scripted.literal_map(b=2)),
    ):
        request = dataproxy_pb2.GetDataRequest(flyte_url=f"flyte://v1/flytesnacks/development/{url}")
        found = await call(platform.dataproxy.GetData(request))
        assert getattr(found, field) == expected


async def test_large_values_are_given_by_a_signed_url(platform: scripted.Platform, run: Run) -> None:
    engine, given = run
    large = scripted.literals_pb2.LiteralMap(literals={"x": scripted.text("x" * 9_000_000)})
    await platform.blobs.put("s3://volant/large.pb", large.SerializeToString())
    await engine.report(part(given, nodes=[node("n0", output_uri="s3://volant/large.pb")]))
    data = await node_data(platform, "n0")
    assert not data.full_outputs.literals
    assert data.outputs.bytes == large.ByteSize()
    assert data.outputs.url.startswith("http://localhost:30002/volant/large.pb?")


async def test_what_a_dynamic_node_made(platform: scripted.Platform, run: Run) -> None:
    engine, given = run
    closure = compiler_pb2.CompiledWorkflowClosure()
    closure.primary.template.id.CopyFrom(scripted.identifier(identifier_pb2.WORKFLOW, "made"))
    await platform.blobs.put("s3://volant/made.pb", closure.SerializeToString())
    await engine.report(
        part(
            given,
            nodes=[
                node(
                    "n0",
                    Node.DYNAMIC_RUNNING,
                    is_dynamic=True,
                    is_parent=True,
                    dynamic_closure_uri="s3://volant/made.pb",
                    dynamic_job_spec_uri="s3://volant/futures.pb",
                ),
                node("n1"),
                node("n2", dynamic_closure_uri="s3://volant/nothere.pb"),
            ],
        )
    )
    dynamic = (await node_data(platform, "n0")).dynamic_workflow
    assert dynamic.id == closure.primary.template.id
    assert dynamic.compiled_workflow == closure
    assert dynamic.dynamic_job_spec_uri == "s3://volant/futures.pb"

    async def graph(id_: str) -> compiler_pb2.CompiledWorkflowClosure:
        request = node_execution_pb2.GetDynamicNodeWorkflowRequest(id=scripted.node_id("run", id_))
        return (await call(platform.admin.GetDynamicNodeWorkflow(request))).compiled_workflow

    assert await graph("n0") == closure
    for missing in ("n1", "n2"):
        with pytest.raises(errors.NotFoundError):
            await graph(missing)


async def test_attempts_are_shown_and_listed(platform: scripted.Platform, run: Run) -> None:
    engine, given = run
    await engine.report(
        part(
            given,
            nodes=[node("n0")],
            tasks=[
                task(
                    value=Task.RETRYABLE_FAILED,
                    error={"code": "E", "message": "m" * 300},
                    logs=[
                        {"uri": "file:///a", "name": "a", "HideOnceFinished": True},
                        {"uri": "file:///b", "name": "b"},
                    ],
                    reasons=[{"reason": "queued", "occurred_at": at(1)}, {"reason": "failed", "occurred_at": at(2)}],
                ),
                task(attempt=1, custom_info={"interpreter": "3.11"}, metadata={"generated_name": "run-n0-1"}),
            ],
        )
    )
    request = task_execution_pb2.TaskExecutionListRequest(node_execution_id=scripted.node_id("run", "n0"), limit=10)
    first, second = (await call(platform.admin.ListTaskExecutions(request))).task_executions
    assert first.id.retry_attempt == 0
    assert first.id.task_id == scripted.identifier(identifier_pb2.TASK, "t")
    assert first.closure.phase == Task.FAILED
    assert len(first.closure.error.message) == 300
    assert [log.name for log in first.closure.logs] == ["b"]
    assert [reason.message for reason in first.closure.reasons] == ["queued", "failed"]
    assert first.closure.reason == "failed"
    assert first.closure.duration.seconds == 1
    assert second.closure.custom_info["interpreter"] == "3.11"
    assert second.closure.metadata.generated_name == "run-n0-1"
    assert not second.closure.HasField("duration")
    got = await call(platform.admin.GetTaskExecution(task_execution_pb2.TaskExecutionGetRequest(id=second.id)))
    assert got == second
    for filters, found in (("eq(retry_attempt,1)", 1), ("eq(phase,FAILED)", 1), ("eq(task.name,t)", 2)):
        request.filters = filters
        assert len((await call(platform.admin.ListTaskExecutions(request))).task_executions) == found
    second.id.retry_attempt = 7
    with pytest.raises(errors.NotFoundError, match="missing entity of type task execution"):
        await call(platform.admin.GetTaskExecution(task_execution_pb2.TaskExecutionGetRequest(id=second.id)))


async def test_elements_of_a_map_task_are_external_resources(platform: scripted.Platform, run: Run) -> None:
    engine, given = run

    def element(index: int, attempt: int, value: int) -> dispatch_pb2.ArrayElement:
        return dispatch_pb2.ArrayElement(
            node_id="n0",
            index=index,
            attempt=attempt,
            phase=value,
            external_id=f"run-n0-{index}-{attempt}",
            resume=b"r",
        )

    await engine.report(
        part(
            given,
            nodes=[node("n0", is_array=True)],
            tasks=[task(metadata={"plugin_identifier": "k8s-array"})],
            elements=[element(1, 0, Task.RUNNING), element(0, 0, Task.SUCCEEDED)],
        )
    )
    await engine.report(
        part(
            given,
            elements=[
                element(1, 0, Task.RETRYABLE_FAILED),
                element(1, 1, Task.QUEUED),
                element(1, 1, Task.SUCCEEDED),
                element(0, 0, Task.RUNNING),  # too late
            ],
        )
    )
    request = task_execution_pb2.TaskExecutionListRequest(node_execution_id=scripted.node_id("run", "n0"), limit=10)
    [shown] = (await call(platform.admin.ListTaskExecutions(request))).task_executions
    resources = shown.closure.metadata.external_resources
    assert [(one.index, one.retry_attempt, one.phase) for one in resources] == [
        (0, 0, Task.SUCCEEDED),
        (1, 0, Task.FAILED),
        (1, 1, Task.SUCCEEDED),
    ]
    assert resources[0].external_id == "run-n0-0-0"
    assert shown.closure.metadata.plugin_identifier == "k8s-array"
    got = await call(platform.admin.GetTaskExecution(task_execution_pb2.TaskExecutionGetRequest(id=shown.id)))
    assert got == shown


async def test_of_very_many_elements_those_that_matter_are_shown(platform: scripted.Platform, run: Run) -> None:
    engine, given = run
    elements = [
        dispatch_pb2.ArrayElement(
            node_id="n0",
            index=index,
            phase=Task.FAILED if index == 19_999 else Task.SUCCEEDED,
            external_id=f"run-n0-{index}-0",
        )
        for index in range(20_000)
    ]
    await engine.report(part(given, nodes=[node("n0", is_array=True)], tasks=[task()], elements=elements))
    request = task_execution_pb2.TaskExecutionListRequest(node_execution_id=scripted.node_id("run", "n0"), limit=10)
    found = await call(platform.admin.ListTaskExecutions(request))
    assert found.ByteSize() < 2**20
    resources = found.task_executions[0].closure.metadata.external_resources
    assert len(resources) == 5000
    assert resources[-1].index == 19_999


async def test_children_of_task_executions_are_those_that_events_named(platform: scripted.Platform, run: Run) -> None:
    engine, given = run
    await engine.report(part(given, nodes=[node("n0")], tasks=[task()]))
    id_ = identifier_pb2.TaskExecutionIdentifier(
        task_id=scripted.identifier(identifier_pb2.TASK, "t"), node_execution_id=scripted.node_id("run", "n0")
    )
    request = node_execution_pb2.NodeExecutionForTaskListRequest(task_execution_id=id_, limit=10)
    assert not (await call(platform.admin.ListNodeExecutionsForTask(request))).node_executions
    request.task_execution_id.retry_attempt = 1
    with pytest.raises(errors.NotFoundError):
        await call(platform.admin.ListNodeExecutionsForTask(request))
