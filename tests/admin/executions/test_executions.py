"""Launching, looking at, listing, ending executions."""

import re

import pytest
import scripted
from google.protobuf import wrappers_pb2
from scripted import Execution, Node, part, phase

from volant_core import errors
from volant_core.rpc import call
from volantidl.admin import (
    common_pb2,
    event_pb2,
    execution_pb2,
    launch_plan_pb2,
    matchable_resource_pb2,
    project_domain_attributes_pb2,
    project_pb2,
)
from volantidl.core import identifier_pb2, literals_pb2, security_pb2


async def test_a_new_execution_is_shown_as_clients_expect(platform: scripted.Platform) -> None:
    request = scripted.create_request("", x=4)
    request.spec.labels.values["team"] = "a"
    request.spec.tags.append("nightly")
    request.spec.metadata.principal = "placeholder"
    created = await call(platform.admin.CreateExecution(request))
    assert re.fullmatch("a[a-z0-9]{19}", created.id.name)
    shown = await platform.get(created.id.name)
    assert shown.id == created.id
    assert shown.closure.phase == Execution.UNDEFINED
    assert shown.closure.workflow_id == scripted.identifier(identifier_pb2.WORKFLOW, "w")
    assert shown.closure.created_at == shown.closure.updated_at == scripted.at(0)
    assert not shown.closure.HasField("started_at")
    assert shown.closure.state_change_details.state == execution_pb2.EXECUTION_ACTIVE
    assert shown.spec.launch_plan == request.spec.launch_plan
    assert shown.spec.metadata.principal == ""
    assert shown.spec.metadata.system_metadata.namespace == "flytesnacks-development"
    assert shown.spec.max_parallelism == 25
    assert list(shown.spec.tags) == ["nightly"]
    assert not shown.spec.HasField("inputs")
    data = await call(platform.admin.GetExecutionData(execution_pb2.WorkflowExecutionGetDataRequest(id=created.id)))
    assert data.full_inputs == scripted.literal_map(x=4, y=7)
    assert data.full_outputs == literals_pb2.LiteralMap()


async def test_inputs_of_old_clients_are_taken_from_the_spec(platform: scripted.Platform) -> None:
    request = scripted.create_request("old")
    request.spec.inputs.CopyFrom(scripted.literal_map(x=9))
    request.ClearField("inputs")
    await call(platform.admin.CreateExecution(request))
    engine = await platform.engine()
    inputs = literals_pb2.LiteralMap.FromString((await engine.given()).inputs)
    assert inputs == scripted.literal_map(x=9, y=7)


async def test_large_inputs_go_to_the_store(platform: scripted.Platform) -> None:
    request = scripted.create_request()
    request.inputs.literals["x"].hash = "h" * 20_000
    engine = await platform.engine()
    created = await call(platform.admin.CreateExecution(request))
    given = await engine.given()
    assert given.inputs == b""
    assert given.inputs_uri == f"s3://volant/metadata/flytesnacks/development/{created.id.name}/inputs"
    stored = literals_pb2.LiteralMap.FromString(await platform.blobs.get(given.inputs_uri))
    assert stored.literals["x"].hash == "h" * 20_000
    assert stored.literals["y"] == scripted.integer(7)
    data = await call(platform.admin.GetExecutionData(execution_pb2.WorkflowExecutionGetDataRequest(id=created.id)))
    assert data.full_inputs == stored
    # Relaunched with what the user gave.
    again = await call(platform.admin.RelaunchExecution(execution_pb2.ExecutionRelaunchRequest(id=created.id)))
    assert again.id != created.id
    assert literals_pb2.LiteralMap.FromString(await platform.blobs.get((await engine.given()).inputs_uri)) == stored


def changed(**fields: object) -> execution_pb2.ExecutionCreateRequest:
    request = scripted.create_request()
    for path, value in fields.items():
        *parents, name = path.split("__")
        target = request
        for parent in parents:
            target = getattr(target, parent)
        if value is None:
            target.ClearField(name)
        elif hasattr(value, "DESCRIPTOR"):
            getattr(target, name).CopyFrom(value)
        else:
            setattr(target, name, value)
    return request


