import pytest
from entity_requests import refused

from volantidl.admin import project_pb2

Project = project_pb2.Project


def register(id_: str = "mine", **fields) -> project_pb2.ProjectRegisterRequest:
    return project_pb2.ProjectRegisterRequest(project=Project(id=id_, **{"name": "Mine"} | fields))


async def test_the_seed_project_is_there_with_the_domains(stub):
    listed = await stub.ListProjects(project_pb2.ProjectListRequest())
    assert [(one.id, one.name, one.description) for one in listed.projects] == [
        ("flytesnacks", "flytesnacks", "flytesnacks description")
    ]
    assert [one.id for one in listed.projects[0].domains] == ["development", "staging", "production"]
    assert listed.token == ""
    domains = await stub.GetDomains(project_pb2.GetDomainRequest())
    assert [one.name for one in domains.domains] == ["development", "staging", "production"]


async def test_register_get_update(stub):
    request = register(description="all of it")
    request.project.labels.values["team"] = "a-1"
    await stub.RegisterProject(request)
    found = await stub.GetProject(project_pb2.ProjectGetRequest(id="mine"))
    assert (found.name, found.description, found.state) == ("Mine", "all of it", Project.ACTIVE)
    assert dict(found.labels.values) == {"team": "a-1"}
    assert len(found.domains) == 3
    with refused("ALREADY_EXISTS") as refusal:
        await stub.RegisterProject(register())
    assert refusal.text.startswith("value with matching already exists (")
    await stub.UpdateProject(Project(id="mine", name="Ours", state=Project.ARCHIVED))
    found = await stub.GetProject(project_pb2.ProjectGetRequest(id="mine"))
    assert (found.name, found.description, found.state) == ("Ours", "all of it", Project.ARCHIVED)
    with refused("NOT_FOUND") as refusal:
        await stub.UpdateProject(Project(id="other"))
    assert refusal.text == "project [other] not found"
    with refused("NOT_FOUND"):
        await stub.GetProject(project_pb2.ProjectGetRequest(id="other"))
    with refused("INVALID_ARGUMENT") as refusal:
        await stub.GetProject(project_pb2.ProjectGetRequest())
    assert refusal.text == "missing project_id"


async def test_archived_projects_are_hidden_unless_a_filter_asks(stub):
    await stub.RegisterProject(register("b"))
    await stub.RegisterProject(register("a"))
    await stub.UpdateProject(Project(id="b", state=Project.ARCHIVED))

    async def ids(**request) -> list[str]:
        return [one.id for one in (await stub.ListProjects(project_pb2.ProjectListRequest(**request))).projects]

    assert await ids() == ["a", "flytesnacks"]
    assert await ids(filters="eq(state,1)") == ["b"]
    with refused("INVALID_ARGUMENT") as refusal:
        await ids(filters="eq(state,ARCHIVED)")
    assert "expected an integer: 0 is ACTIVE, 1 is ARCHIVED" in refusal.text
    assert await ids(filters="value_in(identifier, a;b)") == ["a", "b"]
    assert await ids(filters="contains(project.name,snacks)") == ["flytesnacks"]
    page = await stub.ListProjects(project_pb2.ProjectListRequest(limit=1))
    assert ([one.id for one in page.projects], page.token) == (["a"], "1")
    page = await stub.ListProjects(project_pb2.ProjectListRequest(limit=1, token=page.token))
    assert ([one.id for one in page.projects], page.token) == (["flytesnacks"], "2")
    page = await stub.ListProjects(project_pb2.ProjectListRequest(limit=1, token=page.token))
    assert ([one.id for one in page.projects], page.token) == ([], "")


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        (project_pb2.ProjectRegisterRequest(), "missing project"),
        (register(name=""), "missing project_name"),
        (register(""), "missing project_id"),
        (register("Big"), "invalid project id [Big]: [a lowercase RFC 1123 label"),
        (register("x" * 64), "invalid project id"),
        (register(name="x" * 65), "project_name cannot exceed 64 characters"),
        (register(description="x" * 301), "project_description cannot exceed 300 characters"),
        (register(domains=[project_pb2.Domain(id="d")]), "Domains are currently only set system wide."),
        (register(labels={"values": {f"k{n}": "" for n in range(17)}}), "labels map cannot exceed 16 entries"),
        (register(labels={"values": {"a b": "x"}}), "invalid label key [a b]"),
        (register(labels={"values": {"a": "-"}}), "invalid label value [-]"),
        (register(name="a\x00b"), "NUL"),
    ],
)
async def test_wrong_projects_are_refused(stub, request_, text):
    with refused("INVALID_ARGUMENT") as refusal:
        await stub.RegisterProject(request_)
    assert text in refusal.text
