"""The pages, from what the operations say."""

import collections
import urllib.parse
from collections.abc import Iterable, Mapping, Sequence

from volant_admin.pages import html, wording
from volantidl.admin import execution_pb2, node_execution_pb2, project_pb2, task_execution_pb2
from volantidl.core import catalog_pb2, identifier_pb2, literals_pb2
from volantidl.core import execution_pb2 as core_execution_pb2

_Execution = core_execution_pb2.WorkflowExecution
_Node = core_execution_pb2.NodeExecution
_Task = core_execution_pb2.TaskExecution
_ENDED = frozenset({_Execution.SUCCEEDED, _Execution.FAILED, _Execution.ABORTED, _Execution.TIMED_OUT})
_REFRESH = 3  # seconds
ROOT = "/console"


def _quoted(*parts: str) -> str:
    return "/".join(urllib.parse.quote(part, safe="") for part in parts)


def list_address(project: str, domain: str) -> str:
    """Where the executions of a domain are listed."""
    return f"{ROOT}/projects/{_quoted(project)}/domains/{_quoted(domain)}/executions"


def address_of(id_: identifier_pb2.WorkflowExecutionIdentifier) -> str:
    """Where an execution is shown: Flyte's console path."""
    return f"{list_address(id_.project, id_.domain)}/{_quoted(id_.name)}"


def node_address_of(id_: identifier_pb2.NodeExecutionIdentifier) -> str:
    """Where a node is shown."""
    return f"{address_of(id_.execution_id)}/nodes/{_quoted(id_.node_id)}"


def _trail(project: str = "", domain: str = "") -> list[html.Markup]:
    parts = [html.link(ROOT, "Volant")]
    if project:
        parts.append(html.link(list_address(project, domain), f"{project} / {domain}"))
    return parts


def _phase_name(names: Mapping[int, object], phase: int) -> str:
    value = names.get(phase)
    return str(getattr(value, "name", phase))


def phase_of(phase: int) -> html.Markup:
    """An execution's phase."""
    return html.phase(_phase_name(_Execution.Phase.DESCRIPTOR.values_by_number, phase))


def home(projects: Iterable[project_pb2.Project]) -> str:
    """All projects."""
    rows = [
        [
            project.id,
            [
                html.tag("span", [html.link(list_address(project.id, domain.id), domain.name), "  "])
                for domain in project.domains
            ],
            project.description,
        ]
        for project in projects
    ]
    return html.page("Projects", _trail(), html.table(("Project", "Executions", "Description"), rows))


def executions(project: str, domain: str, found: execution_pb2.ExecutionList) -> str:
    """A page of executions."""
    rows = [
        [
            html.link(address_of(one.id), one.id.name),
            one.closure.workflow_id.name,
            phase_of(one.closure.phase),
            wording.moment(one.closure.created_at),
            html.number(_length(one.closure)),
        ]
        for one in found.executions
    ]
    body = [html.table(("Execution", "Workflow", "Phase", "Created (UTC)", "Took"), rows)]
    if not rows:
        body = [html.tag("p", "There are no executions here yet.")]
    if found.token:
        query = urllib.parse.urlencode({"token": found.token})
        body.append(html.tag("p", html.link(f"{list_address(project, domain)}?{query}", "Older")))
    return html.page(f"Executions of {project} / {domain}", _trail(), body)


def execution(
    shown: execution_pb2.Execution,
    data: execution_pb2.WorkflowExecutionGetDataResponse,
    nodes: Sequence[tuple[str, node_execution_pb2.NodeExecution]],
    attempts: Mapping[str, Sequence[task_execution_pb2.TaskExecution]],
) -> str:
    """One execution: its phases, nodes, errors, inputs and outputs. Nodes come with their parent's id."""
    closure, spec = shown.closure, shown.spec
    parent = spec.metadata.parent_node_execution
    source = spec.metadata.reference_execution
    facts = html.facts(
        [
            ("Phase", phase_of(closure.phase)),
            ("Workflow", f"{closure.workflow_id.name} {closure.workflow_id.version}"),
            ("Launched", f"{spec.launch_plan.name} {spec.launch_plan.version}"),
            ("Created (UTC)", wording.moment(closure.created_at)),
            ("Started (UTC)", wording.moment(closure.started_at)),
            ("Took", _length(closure)),
            ("Parent", html.link(node_address_of(parent), parent.execution_id.name) if parent.node_id else None),
            ("Repeats", html.link(address_of(source), source.name) if source.name else None),
            ("Abort cause", closure.abort_metadata.cause),
        ]
    )
    body = [
        facts,
        _error(closure.error) if closure.HasField("error") else None,
        html.tag("h2", "Nodes"),
        _node_table(nodes, attempts),
        _values("Inputs", data.full_inputs),
        _values("Outputs", data.full_outputs),
    ]
    return html.page(
        shown.id.name,
        _trail(shown.id.project, shown.id.domain),
        [part for part in body if part],
        refresh=0 if closure.phase in _ENDED else _REFRESH,
    )