REFUSED = {
    "missing project": changed(project=""),
    "missing domain": changed(domain=""),
    r"domain \[moon\] is unrecognized": changed(domain="moon"),
    r"project \[nope\]": changed(project="nope"),
    "missing spec": changed(spec=None),
    "missing id of the launch_plan": changed(spec__launch_plan=None),
    "missing version": changed(spec__launch_plan__version=""),
    r"Invalid reference entity resource type \[WORKFLOW\]": changed(
        spec__launch_plan__resource_type=identifier_pb2.WORKFLOW
    ),
    "invalid name format: 9lives": changed(name="9lives"),
    "size of name exceeded length 63": changed(name="a" * 64),
    "invalid input z": changed(inputs=scripted.literal_map(x=1, z=1)),
    "expected_inputs x missing": changed(inputs=scripted.literal_map(y=1)),
    "invalid x input wrong type. Expected .*INTEGER, but got .*STRING": changed(
        inputs=literals_pb2.LiteralMap(literals={"x": scripted.text("one")})
    ),
    "missing valid literal in inputs x": changed(
        inputs=literals_pb2.LiteralMap(literals={"x": literals_pb2.Literal()})
    ),
    "invalid label key": changed(spec__labels=common_pb2.Labels(values={"no good!": "x"})),
}


async def test_what_can_not_be_launched_is_refused(platform: scripted.Platform) -> None:
    for complaint, request in REFUSED.items():
        with pytest.raises(errors.InvalidArgumentError, match=complaint):
            await call(platform.admin.CreateExecution(request))


async def test_unregistered_launch_plans_and_tasks_are_not_found(platform: scripted.Platform) -> None:
    for kind in (identifier_pb2.LAUNCH_PLAN, identifier_pb2.TASK):
        request = scripted.create_request()
        request.spec.launch_plan.CopyFrom(scripted.identifier(kind, "nothere"))
        with pytest.raises(errors.NotFoundError, match="missing entity"):
            await call(platform.admin.CreateExecution(request))


async def test_a_name_is_taken_once(platform: scripted.Platform) -> None:
    await platform.create("mine", x=1)
    with pytest.raises(errors.AlreadyExistsError, match="value with matching already exists"):
        await platform.create("mine", x=2)
    data = await call(
        platform.admin.GetExecutionData(execution_pb2.WorkflowExecutionGetDataRequest(id=scripted.execution_id("mine")))
    )
    assert data.full_inputs.literals["x"] == scripted.integer(1)


async def test_fixed_inputs_can_not_be_overridden(platform: scripted.Platform) -> None:
    plan = scripted.plan_request("fixed", fixed_inputs=scripted.literal_map(x=5))
    await call(platform.admin.CreateLaunchPlan(plan))
    request = scripted.create_request(y=1)
    request.spec.launch_plan.CopyFrom(plan.id)
    engine = await platform.engine()
    await call(platform.admin.CreateExecution(request))
    inputs = literals_pb2.LiteralMap.FromString((await engine.given()).inputs)
    assert inputs == scripted.literal_map(x=5, y=1)
    request.inputs.CopyFrom(scripted.literal_map(x=1, y=1))
    with pytest.raises(errors.InvalidArgumentError, match=r"invalid input x|fixed_inputs x cannot be overridden"):
        await call(platform.admin.CreateExecution(request))


async def test_settings_come_from_the_first_level_that_has_them(platform: scripted.Platform) -> None:
    await call(
        platform.admin.UpdateProjectDomainAttributes(
            project_domain_attributes_pb2.ProjectDomainAttributesUpdateRequest(
                attributes=project_domain_attributes_pb2.ProjectDomainAttributes(
                    project="flytesnacks",
                    domain="development",
                    matching_attributes=matchable_resource_pb2.MatchingAttributes(
                        workflow_execution_config=matchable_resource_pb2.WorkflowExecutionConfig(
                            max_parallelism=3,
                            annotations=common_pb2.Annotations(values={"level": "attributes"}),
                            envs=common_pb2.Envs(values=[{"key": "LEVEL", "value": "attributes"}]),
                            interruptible=wrappers_pb2.BoolValue(value=False),
                            overwrite_cache=True,
                        )
                    ),
                )
            )
        )
    )
    await call(
        platform.admin.UpdateProject(
            project_pb2.Project(id="flytesnacks", labels=common_pb2.Labels(values={"owner": "p", "team": "p"}))
        )
    )
    plan = scripted.plan_request(
        "settings",
        labels=common_pb2.Labels(values={"team": "plan"}),
        envs=common_pb2.Envs(values=[{"key": "LEVEL", "value": "plan"}]),
        max_parallelism=4,
        security_context=security_pb2.SecurityContext(run_as={"k8s_service_account": "plan"}),
        raw_output_data_config=common_pb2.RawOutputDataConfig(output_location_prefix="s3://plan"),
        interruptible=wrappers_pb2.BoolValue(value=True),
    )
    await call(platform.admin.CreateLaunchPlan(plan))
    request = scripted.create_request()
    request.spec.launch_plan.CopyFrom(plan.id)
    request.spec.envs.values.add(key="LEVEL", value="request")
    engine = await platform.engine()
    created = await call(platform.admin.CreateExecution(request))
    spec = (await engine.given()).spec
    assert spec.max_parallelism == 4
    assert dict(spec.labels.values) == {"team": "plan", "owner": "p"}
    assert dict(spec.annotations.values) == {"level": "attributes"}
    assert [(env.key, env.value) for env in spec.envs.values] == [("LEVEL", "request")]
    assert spec.interruptible.value
    assert spec.overwrite_cache
    assert spec.security_context.run_as.k8s_service_account == "plan"
    assert spec.raw_output_data_config.output_location_prefix == "s3://plan"
    shown = (await platform.get(created.id.name)).spec
    assert shown.max_parallelism == 4
    assert not shown.HasField("interruptible")
    assert not shown.overwrite_cache


