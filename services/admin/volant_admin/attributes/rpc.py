"""AdminService: matchable attributes."""

from volant_admin import validation
from volant_admin.attributes import operations
from volant_admin.attributes.store import Place
from volant_core import rpc
from volantidl.admin import (
    matchable_resource_pb2,
    project_attributes_pb2,
    project_domain_attributes_pb2,
    workflow_attributes_pb2,
)


class AttributeMethods:
    """The RPCs of matchable attributes."""

    def __init__(self, attributes: operations.Attributes) -> None:
        """Keep the operations."""
        self._attributes = attributes

    async def UpdateProjectDomainAttributes(
        self, request: project_domain_attributes_pb2.ProjectDomainAttributesUpdateRequest, context: rpc.RpcContext
    ) -> project_domain_attributes_pb2.ProjectDomainAttributesUpdateResponse:
        if not request.HasField("attributes"):
            raise validation.missing("attributes")
        place = Place(request.attributes.project, request.attributes.domain)
        validation.require(place.domain, "domain")
        await self._attributes.require_place(place)
        await self._attributes.update(place, _matching(request.attributes))
        return project_domain_attributes_pb2.ProjectDomainAttributesUpdateResponse()

    async def GetProjectDomainAttributes(
        self, request: project_domain_attributes_pb2.ProjectDomainAttributesGetRequest, context: rpc.RpcContext
    ) -> project_domain_attributes_pb2.ProjectDomainAttributesGetResponse:
        place = Place(request.project, request.domain)
        validation.require(place.domain, "domain")
        await self._attributes.require_place(place)
        found = await self._attributes.get(place, request.resource_type)
        return project_domain_attributes_pb2.ProjectDomainAttributesGetResponse(
            attributes=project_domain_attributes_pb2.ProjectDomainAttributes(
                project=found.place.project, domain=found.place.domain, matching_attributes=found.attributes
            )
        )

    async def DeleteProjectDomainAttributes(
        self, request: project_domain_attributes_pb2.ProjectDomainAttributesDeleteRequest, context: rpc.RpcContext
    ) -> project_domain_attributes_pb2.ProjectDomainAttributesDeleteResponse:
        place = Place(request.project, request.domain)
        validation.require(place.domain, "domain")
        await self._attributes.require_place(place)
        await self._attributes.delete(place, request.resource_type)
        return project_domain_attributes_pb2.ProjectDomainAttributesDeleteResponse()

    async def UpdateProjectAttributes(
        self, request: project_attributes_pb2.ProjectAttributesUpdateRequest, context: rpc.RpcContext
    ) -> project_attributes_pb2.ProjectAttributesUpdateResponse:
        if not request.HasField("attributes"):
            raise validation.missing("attributes")
        place = Place(request.attributes.project)
        await self._attributes.require_place(place)
        await self._attributes.update(place, _matching(request.attributes))
        return project_attributes_pb2.ProjectAttributesUpdateResponse()

    async def GetProjectAttributes(
        self, request: project_attributes_pb2.ProjectAttributesGetRequest, context: rpc.RpcContext
    ) -> project_attributes_pb2.ProjectAttributesGetResponse:
        return project_attributes_pb2.ProjectAttributesGetResponse(
            attributes=project_attributes_pb2.ProjectAttributes(
                project=request.project,
                matching_attributes=await self._attributes.get_project(request.project, request.resource_type),
            )
        )

    async def DeleteProjectAttributes(
        self, request: project_attributes_pb2.ProjectAttributesDeleteRequest, context: rpc.RpcContext
    ) -> project_attributes_pb2.ProjectAttributesDeleteResponse:
        place = Place(request.project)
        await self._attributes.require_place(place)
        await self._attributes.delete(place, request.resource_type)
        return project_attributes_pb2.ProjectAttributesDeleteResponse()

    async def UpdateWorkflowAttributes(
        self, request: workflow_attributes_pb2.WorkflowAttributesUpdateRequest, context: rpc.RpcContext
    ) -> workflow_attributes_pb2.WorkflowAttributesUpdateResponse:
        if not request.HasField("attributes"):
            raise validation.missing("attributes")
        given = request.attributes
        place = Place(given.project, given.domain, given.workflow)
        await self._attributes.require_place(place, workflow=True)
        await self._attributes.update(place, _matching(given))
        return workflow_attributes_pb2.WorkflowAttributesUpdateResponse()

    async def GetWorkflowAttributes(
        self, request: workflow_attributes_pb2.WorkflowAttributesGetRequest, context: rpc.RpcContext
    ) -> workflow_attributes_pb2.WorkflowAttributesGetResponse:
        place = Place(request.project, request.domain, request.workflow)
        await self._attributes.require_place(place, workflow=True)
        found = await self._attributes.get(place, request.resource_type)
        return workflow_attributes_pb2.WorkflowAttributesGetResponse(
            attributes=workflow_attributes_pb2.WorkflowAttributes(
                project=found.place.project,
                domain=found.place.domain,
                workflow=found.place.workflow,
                matching_attributes=found.attributes,
            )
        )

    async def DeleteWorkflowAttributes(
        self, request: workflow_attributes_pb2.WorkflowAttributesDeleteRequest, context: rpc.RpcContext
    ) -> workflow_attributes_pb2.WorkflowAttributesDeleteResponse:
        place = Place(request.project, request.domain, request.workflow)
        await self._attributes.require_place(place, workflow=True)
        await self._attributes.delete(place, request.resource_type)
        return workflow_attributes_pb2.WorkflowAttributesDeleteResponse()

    async def ListMatchableAttributes(
        self, request: matchable_resource_pb2.ListMatchableAttributesRequest, context: rpc.RpcContext
    ) -> matchable_resource_pb2.ListMatchableAttributesResponse:
        return matchable_resource_pb2.ListMatchableAttributesResponse(
            configurations=await self._attributes.list_all(request.resource_type)
        )


def _matching(
    given: project_attributes_pb2.ProjectAttributes
    | project_domain_attributes_pb2.ProjectDomainAttributes
    | workflow_attributes_pb2.WorkflowAttributes,
) -> matchable_resource_pb2.MatchingAttributes:
    """What is to be set somewhere."""
    if not given.HasField("matching_attributes"):
        raise validation.missing("matching_attributes")
    return given.matching_attributes