def _node_table(
    nodes: Sequence[tuple[str, node_execution_pb2.NodeExecution]],
    attempts: Mapping[str, Sequence[task_execution_pb2.TaskExecution]],
) -> html.Markup:
    children: dict[str, list[node_execution_pb2.NodeExecution]] = collections.defaultdict(list)
    known = {node.id.node_id for _, node in nodes}
    for parent, node in nodes:
        children[parent if parent in known else ""].append(node)
    rows: list[list[html.Content]] = []
    waiting = [(0, node) for node in reversed(children[""])]
    seen: set[str] = set()
    while waiting:
        depth, node = waiting.pop()
        if node.id.node_id in seen:
            continue
        seen.add(node.id.node_id)
        rows.append(_node_row(depth, node, attempts.get(node.id.node_id, ())))
        waiting += [(depth + 1, child) for child in reversed(children[node.id.node_id])]
    return html.table(("Node", "Phase", "Attempts", "Cache", "Started (UTC)", "Took", ""), rows)


def _node_row(
    depth: int, node: node_execution_pb2.NodeExecution, attempts: Sequence[task_execution_pb2.TaskExecution]
) -> list[html.Content]:
    closure = node.closure
    cache = closure.task_node_metadata.cache_status
    child = closure.workflow_node_metadata.executionId
    notes: list[html.Content] = []
    if child.name:
        notes.append(html.link(address_of(child), child.name))
    if closure.deck_uri:
        notes.append(html.link(f"{node_address_of(node.id)}/deck", "deck"))
    if closure.HasField("error"):
        notes.append(html.tag("pre", f"{closure.error.code}: {closure.error.message}".removeprefix(": ")))
    return [
        ["\u2003" * depth, html.link(node_address_of(node.id), node.id.node_id)],
        html.phase(_phase_name(_Node.Phase.DESCRIPTOR.values_by_number, closure.phase)),
        html.number(str(len(attempts)) if attempts else ""),
        _phase_name(catalog_pb2.CatalogCacheStatus.DESCRIPTOR.values_by_number, cache).removeprefix("CACHE_").lower()
        if cache
        else "",
        wording.moment(closure.started_at),
        html.number(_length(closure)),
        [html.content(note) for note in notes],
    ]


def node(
    shown: node_execution_pb2.NodeExecution,
    data: node_execution_pb2.NodeExecutionGetDataResponse,
    attempts: Sequence[task_execution_pb2.TaskExecution],
) -> str:
    """One node: its attempts with what is known of them, inputs and outputs."""
    closure, id_ = shown.closure, shown.id
    body: list[html.Content] = [
        html.facts(
            [
                ("Phase", html.phase(_phase_name(_Node.Phase.DESCRIPTOR.values_by_number, closure.phase))),
                ("In the graph", shown.metadata.spec_node_id),
                ("Started (UTC)", wording.moment(closure.started_at)),
                ("Took", _length(closure)),
                ("Deck", html.link(f"{node_address_of(id_)}/deck", "open") if closure.deck_uri else None),
            ]
        ),
        _error(closure.error) if closure.HasField("error") else None,
        *(_attempt(attempt) for attempt in attempts),
        _values("Inputs", data.full_inputs),
        _values("Outputs", data.full_outputs),
    ]
    trail = [
        *_trail(id_.execution_id.project, id_.execution_id.domain),
        html.link(address_of(id_.execution_id), id_.execution_id.name),
    ]
    return html.page(id_.node_id, trail, [html.content(part) for part in body])


def _attempt(attempt: task_execution_pb2.TaskExecution) -> html.Markup:
    closure = attempt.closure
    resources = closure.metadata.external_resources
    elements = html.table(
        ("Element", "Attempt", "Phase", "Name"),
        (
            [
                str(one.index),
                str(one.retry_attempt),
                html.phase(_phase_name(_Task.Phase.DESCRIPTOR.values_by_number, one.phase)),
                one.external_id,
            ]
            for one in resources
        ),
    )
    return html.content(
        [
            html.tag("h2", f"Attempt {attempt.id.retry_attempt}"),
            html.facts(
                [
                    ("Phase", html.phase(_phase_name(_Task.Phase.DESCRIPTOR.values_by_number, closure.phase))),
                    ("Task", f"{attempt.id.task_id.name} {attempt.id.task_id.version}"),
                    ("Started (UTC)", wording.moment(closure.started_at)),
                    ("Took", _length(closure)),
                    (
                        "Logs",
                        [html.tag("span", [html.link(log.uri, log.name or log.uri), "  "]) for log in closure.logs],
                    ),
                ]
            ),
            html.table(
                ("When (UTC)", "What"),
                ([wording.moment(reason.occurred_at), reason.message] for reason in closure.reasons),
            )
            if closure.reasons
            else html.Markup(),
            _error(closure.error) if closure.HasField("error") else html.Markup(),
            elements if resources else html.Markup(),
        ]
    )


def failure(status: int, message: str) -> str:
    """What could not be shown, and why."""
    return html.page(f"{status}", _trail(), html.tag("pre", message))


def _error(error: core_execution_pb2.ExecutionError) -> html.Markup:
    return html.content([html.tag("h2", f"Error {error.code}".rstrip()), html.tag("pre", error.message)])


def _values(title: str, values: literals_pb2.LiteralMap) -> html.Markup:
    if not values.literals:
        return html.Markup()
    rows = ([name, html.tag("pre", wording.literal(values.literals[name]))] for name in sorted(values.literals))
    return html.content([html.tag("h2", title), html.table(("Name", "Value"), rows)])


def _length(
    closure: execution_pb2.ExecutionClosure
    | node_execution_pb2.NodeExecutionClosure
    | task_execution_pb2.TaskExecutionClosure,
) -> str:
    return wording.length(closure.duration) if closure.HasField("duration") else ""
