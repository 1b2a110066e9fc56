from entity_requests import plan, refused, task, workflow

from volantidl.admin import (
    common_pb2,
    description_entity_pb2,
    matchable_resource_pb2,
    project_attributes_pb2,
    project_domain_attributes_pb2,
    workflow_attributes_pb2,
)
from volantidl.core import identifier_pb2

WORKFLOW, TASK, PLAN = identifier_pb2.WORKFLOW, identifier_pb2.TASK, identifier_pb2.LAUNCH_PLAN
Target = matchable_resource_pb2.MatchingAttributes


def scope(**more) -> dict:
    return {"project": "flytesnacks", "domain": "development"} | more


async def test_names_are_listed_once_whatever_their_versions(stub):
    for name in ("t", "u", ".flytegen.t"):
        for version in ("v1", "v2"):
            await stub.CreateTask(task(name, version))
    await stub.CreateWorkflow(workflow())
    await stub.CreateLaunchPlan(plan())

    async def listed(kind: int, **more) -> list[str]:
        request = common_pb2.NamedEntityListRequest(resource_type=kind, limit=10, **scope(**more))
        return [one.id.name for one in (await stub.ListNamedEntities(request)).entities]

    assert await listed(TASK) == ["t", "u"]
    assert await listed(TASK, filters="contains(name,t)") == [".flytegen.t", "t"]
    assert await listed(WORKFLOW) == ["w"]
    assert await listed(PLAN) == ["w"]
    ids = common_pb2.NamedEntityIdentifierListRequest(limit=2, **scope())
    page = await stub.ListTaskIds(ids)
    assert ([one.name for one in page.entities], page.token) == ([".flytegen.t", "t"], "2")
    assert [one.name for one in (await stub.ListWorkflowIds(ids)).entities] == ["w"]
    assert [one.name for one in (await stub.ListLaunchPlanIds(ids)).entities] == ["w"]


async def test_metadata_of_names(stub):
    await stub.CreateTask(task())
    await stub.CreateWorkflow(workflow())
    id_ = common_pb2.NamedEntityIdentifier(name="w", **scope())
    update = common_pb2.NamedEntityUpdateRequest(resource_type=WORKFLOW, id=id_)
    update.metadata.description = "of interest"
    update.metadata.state = common_pb2.NAMED_ENTITY_ARCHIVED
    await stub.UpdateNamedEntity(update)
    found = await stub.GetNamedEntity(common_pb2.NamedEntityGetRequest(resource_type=WORKFLOW, id=id_))
    assert found.metadata == update.metadata
    request = common_pb2.NamedEntityListRequest(resource_type=WORKFLOW, limit=10, filters="eq(state,0)", **scope())
    assert not (await stub.ListNamedEntities(request)).entities
    await stub.CreateWorkflow(workflow(version="v2"))
    found = await stub.GetNamedEntity(common_pb2.NamedEntityGetRequest(resource_type=WORKFLOW, id=id_))
    assert found.metadata == update.metadata
    update.id.name = "other"
    with refused("NOT_FOUND"):
        await stub.UpdateNamedEntity(update)
    with refused("NOT_FOUND"):
        await stub.GetNamedEntity(common_pb2.NamedEntityGetRequest(resource_type=TASK, id=id_))
    update.resource_type = identifier_pb2.DATASET
    with refused("INVALID_ARGUMENT") as refusal:
        await stub.UpdateNamedEntity(update)
    assert refusal.text == "Resource [DATASET] cannot have its state updated"
    for wrong, text in (
        (common_pb2.NamedEntityGetRequest(id=id_), "invalid value for resource_type"),
        (common_pb2.NamedEntityGetRequest(id=id_, resource_type=99), "invalid value for resource_type"),
        (common_pb2.NamedEntityGetRequest(resource_type=TASK), "missing project"),
    ):
        with refused("INVALID_ARGUMENT") as refusal:
            await stub.GetNamedEntity(wrong)
        assert refusal.text == text


async def test_descriptions_of_versions(stub):
    for version in ("v1", "v2"):
        request = task(version=version)
        request.spec.description.short_description = f"of {version}"
        request.spec.description.long_description.value = "long"
        await stub.CreateTask(request)
    await stub.CreateTask(task(version="v3"))
    listed = await stub.ListDescriptionEntities(
        description_entity_pb2.DescriptionEntityListRequest(
            resource_type=TASK, id=common_pb2.NamedEntityIdentifier(name="t", **scope()), limit=10
        )
    )
    assert [one.short_description for one in listed.descriptionEntities] == ["of v1", "of v2"]
    assert listed.descriptionEntities[0].long_description.value == "long"
    with refused("NOT_FOUND"):
        await stub.GetDescriptionEntity(common_pb2.ObjectGetRequest(id=task(version="v3").id))


