"""A workflow with everything that it needs to run: itself, its sub-workflows and their tasks."""

from collections.abc import Mapping, Sequence

from volant_core.compiler import graphs, interfaces
from volant_core.compiler.interfaces import START_NODE, LaunchPlanInterface, identifier_key
from volant_core.compiler.report import Code, Report
from volant_core.compiler.workflows import References, WorkflowCompiler, referenced_nodes
from volantidl.core import compiler_pb2, identifier_pb2, workflow_pb2


def required_entities(
    template: workflow_pb2.WorkflowTemplate, sub_workflows: Sequence[workflow_pb2.WorkflowTemplate]
) -> tuple[list[identifier_pb2.Identifier], list[identifier_pb2.Identifier]]:
    """The tasks and the launch plans that a workflow and its sub-workflows refer to, sorted.

    Raises:
        CompileErrors: A sub-workflow is missing, stands twice, or contains itself.
    """
    report = Report()
    used = _used(template, sub_workflows, report)
    report.raise_any()
    tasks: dict[str, identifier_pb2.Identifier] = {}
    launch_plans: dict[str, identifier_pb2.Identifier] = {}
    for workflow in [template, *used]:
        for node in referenced_nodes(workflow):
            if node.HasField("task_node") and node.task_node.HasField("reference_id"):
                id_ = node.task_node.reference_id
                tasks[identifier_key(id_)] = id_
            elif node.workflow_node.HasField("launchplan_ref"):
                id_ = node.workflow_node.launchplan_ref
                launch_plans[identifier_key(id_)] = id_
    return sorted(tasks.values(), key=_order), sorted(launch_plans.values(), key=_order)


def _order(id_: identifier_pb2.Identifier) -> tuple[str, str, str, str]:
    return id_.project, id_.domain, id_.name, id_.version


def compile_workflow(
    template: workflow_pb2.WorkflowTemplate,
    sub_workflows: Sequence[workflow_pb2.WorkflowTemplate],
    tasks: Sequence[compiler_pb2.CompiledTask],
    launch_plans: Mapping[str, LaunchPlanInterface],
) -> compiler_pb2.CompiledWorkflowClosure:
    """Check a workflow with all that it uses, and add what running needs: start and end nodes and the edges.

    The edges of a branch's children are in `connections.upstream` under `<branch>-<child>`, and only there; so are
    those of the failure node.

    Args:
        template: The workflow. It is not changed.
        sub_workflows: Those that its nodes refer to, directly or not.
        tasks: The tasks of all of them.
        launch_plans: What the launch plans of all of them take and give, by `identifier_key`.

    Raises:
        CompileErrors: Everything that is wrong.
    """
    report = Report()
    used = {identifier_key(workflow.id) for workflow in _used(template, sub_workflows, report)}
    report.raise_any()
    closure = compiler_pb2.CompiledWorkflowClosure()
    known: dict[str, interfaces.Interface] = {}
    for task in tasks:
        if not task.template.HasField("id"):
            report.add(Code.VALUE_REQUIRED, "task", "Value required [Template.Id].")
        key = identifier_key(task.template.id)
        if key not in known:
            known[key] = interfaces.interface_of(interfaces.name_of(task.template.id), task.template.interface, report)
            closure.tasks.add(template=task.template)
    references = References(
        tasks=known,
        workflows={
            identifier_key(workflow.id): interfaces.interface_of(START_NODE, workflow.interface, report)
            for workflow in sub_workflows
        },
        launch_plans=launch_plans,
    )
    closure.primary.template.CopyFrom(template)
    WorkflowCompiler(closure.primary, references, report).compile()
    for workflow in sub_workflows:
        compiled = closure.sub_workflows.add(template=workflow)
        if identifier_key(workflow.id) in used:
            inner = Report(f" (in sub-workflow [{interfaces.name_of(workflow.id)}])")
            WorkflowCompiler(compiled, references, inner).compile()
            report.extend(inner)
    report.raise_any()
    return closure


def _used(
    template: workflow_pb2.WorkflowTemplate,
    sub_workflows: Sequence[workflow_pb2.WorkflowTemplate],
    report: Report,
) -> list[workflow_pb2.WorkflowTemplate]:
    """The sub-workflows that are used, directly or not, in the order in which they were given."""
    known: dict[str, workflow_pb2.WorkflowTemplate] = {}
    for workflow in sub_workflows:
        key = identifier_key(workflow.id)
        if key in known:
            report.add(Code.DUPLICATE_NODE_ID, key, f"Sub-workflow [{key}] is given more than once.")
        known[key] = workflow
    root = identifier_key(template.id)
    edges: dict[str, list[str]] = {}
    open_ = [(root, template)]
    while open_:
        key, workflow = open_.pop()
        if key in edges:
            continue
        edges[key] = []
        for node in referenced_nodes(workflow):
            if not node.workflow_node.HasField("sub_workflow_ref"):
                continue
            target = identifier_key(node.workflow_node.sub_workflow_ref)
            if target not in known and target != root:
                report.add(Code.WORKFLOW_REFERENCE_NOT_FOUND, node.id, f"Referenced Workflow [{target}] not found.")
                continue
            edges[key].append(target)
            open_.append((target, known.get(target, template)))
    if cycle := graphs.find_cycle(edges):
        report.add(Code.CYCLE_DETECTED, START_NODE, f"A workflow can not contain itself: [{' > '.join(cycle)}].")
    return [workflow for key, workflow in known.items() if key in edges and key != root]
