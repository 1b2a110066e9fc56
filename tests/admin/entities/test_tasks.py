from entity_requests import INTEGER, STRING, refused, task, task_id

from volantidl.admin import common_pb2, task_pb2
from volantidl.core import tasks_pb2


async def test_a_task_comes_back_as_it_was_registered(stub):
    request = task("t")
    request.spec.description.short_description = "adds"
    request.spec.description.source_code.link = "https://example.org"
    await stub.CreateTask(request)
    found = await stub.GetTask(common_pb2.ObjectGetRequest(id=task_id("t")))
    assert found.id == task_id("t")
    assert found.short_description == "adds"
    assert found.closure.HasField("created_at")
    expected = request.spec.template
    expected.id.CopyFrom(task_id("t"))
    assert found.closure.compiled_task.template == expected
    described = await stub.GetDescriptionEntity(common_pb2.ObjectGetRequest(id=task_id("t")))
    assert described.short_description == "adds"
    assert described.source_code.link == "https://example.org"


async def test_the_same_again_already_exists_and_another_structure_is_refused_with_what_differs(stub):
    await stub.CreateTask(task("t"))
    with refused("ALREADY_EXISTS") as refusal:
        await stub.CreateTask(task("t"))
    assert refusal.text == "task with identical structure already exists"
    with refused("INVALID_ARGUMENT") as refusal:
        await stub.CreateTask(task("t", x=STRING))
    first, _, rest = refusal.text.partition("\n")
    assert first == ("t task with different structure already exists. (Please register a new version of the task):")
    assert rest == "/template/interface/inputs/variables/x/type/simple:\n\t- INTEGER \n\t+ STRING"
    kept = await stub.GetTask(common_pb2.ObjectGetRequest(id=task_id("t")))
    assert kept.closure.compiled_task.template.interface.inputs.variables["x"].type == INTEGER


async def test_what_does_not_exist_is_not_found(stub):
    with refused("NOT_FOUND") as refusal:
        await stub.GetTask(common_pb2.ObjectGetRequest(id=task_id("t")))
    assert refusal.text == (
        'missing entity of type TASK with identifier project:"flytesnacks" domain:"development" name:"t" version:"v1"'
    )


async def test_incomplete_tasks_are_refused_by_name(stub):
    async def text(change) -> str:
        request = task("t")
        change(request)
        with refused("INVALID_ARGUMENT") as refusal:
            await stub.CreateTask(request)
        return refusal.text

    assert await text(lambda r: r.ClearField("id")) == "missing id"
    assert await text(lambda r: r.id.ClearField("project")) == "missing project"
    assert await text(lambda r: r.id.ClearField("version")) == "missing version"
    assert await text(lambda r: r.ClearField("spec")) == "missing spec"
    assert await text(lambda r: r.spec.template.ClearField("type")) == "missing type"
    assert await text(lambda r: r.spec.template.ClearField("metadata")) == "missing metadata"
    assert await text(lambda r: r.spec.template.metadata.runtime.ClearField("version")) == "missing runtime version"
    assert await text(lambda r: r.spec.template.ClearField("interface")) == "missing typed interface"
    assert await text(lambda r: r.spec.template.container.ClearField("image")) == "missing image"
    assert await text(lambda r: r.spec.template.k8s_pod.SetInParent()) == (
        "invalid TaskSpecification, pod tasks should specify their target as a K8sPod with a defined pod spec"
    )
    assert "unexpected resource type workflow" in await text(lambda r: setattr(r.id, "resource_type", 2))
    assert await text(lambda r: setattr(r.id, "domain", "mars")) == "domain [mars] is unrecognized by system"
    assert await text(lambda r: setattr(r.id, "project", "nowhere")) == (
        "failed to validate that project [nowhere] and domain [development] are registered,"
        " err: [project [nowhere] not found]"
    )
    assert await text(lambda r: r.spec.template.container.ClearField("args")) == (
        "task failed compilation with Collected Errors: 1\n"
        "\tError 0: Code: ValueRequired, Node Id: container, Description: Value required [command].\n"
    )
    assert "NUL" in await text(lambda r: setattr(r.id, "name", "a\x00b"))


async def test_resources_are_checked(stub):
    async def text(requests, limits) -> str:
        request = task("t")
        for entries, given in (
            (request.spec.template.container.resources.requests, requests),
            (request.spec.template.container.resources.limits, limits),
        ):
            for name, value in given:
                entries.add(name=tasks_pb2.Resources.ResourceName.Value(name), value=value)
        with refused("INVALID_ARGUMENT") as refusal:
            await stub.CreateTask(request)
        return refusal.text

    assert "can't specify CPU limit" in await text([("CPU", "1"), ("CPU", "2")], [])
    assert "Parsing of MEMORY request failed for value lots" in await text([("MEMORY", "lots")], [])
    assert "must be a whole number, got: 0.5" in await text([("GPU", "0.5")], [])
    assert "Requested CPU default [2] is greater than the limit [1500m]" in await text(
        [("CPU", "2")], [("CPU", "1500m")]
    )
    assert "the default value must equal the limit value" in await text([("GPU", "1")], [("GPU", "2")])
    request = task("t")
    request.spec.template.container.resources.requests.add(name=tasks_pb2.Resources.CPU, value="500m")
    await stub.CreateTask(request)


async def test_an_archived_project_takes_nothing(stub):
    from volantidl.admin import project_pb2

    await stub.UpdateProject(project_pb2.Project(id="flytesnacks", state=project_pb2.Project.ARCHIVED))
    with refused("INVALID_ARGUMENT") as refusal:
        await stub.CreateTask(task("t"))
    assert refusal.text == "project [flytesnacks] is not active"
    detail = project_pb2.InactiveProject()
    assert refusal.details[0].type_url == "type.googleapis.com/flyteidl.admin.InactiveProject"
    detail.ParseFromString(refusal.details[0].value)
    assert detail.id == "flytesnacks"


async def test_names_of_any_form_are_kept(stub):
    names = ["a/b/../c", "ünïcödé.тест", "with space+plus;semi", "x" * 900]
    for name in names:
        await stub.CreateTask(task(name))
        assert (await stub.GetTask(common_pb2.ObjectGetRequest(id=task_id(name)))).id.name == name
    with refused("INVALID_ARGUMENT") as refusal:
        await stub.CreateTask(task("x" * 1001))
    assert refusal.text == "name cannot exceed 1000 bytes"
    assert isinstance(task_pb2.TaskCreateResponse(), task_pb2.TaskCreateResponse)


async def test_numbers_that_json_does_not_have_are_compared_too(stub):
    request = task("t")
    request.spec.template.custom.fields["a"].number_value = float("nan")
    await stub.CreateTask(request)
    with refused("ALREADY_EXISTS"):
        await stub.CreateTask(request)
    request.spec.template.custom.fields["a"].number_value = float("inf")
    with refused("INVALID_ARGUMENT") as refusal:
        await stub.CreateTask(request)
    assert "different structure" in refusal.text