async def test_deprecated_roles_are_folded_in(platform: scripted.Platform) -> None:
    engine = await platform.engine()
    request = scripted.create_request()
    request.spec.auth_role.kubernetes_service_account = "robot"
    await call(platform.admin.CreateExecution(request))
    assert (await engine.given()).spec.security_context.run_as.k8s_service_account == "robot"


async def test_a_concurrency_limit_skips(platform: scripted.Platform) -> None:
    plan = scripted.plan_request(
        "limited",
        concurrency_policy=launch_plan_pb2.ConcurrencyPolicy(
            max=1, behavior=launch_plan_pb2.CONCURRENCY_LIMIT_BEHAVIOR_SKIP
        ),
    )
    await call(platform.admin.CreateLaunchPlan(plan))
    request = scripted.create_request()
    request.spec.launch_plan.CopyFrom(plan.id)
    engine = await platform.engine()
    await call(platform.admin.CreateExecution(request))
    text = r"concurrency limit \(1\) reached for launch plan limited; skipping execution"
    with pytest.raises(errors.AlreadyExistsError, match=text):
        await call(platform.admin.CreateExecution(request))
    await engine.report(part(await engine.given(), record=phase(Execution.SUCCEEDED)))
    await call(platform.admin.CreateExecution(request))


async def test_a_single_task_is_launched_in_a_hidden_workflow(platform: scripted.Platform) -> None:
    engine = await platform.engine()
    for _ in range(2):
        request = scripted.create_request(x=1, y=2)
        request.spec.launch_plan.CopyFrom(scripted.identifier(identifier_pb2.TASK, "t"))
        created = await call(platform.admin.CreateExecution(request))
        given = await engine.given()
        assert given.workflow_id.name == ".flytegen.t"
        shown = await platform.get(created.id.name)
        assert shown.spec.launch_plan.resource_type == identifier_pb2.TASK
        assert shown.closure.workflow_id.name == ".flytegen.t"
    ids = await call(
        platform.admin.ListNamedEntities(
            common_pb2.NamedEntityListRequest(
                resource_type=identifier_pb2.WORKFLOW, project="flytesnacks", domain="development", limit=10
            )
        )
    )
    assert [entity.id.name for entity in ids.entities] == ["w"]
    listed = await list_executions(platform, filters="eq(task.name,t)")
    assert len(listed.executions) == 2
    assert len((await list_executions(platform, filters="eq(launch_entity,task)")).executions) == 2


async def test_relaunch_and_recover_name_what_they_repeat(platform: scripted.Platform) -> None:
    engine = await platform.engine()
    request = scripted.create_request("first", x=2)
    request.spec.overwrite_cache = True
    await call(platform.admin.CreateExecution(request))
    await engine.given()
    source = scripted.execution_id("first")
    again = await call(
        platform.admin.RelaunchExecution(execution_pb2.ExecutionRelaunchRequest(id=source, name="again"))
    )
    assert again.id.name == "again"
    given = await engine.given()
    assert not given.HasField("recover_from")
    assert literals_pb2.LiteralMap.FromString(given.inputs) == scripted.literal_map(x=2, y=7)
    shown = await platform.get("again")
    assert shown.spec.metadata.mode == execution_pb2.ExecutionMetadata.RELAUNCH
    assert shown.spec.metadata.reference_execution == source
    assert not shown.spec.overwrite_cache
    recovered = await call(platform.admin.RecoverExecution(execution_pb2.ExecutionRecoverRequest(id=source)))
    given = await engine.given()
    assert given.recover_from == source
    shown = await platform.get(recovered.id.name)
    assert shown.spec.metadata.mode == execution_pb2.ExecutionMetadata.RECOVERED
    assert shown.spec.overwrite_cache
    with pytest.raises(errors.NotFoundError):
        await call(
            platform.admin.RelaunchExecution(
                execution_pb2.ExecutionRelaunchRequest(id=scripted.execution_id("nothere"))
            )
        )