async def test_the_most_specific_attributes_count_whole(stub):
    kind = matchable_resource_pb2.CLUSTER_RESOURCE

    def target(value: str) -> Target:
        made = Target()
        made.cluster_resource_attributes.attributes["a"] = value
        return made

    get = workflow_attributes_pb2.WorkflowAttributesGetRequest(workflow="w", resource_type=kind, **scope())
    with refused("NOT_FOUND"):
        await stub.GetWorkflowAttributes(get)

    async def value() -> str:
        found = await stub.GetWorkflowAttributes(get)
        return found.attributes.matching_attributes.cluster_resource_attributes.attributes["a"]

    project = project_attributes_pb2.ProjectAttributes(project="flytesnacks", matching_attributes=target("project"))
    await stub.UpdateProjectAttributes(project_attributes_pb2.ProjectAttributesUpdateRequest(attributes=project))
    assert await value() == "project"
    domain = project_domain_attributes_pb2.ProjectDomainAttributes(matching_attributes=target("domain"), **scope())
    await stub.UpdateProjectDomainAttributes(
        project_domain_attributes_pb2.ProjectDomainAttributesUpdateRequest(attributes=domain)
    )
    assert await value() == "domain"
    own = workflow_attributes_pb2.WorkflowAttributes(workflow="w", matching_attributes=target("workflow"), **scope())
    await stub.UpdateWorkflowAttributes(workflow_attributes_pb2.WorkflowAttributesUpdateRequest(attributes=own))
    assert await value() == "workflow"
    everything = matchable_resource_pb2.ListMatchableAttributesRequest(resource_type=kind)
    listed = (await stub.ListMatchableAttributes(everything)).configurations
    assert [(one.project, one.domain, one.workflow) for one in listed] == [
        ("flytesnacks", "development", "w"),
        ("flytesnacks", "development", ""),
        ("flytesnacks", "", ""),
    ]
    delete = workflow_attributes_pb2.WorkflowAttributesDeleteRequest(workflow="w", resource_type=kind, **scope())
    for _ in range(2):
        await stub.DeleteWorkflowAttributes(delete)
    assert await value() == "domain"
    await stub.DeleteProjectDomainAttributes(
        project_domain_attributes_pb2.ProjectDomainAttributesDeleteRequest(resource_type=kind, **scope())
    )
    await stub.DeleteProjectAttributes(
        project_attributes_pb2.ProjectAttributesDeleteRequest(project="flytesnacks", resource_type=kind)
    )
    with refused("NOT_FOUND"):
        await stub.GetWorkflowAttributes(get)


async def test_plugin_overrides_are_merged_by_task_type(stub):
    async def put(task_type: str, plugin: str) -> None:
        made = Target()
        made.plugin_overrides.overrides.add(task_type=task_type, plugin_id=[plugin])
        domain = project_domain_attributes_pb2.ProjectDomainAttributes(matching_attributes=made, **scope())
        await stub.UpdateProjectDomainAttributes(
            project_domain_attributes_pb2.ProjectDomainAttributesUpdateRequest(attributes=domain)
        )

    await put("spark", "one")
    await put("ray", "two")
    await put("spark", "three")
    found = await stub.GetProjectDomainAttributes(
        project_domain_attributes_pb2.ProjectDomainAttributesGetRequest(
            resource_type=matchable_resource_pb2.PLUGIN_OVERRIDE, **scope()
        )
    )
    overrides = found.attributes.matching_attributes.plugin_overrides.overrides
    assert [(one.task_type, list(one.plugin_id)) for one in overrides] == [("ray", ["two"]), ("spark", ["three"])]


async def test_execution_settings_of_a_project_are_completed_with_the_platforms(stub):
    get = project_attributes_pb2.ProjectAttributesGetRequest(
        project="flytesnacks", resource_type=matchable_resource_pb2.WORKFLOW_EXECUTION_CONFIG
    )

    async def config():
        return (await stub.GetProjectAttributes(get)).attributes.matching_attributes.workflow_execution_config

    assert (await config()).max_parallelism == 25
    made = Target()
    made.workflow_execution_config.max_parallelism = 3
    made.workflow_execution_config.labels.values["a"] = "b"
    await stub.UpdateProjectAttributes(
        project_attributes_pb2.ProjectAttributesUpdateRequest(
            attributes=project_attributes_pb2.ProjectAttributes(project="flytesnacks", matching_attributes=made)
        )
    )
    assert await config() == made.workflow_execution_config


async def test_limits_of_the_platform_bind_tasks(stub):
    made = Target()
    made.task_resource_attributes.limits.cpu = "2"
    domain = project_domain_attributes_pb2.ProjectDomainAttributes(matching_attributes=made, **scope())
    await stub.UpdateProjectDomainAttributes(
        project_domain_attributes_pb2.ProjectDomainAttributesUpdateRequest(attributes=domain)
    )
    request = task()
    request.spec.template.container.resources.requests.add(name=1, value="3")
    with refused("INVALID_ARGUMENT") as refusal:
        await stub.CreateTask(request)
    assert refusal.text.startswith(
        "Requested CPU default [3] is greater than current limit set in the platform configuration [2]."
    )


async def test_wrong_attributes_are_refused(stub):
    update = project_domain_attributes_pb2.ProjectDomainAttributesUpdateRequest
    one = project_domain_attributes_pb2.ProjectDomainAttributes
    service = Target()
    service.quality_of_service.SetInParent()
    for request, text in (
        (update(), "missing attributes"),
        (update(attributes=one(project="flytesnacks")), "missing domain"),
        (update(attributes=one(**scope())), "missing matching_attributes"),
        (
            update(attributes=one(matching_attributes=service, **scope())),
            "Unrecognized matching attributes type for request flytesnacks-development",
        ),
        (update(attributes=one(project="x", domain="development")), "failed to validate that project [x]"),
    ):
        with refused("INVALID_ARGUMENT") as refusal:
            await stub.UpdateProjectDomainAttributes(request)
        assert text in refusal.text
    with refused("INVALID_ARGUMENT") as refusal:
        await stub.ListMatchableAttributes(matchable_resource_pb2.ListMatchableAttributesRequest(resource_type=55))
    assert refusal.text == "invalid value for resource_type"
