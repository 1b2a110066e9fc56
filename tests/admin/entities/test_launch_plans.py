import pytest
from entity_requests import DATETIME, INTEGER, STRING, integer, plan, plan_id, refused, task, workflow

from volantidl.admin import common_pb2, launch_plan_pb2, schedule_pb2
from volantidl.core import execution_pb2, identifier_pb2, literals_pb2


@pytest.fixture
async def ready(stub):
    """Admin with a workflow w(x: int)."""
    await stub.CreateTask(task())
    await stub.CreateWorkflow(workflow())
    return stub


def get(name: str = "w", version: str = "v1") -> common_pb2.ObjectGetRequest:
    return common_pb2.ObjectGetRequest(id=plan_id(name, version))


def named(name: str) -> launch_plan_pb2.ActiveLaunchPlanRequest:
    return launch_plan_pb2.ActiveLaunchPlanRequest(
        id=common_pb2.NamedEntityIdentifier(project="flytesnacks", domain="development", name=name)
    )


async def test_what_the_workflow_wants_and_nothing_gives_is_required(ready):
    await ready.CreateLaunchPlan(plan())
    found = await ready.GetLaunchPlan(get())
    assert found.closure.state == launch_plan_pb2.INACTIVE
    assert found.closure.expected_inputs.parameters["x"].required
    assert found.closure.expected_inputs.parameters["x"].var.type == INTEGER
    assert found.closure.expected_outputs.variables["o0"].type == INTEGER
    assert found.spec.default_inputs == found.closure.expected_inputs
    assert found.closure.HasField("created_at")
    assert found.closure.HasField("updated_at")


async def test_fixed_inputs_are_not_expected_and_defaults_are(ready):
    fixed = plan("fixed")
    fixed.spec.fixed_inputs.literals["x"].CopyFrom(integer(7))
    await ready.CreateLaunchPlan(fixed)
    assert not (await ready.GetLaunchPlan(get("fixed"))).closure.expected_inputs.parameters
    await ready.CreateLaunchPlan(plan("default", x=5))
    expected = (await ready.GetLaunchPlan(get("default"))).closure.expected_inputs.parameters["x"]
    assert expected.default.scalar.primitive.integer == 5


async def test_the_same_again_and_another_structure(ready):
    await ready.CreateLaunchPlan(plan())
    with refused("ALREADY_EXISTS") as refusal:
        await ready.CreateLaunchPlan(plan())
    assert refusal.text == "launch plan with identical structure already exists"
    with refused("INVALID_ARGUMENT") as refusal:
        await ready.CreateLaunchPlan(plan(x=5))
    assert refusal.text.startswith(
        "w launch plan with different structure already exists. (Please register a new version of the launch plan):\n"
    )
    assert "default_inputs" in refusal.text


async def test_wrong_ones_are_refused(ready):
    async def text(change) -> str:
        request = plan()
        change(request)
        with refused("INVALID_ARGUMENT") as refusal:
            await ready.CreateLaunchPlan(request)
        return refusal.text

    def default(request, name, type_, literal) -> None:
        request.spec.default_inputs.parameters[name].var.type.CopyFrom(type_)
        request.spec.default_inputs.parameters[name].default.CopyFrom(literal)

    word = literals_pb2.Literal()
    word.scalar.primitive.string_value = "a"
    assert await text(lambda r: r.ClearField("spec")) == "missing spec, with the id of a workflow"
    assert await text(lambda r: default(r, "y", INTEGER, integer(1))) == "unexpected default_input y"
    assert "invalid default_input wrong type x" in await text(lambda r: default(r, "x", STRING, word))
    assert "Type mismatch for Parameter x" in await text(lambda r: default(r, "x", INTEGER, word))
    assert "neither default, nor is required" in await text(
        lambda r: r.spec.default_inputs.parameters["x"].var.type.CopyFrom(INTEGER)
    )
    assert "unexpected fixed_input y" in await text(lambda r: r.spec.fixed_inputs.literals["y"].CopyFrom(integer(1)))
    assert "invalid fixed_input wrong type x, expected INTEGER, got STRING" in await text(
        lambda r: r.spec.fixed_inputs.literals["x"].CopyFrom(word)
    )
    assert "missing valid literal in fixed_inputs x" in await text(
        lambda r: r.spec.fixed_inputs.literals["x"].SetInParent()
    )
    assert "invalid label key [-]" in await text(lambda r: r.spec.labels.values.update({"-": "a"}))
    assert "invalid value for notification type" in await text(lambda r: r.spec.entity_metadata.notifications.add())

    def notify(request) -> None:
        one = request.spec.entity_metadata.notifications.add(phases=[execution_pb2.WorkflowExecution.RUNNING])
        one.email.recipients_email.append("a@example.org")

    assert await text(notify) == "invalid value for phase"
    assert "Launch condition must be empty" in await text(
        lambda r: r.spec.entity_metadata.launch_conditions.SetInParent()
    )
    with refused("NOT_FOUND"):
        await ready.CreateLaunchPlan(plan(workflow_name="missing"))