async def test_children_inherit_from_their_parents(platform: scripted.Platform) -> None:
    request = scripted.create_request("parent")
    request.spec.execution_cluster_label.value = "blue"
    await call(platform.admin.CreateExecution(request))
    child = scripted.create_request("child")
    child.spec.metadata.mode = execution_pb2.ExecutionMetadata.CHILD_WORKFLOW
    child.spec.metadata.parent_node_execution.CopyFrom(scripted.node_id("parent", "n0"))
    await call(platform.admin.CreateExecution(child))
    shown = await platform.get("child")
    assert shown.spec.metadata.nesting == 1
    assert shown.spec.execution_cluster_label.value == "blue"
    child.name = "astray"
    child.spec.metadata.mode = execution_pb2.ExecutionMetadata.MANUAL
    with pytest.raises(errors.NotFoundError, match='node_id:"n0"'):
        await call(platform.admin.CreateExecution(child))
    child.spec.metadata.mode = execution_pb2.ExecutionMetadata.CHILD_WORKFLOW
    child.name = "late"
    engine = await platform.engine()
    for given in [await engine.given(), await engine.given()]:
        if given.id.name == "parent":
            await engine.report(part(given, record=phase(Execution.ABORTED)))
    with pytest.raises(errors.FailedPreconditionError, match="has ended"):
        await call(platform.admin.CreateExecution(child))
    child.name = "orphan"
    child.spec.metadata.parent_node_execution.execution_id.name = "nothere"
    with pytest.raises(errors.NotFoundError):
        await call(platform.admin.CreateExecution(child))


async def test_terminating_what_has_ended_is_refused_in_a_typed_way(platform: scripted.Platform) -> None:
    engine = await platform.engine()
    name = await platform.create()
    await engine.report(part(await engine.given(), record=phase(Execution.FAILED, error={"code": "E"})))
    with pytest.raises(errors.FailedPreconditionError) as caught:
        await platform.terminate(name)
    [detail] = caught.value.details
    assert isinstance(detail, event_pb2.EventFailureReason)
    assert detail.already_in_terminal_state.current_phase == "FAILED"
    with pytest.raises(errors.NotFoundError):
        await platform.terminate("nothere")


async def test_archived_executions_are_listed_only_when_asked_for(platform: scripted.Platform) -> None:
    await platform.create("kept")
    await platform.create("archived")
    update = execution_pb2.ExecutionUpdateRequest(
        id=scripted.execution_id("archived"), state=execution_pb2.EXECUTION_ARCHIVED
    )
    await call(platform.admin.UpdateExecution(update))
    assert [one.id.name for one in (await list_executions(platform)).executions] == ["kept"]
    archived = await list_executions(platform, filters="eq(state,1)")
    assert [one.id.name for one in archived.executions] == ["archived"]
    details = archived.executions[0].closure.state_change_details
    assert details.state == execution_pb2.EXECUTION_ARCHIVED
    update.id.name = "nothere"
    with pytest.raises(errors.NotFoundError):
        await call(platform.admin.UpdateExecution(update))


async def list_executions(
    platform: scripted.Platform,
    *,
    limit: int = 10,
    token: str = "",
    filters: str = "",
    sort: str = "",
    up: bool = False,
) -> execution_pb2.ExecutionList:
    request = common_pb2.ResourceListRequest(
        id=common_pb2.NamedEntityIdentifier(project="flytesnacks", domain="development"),
        limit=limit,
        token=token,
        filters=filters,
    )
    if sort:
        request.sort_by.key = sort
        request.sort_by.direction = common_pb2.Sort.ASCENDING if up else common_pb2.Sort.DESCENDING
    return await call(platform.admin.ListExecutions(request))


