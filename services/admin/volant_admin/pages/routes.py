"""The addresses."""

from collections.abc import Awaitable, Callable

import aiohttp.web
import structlog

from volant_admin.dataproxy import downloads as downloads_
from volant_admin.executions import operations as executions_
from volant_admin.node_executions import operations as nodes_
from volant_admin.pages import views
from volant_admin.projects import operations as projects_
from volant_admin.task_executions import operations as tasks_
from volant_core import errors
from volantidl.admin import common_pb2, project_pb2, task_execution_pb2
from volantidl.core import identifier_pb2
from volantidl.service import dataproxy_pb2

_log = structlog.get_logger(__name__)
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_STATUSES = {
    "INVALID_ARGUMENT": 400,
    "NOT_FOUND": 404,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
    "RESOURCE_EXHAUSTED": 413,
}
_LISTED = 50
_MOST_NODES = 2000
_EXECUTIONS = views.ROOT + "/projects/{project}/domains/{domain}/executions"
_EXECUTION = _EXECUTIONS + "/{name}"
_NODE = _EXECUTION + "/nodes/{node}"

_Handler = Callable[[aiohttp.web.Request], Awaitable[aiohttp.web.StreamResponse]]


def routes(
    projects: projects_.Projects,
    executions: executions_.Executions,
    nodes: nodes_.NodeExecutions,
    tasks: tasks_.TaskExecutions,
    downloads: downloads_.Downloads,
) -> list[aiohttp.web.RouteDef]:
    """All pages."""
    pages = _Pages(projects, executions, nodes, tasks, downloads)
    return [
        aiohttp.web.get(path, _guarded(handler))
        for path, handler in (
            (views.ROOT, pages.home),
            (views.ROOT + "/", pages.home),
            (_EXECUTIONS, pages.list_executions),
            (_EXECUTION, pages.execution),
            (_NODE, pages.node),
            (_NODE + "/deck", pages.deck),
        )
    ]


def _guarded(handler: _Handler) -> _Handler:
    """Refusals as pages."""

    async def guarded(request: aiohttp.web.Request) -> aiohttp.web.StreamResponse:
        try:
            if any("\x00" in value for value in (*request.match_info.values(), *request.query.values())):
                raise errors.InvalidArgumentError("an address must not contain NUL characters")
            return await handler(request)
        except errors.VolantError as error:
            status = _STATUSES.get(error.code, 500)
            if status == 500:
                _log.error("a page failed", path=request.path, error=error.message)
            return _html(views.failure(status, error.message), status)

    return guarded


def _html(text: str, status: int = 200) -> aiohttp.web.Response:
    return aiohttp.web.Response(text=text, content_type="text/html", status=status, headers=_HEADERS)


class _Pages:
    """The handlers."""

    def __init__(
        self,
        projects: projects_.Projects,
        executions: executions_.Executions,
        nodes: nodes_.NodeExecutions,
        tasks: tasks_.TaskExecutions,
        downloads: downloads_.Downloads,
    ) -> None:
        self._projects = projects
        self._executions = executions
        self._nodes = nodes
        self._tasks = tasks
        self._downloads = downloads

    async def home(self, _request: aiohttp.web.Request) -> aiohttp.web.StreamResponse:
        found = await self._projects.list_page(project_pb2.ProjectListRequest())
        return _html(views.home(found.projects))

    async def list_executions(self, request: aiohttp.web.Request) -> aiohttp.web.StreamResponse:
        project, domain = request.match_info["project"], request.match_info["domain"]
        found = await self._executions.list_page(
            common_pb2.ResourceListRequest(
                id=common_pb2.NamedEntityIdentifier(project=project, domain=domain),
                limit=_LISTED,
                token=request.query.get("token", ""),
                sort_by=common_pb2.Sort(key="created_at", direction=common_pb2.Sort.DESCENDING),
            )
        )
        return _html(views.executions(project, domain, found))

    async def execution(self, request: aiohttp.web.Request) -> aiohttp.web.StreamResponse:
        id_ = _execution_id(request)
        shown = await self._executions.get(id_)
        data = await self._executions.data(id_)
        nodes = await self._nodes.all_of(id_, _MOST_NODES)
        attempts = await self._tasks.all_of(id_, _MOST_NODES)
        return _html(views.execution(shown, data, nodes, attempts))

    async def node(self, request: aiohttp.web.Request) -> aiohttp.web.StreamResponse:
        id_ = _node_id(request)
        shown = await self._nodes.get(id_)
        data = await self._nodes.data(id_)
        attempts = await self._tasks.list_page(
            task_execution_pb2.TaskExecutionListRequest(node_execution_id=id_, limit=_LISTED)
        )
        return _html(views.node(shown, data, attempts.task_executions))

    async def deck(self, request: aiohttp.web.Request) -> aiohttp.web.StreamResponse:
        link = await self._downloads.link(
            dataproxy_pb2.CreateDownloadLinkRequest(
                artifact_type=dataproxy_pb2.ARTIFACT_TYPE_DECK, node_execution_id=_node_id(request)
            )
        )
        raise aiohttp.web.HTTPFound(link.signed_url[0])


def _execution_id(request: aiohttp.web.Request) -> identifier_pb2.WorkflowExecutionIdentifier:
    found = request.match_info
    return identifier_pb2.WorkflowExecutionIdentifier(
        project=found["project"], domain=found["domain"], name=found["name"]
    )


def _node_id(request: aiohttp.web.Request) -> identifier_pb2.NodeExecutionIdentifier:
    return identifier_pb2.NodeExecutionIdentifier(
        node_id=request.match_info["node"], execution_id=_execution_id(request)
    )
