import asyncio

from entity_requests import INTEGER, STRING, binding, plan, plan_id, refused, task, task_id, workflow, workflow_id

from volantidl.admin import common_pb2, workflow_pb2
from volantidl.core import identifier_pb2


async def test_a_workflow_comes_back_compiled(stub):
    await stub.CreateTask(task())
    request = workflow()
    request.spec.description.short_description = "two steps"
    await stub.CreateWorkflow(request)
    found = await stub.GetWorkflow(common_pb2.ObjectGetRequest(id=workflow_id("w")))
    assert found.id == workflow_id("w")
    assert found.short_description == "two steps"
    closure = found.closure.compiled_workflow
    assert [node.id for node in closure.primary.template.nodes] == ["start-node", "end-node", "n0", "n1"]
    assert [one.template.id.name for one in closure.tasks] == ["t"]
    assert list(closure.primary.connections.downstream["n0"].ids) == ["n1"]
    assert list(closure.primary.connections.upstream["end-node"].ids) == ["n1"]
    again = await stub.GetWorkflow(common_pb2.ObjectGetRequest(id=workflow_id("w")))
    assert again == found


async def test_the_same_again_and_another_structure(stub):
    await stub.CreateTask(task())
    await stub.CreateWorkflow(workflow())
    for attempt, code in ((workflow(), "ALREADY_EXISTS"), (workflow(nodes=3), "INVALID_ARGUMENT")):
        with refused(code) as refusal:
            await stub.CreateWorkflow(attempt)
        reason = workflow_pb2.CreateWorkflowFailureReason()
        (detail,) = refusal.details
        assert detail.type_url == "type.googleapis.com/flyteidl.admin.CreateWorkflowFailureReason"
        reason.ParseFromString(detail.value)
        if code == "ALREADY_EXISTS":
            assert refusal.text == "workflow with identical structure already exists"
            assert reason.exists_identical_structure.id == workflow_id("w")
        else:
            assert refusal.text.startswith(
                "w workflow with different structure already exists. (Please register a new version of the workflow):\n"
            )
            assert "/primary/connections" in refusal.text
            assert reason.exists_different_structure.id == workflow_id("w")


async def test_order_of_nodes_and_of_upstream_ids_does_not_change_what_it_is(stub):
    await stub.CreateTask(task())
    first = workflow(nodes=3)
    first.spec.template.nodes[2].upstream_node_ids.extend(["n0", "n1"])
    await stub.CreateWorkflow(first)
    second = workflow(nodes=3)
    second.spec.template.nodes[2].upstream_node_ids.extend(["n1", "n0"])
    with refused("ALREADY_EXISTS"):
        await stub.CreateWorkflow(second)


async def test_wrong_graphs_say_everything_that_is_wrong(stub):
    await stub.CreateTask(task())
    request = workflow()
    request.spec.template.nodes[1].inputs[0].CopyFrom(binding("x", "n0", "nope"))
    request.spec.template.interface.outputs.variables["o0"].type.CopyFrom(STRING)
    with refused("INVALID_ARGUMENT") as refusal:
        await stub.CreateWorkflow(request)
    assert refusal.text.startswith(
        'failed to compile workflow for [resource_type:WORKFLOW project:"flytesnacks" domain:"development" name:"w"'
        ' version:"v1"] with err: Collected Errors: 3'
    )
    for part in ("VariableNameNotFound", "ParameterNotBound", "MismatchingTypes", "INTEGER", "STRING"):
        assert part in refusal.text
    with refused("NOT_FOUND"):
        await stub.GetWorkflow(common_pb2.ObjectGetRequest(id=workflow_id("w")))


async def test_missing_tasks_and_launch_plans_are_named(stub):
    with refused("INVALID_ARGUMENT") as refusal:
        await stub.CreateWorkflow(workflow())
    assert 'with err: missing entity of type TASK with identifier project:"flytesnacks"' in refusal.text
    await stub.CreateTask(task())
    request = workflow()
    request.spec.template.nodes[1].workflow_node.launchplan_ref.CopyFrom(plan_id("other"))
    with refused("INVALID_ARGUMENT") as refusal:
        await stub.CreateWorkflow(request)
    assert 'missing entity of type LAUNCH_PLAN with identifier project:"flytesnacks"' in refusal.text


async def test_launch_plan_nodes_take_what_the_launch_plan_takes(stub):
    await stub.CreateTask(task())
    await stub.CreateWorkflow(workflow())
    await stub.CreateLaunchPlan(plan("lp", x=3))
    request = workflow("outer", nodes=1)
    node = request.spec.template.nodes[0]
    node.workflow_node.launchplan_ref.CopyFrom(plan_id("lp"))
    await stub.CreateWorkflow(request)
    del node.inputs[:]
    request.id.version = "v2"
    await stub.CreateWorkflow(request)
    node.inputs.append(binding("y", "", "x"))
    request.id.version = "v3"
    with refused("INVALID_ARGUMENT") as refusal:
        await stub.CreateWorkflow(request)
    assert "Variable [y] not found on node [n0]" in refusal.text


async def test_of_two_at_once_one_wins_and_its_closure_is_kept(stub):
    await stub.CreateTask(task())
    calls = [stub.CreateWorkflow(workflow(nodes=nodes)) for nodes in (2, 3, 4, 5)]
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(not isinstance(one, Exception) for one in results) == 1
    found = await stub.GetWorkflow(common_pb2.ObjectGetRequest(id=workflow_id("w")))
    winner = next(index for index, one in enumerate(results) if not isinstance(one, Exception))
    assert len(found.closure.compiled_workflow.primary.template.nodes) == winner + 2 + 2


async def test_lists_have_interfaces_and_no_graphs(stub):
    await stub.CreateTask(task())
    for version in ("v1", "v2", "v3"):
        await stub.CreateWorkflow(workflow(version=version))
    request = common_pb2.ResourceListRequest(
        id=common_pb2.NamedEntityIdentifier(project="flytesnacks", domain="development", name="w"),
        limit=2,
        sort_by=common_pb2.Sort(key="created_at", direction=common_pb2.Sort.DESCENDING),
    )
    page = await stub.ListWorkflows(request)
    assert [one.id.version for one in page.workflows] == ["v3", "v2"]
    template = page.workflows[0].closure.compiled_workflow.primary.template
    assert template.interface.inputs.variables["x"].type == INTEGER
    assert not template.nodes
    request.token = page.token
    rest = await stub.ListWorkflows(request)
    assert [one.id.version for one in rest.workflows] == ["v1"]
    assert rest.token == ""


async def test_a_graph_of_thousands_of_nodes_and_very_long_names(stub):
    await stub.CreateTask(task())
    request = workflow("x" * 900, nodes=3000)
    await stub.CreateWorkflow(request)
    found = await stub.GetWorkflow(common_pb2.ObjectGetRequest(id=workflow_id("x" * 900)))
    assert len(found.closure.compiled_workflow.primary.template.nodes) == 3002
    assert task_id("t").resource_type == identifier_pb2.TASK