async def test_lists_filter_sort_and_page(platform: scripted.Platform, clock: scripted.VirtualClock) -> None:
    engine = await platform.engine()
    names = []
    for number in range(5):
        clock.advance(1)
        request = scripted.create_request(f"e{number}")
        request.spec.labels.values["parity"] = "even" if number % 2 == 0 else "odd"
        request.spec.tags.append(f"tag{number}")
        await call(platform.admin.CreateExecution(request))
        names.append(request.name)
        given = await engine.given()
        if number < 2:
            long = "é" * 100
            await engine.report(part(given, record=phase(Execution.RUNNING)))
            await engine.report(part(given, record=phase(Execution.FAILED, 9, error={"code": "Boom", "message": long})))

    async def named(**asked: object) -> list[str]:
        return [one.id.name for one in (await list_executions(platform, **asked)).executions]

    assert await named(sort="created_at") == names[::-1]
    assert await named(sort="execution_created_at", up=True) == names
    first = await list_executions(platform, limit=2, sort="created_at", up=True)
    assert [one.id.name for one in first.executions] == names[:2]
    assert first.token == "2"
    assert await named(limit=2, sort="created_at", up=True, token="4") == names[4:]
    assert await named(filters="eq(phase,FAILED)", sort="execution_name", up=True) == names[:2]
    assert (
        await named(filters="value_in(phase,FAILED;UNDEFINED)+eq(error_code,Boom)", sort="execution_name", up=True)
        == names[:2]
    )
    assert await named(
        filters="eq(execution_tag.key,parity)+eq(execution_tag.value,odd)", up=True, sort="execution_name"
    ) == [
        "e1",
        "e3",
    ]
    assert await named(filters="eq(admin_tag.name,tag3)") == ["e3"]
    assert (
        await named(filters="eq(workflow.name,w)+eq(launch_plan.version,v1)", sort="execution_name", up=True) == names
    )
    assert await named(filters="gte(duration,8)", sort="execution_name", up=True) == names[:2]
    assert await named(filters="gt(created_at,2024-05-01T12:00:03Z)", sort="execution_name", up=True) == names[3:]
    assert await named(filters="contains(execution_name,e4)") == ["e4"]
    [failed, *_] = (await list_executions(platform, filters="eq(phase,FAILED)")).executions
    assert len(failed.closure.error.message.encode()) == 100
    for bad, complaint in (
        ({"limit": 0}, "invalid value for limit"),
        ({"token": "x"}, "invalid pagination token x for ListExecutions"),
        ({"sort": "nope"}, "invalid sort key"),
        ({"filters": "eq(nope,1)"}, "is invalid filter"),
        ({"filters": "eq(signal.signal_id,1)"}, "entity is not allowed"),
        ({"filters": "eq(created_at,today)"}, "RFC3339"),
    ):
        with pytest.raises(errors.InvalidArgumentError, match=complaint):
            await list_executions(platform, **bad)


async def test_identifiers_must_be_whole(platform: scripted.Platform) -> None:
    for id_ in ({}, {"project": "p"}, {"project": "p", "domain": "d"}):
        request = execution_pb2.WorkflowExecutionGetRequest(id=identifier_pb2.WorkflowExecutionIdentifier(**id_))
        with pytest.raises(errors.InvalidArgumentError, match="missing"):
            await call(platform.admin.GetExecution(request))
    with pytest.raises(errors.NotFoundError, match="missing entity of type execution"):
        await platform.get("nothere")


async def test_where_the_time_went(platform: scripted.Platform) -> None:
    engine = await platform.engine()
    name = await platform.create()
    given = await engine.given()
    attempt = scripted.task("n0", scripted.Task.SUCCEEDED)
    attempt.started_at.CopyFrom(scripted.at(3))
    attempt.created_at.CopyFrom(scripted.at(2))
    attempt.updated_at.CopyFrom(scripted.at(6))
    await engine.report(
        part(
            given,
            record=phase(Execution.SUCCEEDED, 9),
            nodes=[
                scripted.node("start-node", Node.SUCCEEDED, 1),
                scripted.node("n0", Node.SUCCEEDED, 7),
                scripted.node("end-node", Node.SUCCEEDED, 8),
            ],
            tasks=[attempt],
        )
    )

    async def span(depth: int) -> object:
        request = execution_pb2.WorkflowExecutionGetMetricsRequest(id=scripted.execution_id(name), depth=depth)
        return (await call(platform.admin.GetExecutionMetrics(request))).span

    whole = await span(-1)
    assert whole.workflow_id.name == name
    assert whole.end_time == scripted.at(9)
    setup, n0, teardown = whole.spans
    assert (setup.operation_id, setup.end_time) == ("WORKFLOW_SETUP", scripted.at(1))
    assert (teardown.operation_id, teardown.start_time) == ("WORKFLOW_TEARDOWN", scripted.at(7))
    assert [one.operation_id for one in n0.spans] == ["NODE_TRANSITION", "NODE_SETUP", "", "NODE_TEARDOWN"]
    runs = n0.spans[2]
    assert runs.task_id.node_execution_id.node_id == "n0"
    assert [one.operation_id for one in runs.spans] == ["TASK_SETUP", "TASK_RUNTIME", "TASK_TEARDOWN"]
    assert not (await span(0)).spans
    assert [len(one.spans) for one in (await span(1)).spans] == [0, 1, 0]
