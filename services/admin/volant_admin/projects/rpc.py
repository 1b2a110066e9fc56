"""AdminService: projects and domains."""

from volant_admin import validation
from volant_admin.projects import operations
from volant_core import rpc
from volantidl.admin import project_pb2


class ProjectMethods:
    """The RPCs of projects and domains."""

    def __init__(self, projects: operations.Projects) -> None:
        """Keep the operations."""
        self._projects = projects

    async def RegisterProject(
        self, request: project_pb2.ProjectRegisterRequest, context: rpc.RpcContext
    ) -> project_pb2.ProjectRegisterResponse:
        if not request.HasField("project"):
            raise validation.missing("project")
        await self._projects.register(request.project)
        return project_pb2.ProjectRegisterResponse()

    async def UpdateProject(
        self, request: project_pb2.Project, context: rpc.RpcContext
    ) -> project_pb2.ProjectUpdateResponse:
        await self._projects.update(request)
        return project_pb2.ProjectUpdateResponse()

    async def GetProject(self, request: project_pb2.ProjectGetRequest, context: rpc.RpcContext) -> project_pb2.Project:
        return await self._projects.get(request.id)

    async def ListProjects(
        self, request: project_pb2.ProjectListRequest, context: rpc.RpcContext
    ) -> project_pb2.Projects:
        return await self._projects.list_page(request)

    async def GetDomains(
        self, request: project_pb2.GetDomainRequest, context: rpc.RpcContext
    ) -> project_pb2.GetDomainsResponse:
        return project_pb2.GetDomainsResponse(domains=self._projects.domains())