async def test_schedules_need_all_inputs_and_sense(stub):
    await stub.CreateTask(task(x=DATETIME))
    request = workflow(nodes=1)
    request.spec.template.interface.inputs.variables["x"].type.CopyFrom(DATETIME)
    await stub.CreateWorkflow(request)

    async def text(**schedule) -> str:
        asked = plan()
        asked.spec.entity_metadata.schedule.CopyFrom(schedule_pb2.Schedule(**schedule))
        with refused("INVALID_ARGUMENT") as refusal:
            await stub.CreateLaunchPlan(asked)
        return refusal.text

    cron = schedule_pb2.CronSchedule
    assert "[x] is required" in await text(cron_schedule=cron(schedule="* * * * *"))
    assert "[x] is required" in await text(rate=schedule_pb2.FixedRate(value=1))
    for wrong in ("* * * *", "61 * * * *", "@sometimes", "* * * * * *", "TZ=Mars/Olympus * * * * *", "@every -1s"):
        assert "Invalid cron expression" in await text(
            cron_schedule=cron(schedule=wrong), kickoff_time_input_arg="x"
        ), wrong
    for number, right in enumerate(
        ("* * * * *", "@hourly", "0 9 ? * MON-FRI", "CRON_TZ=Asia/Tokyo 0 6 * * *", "@every 90m")
    ):
        asked = plan(version=f"s{number}")
        asked.spec.entity_metadata.schedule.CopyFrom(
            schedule_pb2.Schedule(cron_schedule=cron(schedule=right), kickoff_time_input_arg="x")
        )
        await stub.CreateLaunchPlan(asked)
    listed = await stub.ListLaunchPlans(
        common_pb2.ResourceListRequest(
            id=common_pb2.NamedEntityIdentifier(project="flytesnacks", domain="development"),
            limit=10,
            filters="eq(schedule_type,CRON)+eq(workflow.name,w)",
        )
    )
    assert len(listed.launch_plans) == 5


async def test_one_version_is_active_at_most(ready):
    for version in ("v1", "v2"):
        await ready.CreateLaunchPlan(plan(version=version, x=1))
    with refused("NOT_FOUND") as refusal:
        await ready.GetActiveLaunchPlan(named("w"))
    assert refusal.text == "No active launch plan could be found: flytesnacks:development:w"

    async def activate(version: str, state=launch_plan_pb2.ACTIVE) -> None:
        await ready.UpdateLaunchPlan(launch_plan_pb2.LaunchPlanUpdateRequest(id=plan_id("w", version), state=state))

    await activate("v1")
    await activate("v2")
    active = await ready.GetActiveLaunchPlan(named("w"))
    assert active.id.version == "v2"
    assert active.closure.state == launch_plan_pb2.ACTIVE
    assert (await ready.GetLaunchPlan(get(version="v1"))).closure.state == launch_plan_pb2.INACTIVE
    with refused("NOT_FOUND"):
        await activate("v9")
    assert (await ready.GetActiveLaunchPlan(named("w"))).id.version == "v2"
    listed = await ready.ListActiveLaunchPlans(
        launch_plan_pb2.ActiveLaunchPlanListRequest(project="flytesnacks", domain="development", limit=10)
    )
    assert [one.id.version for one in listed.launch_plans] == ["v2"]
    await activate("v2", launch_plan_pb2.INACTIVE)
    with refused("NOT_FOUND"):
        await ready.GetActiveLaunchPlan(named("w"))
    with refused("INVALID_ARGUMENT") as refusal:
        await activate("v2", 7)
    assert "Unrecognized launch plan state 7" in refusal.text


async def test_activations_at_once_leave_one_active(ready):
    import asyncio

    versions = [f"v{number}" for number in range(6)]
    for version in versions:
        await ready.CreateLaunchPlan(plan(version=version))
    await asyncio.gather(
        *(
            ready.UpdateLaunchPlan(
                launch_plan_pb2.LaunchPlanUpdateRequest(id=plan_id("w", version), state=launch_plan_pb2.ACTIVE)
            )
            for version in versions * 3
        )
    )
    listed = await ready.ListActiveLaunchPlans(
        launch_plan_pb2.ActiveLaunchPlanListRequest(project="flytesnacks", domain="development", limit=10)
    )
    assert len(listed.launch_plans) == 1


async def test_the_method_says_the_type_where_an_identifier_does_not(ready):
    """As in what flytectl sends for `register files --enableSchedule`."""
    await ready.CreateLaunchPlan(plan(x=1))
    untyped = plan_id("w", "v1")
    untyped.resource_type = identifier_pb2.UNSPECIFIED
    await ready.UpdateLaunchPlan(launch_plan_pb2.LaunchPlanUpdateRequest(id=untyped, state=launch_plan_pb2.ACTIVE))
    asked = common_pb2.ObjectGetRequest(id=untyped)
    assert (await ready.GetLaunchPlan(asked)).closure.state == launch_plan_pb2.ACTIVE
    assert (await ready.GetWorkflow(asked)).id.resource_type == identifier_pb2.WORKFLOW
    with refused("INVALID_ARGUMENT") as refusal:
        untyped.resource_type = identifier_pb2.TASK
        await ready.GetLaunchPlan(common_pb2.ObjectGetRequest(id=untyped))
    assert "unexpected resource type task" in refusal.text
