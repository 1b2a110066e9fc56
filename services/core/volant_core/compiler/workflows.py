"""One workflow: its nodes, what they take and give, and the edges between them."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from volant_core.compiler import conditions, graphs, interfaces
from volant_core.compiler.bindings import Bindings, Resolved, effective_outputs
from volant_core.compiler.castability import castable
from volant_core.compiler.describe import describe
from volant_core.compiler.interfaces import END_NODE, START_NODE, Interface, LaunchPlanInterface, Types
from volant_core.compiler.report import Code, Report
from volantidl.core import compiler_pb2, identifier_pb2, types_pb2, workflow_pb2

_RESERVED = frozenset({START_NODE, END_NODE})


class _Anything(dict[str, types_pb2.LiteralType]):
    """Outputs of which nothing is known: every name exists, with an empty type."""

    def __contains__(self, key: object) -> bool:
        return True

    def __missing__(self, key: str) -> types_pb2.LiteralType:
        return types_pb2.LiteralType()


_ANYTHING = _Anything()


class References:
    """What workflows refer to."""

    def __init__(
        self,
        tasks: Mapping[str, Interface],
        workflows: Mapping[str, Interface],
        launch_plans: Mapping[str, LaunchPlanInterface],
    ) -> None:
        """Keep them, by `identifier_key`."""
        self.tasks = tasks
        self.workflows = workflows
        self.launch_plans = launch_plans


class _NotYetError(Exception):
    """The interface of a node depends on that of another, which is not known yet."""

    def __init__(self, node_id: str) -> None:
        super().__init__(node_id)
        self.node_id = node_id


class WorkflowCompiler:
    """Compiles one workflow, whose template (a copy that this class may change) it completes."""

    def __init__(self, workflow: compiler_pb2.CompiledWorkflow, references: References, report: Report) -> None:
        """Prepare; `compile` does the work."""
        self._workflow = workflow
        self._template = workflow.template
        self._references = references
        self._report = report
        self._nodes: dict[str, workflow_pb2.Node] = {}
        self._interfaces: dict[str, Interface | None] = {}
        self._outputs: dict[str, Types] = {}
        self._up: dict[str, set[str]] = {}
        self._down: dict[str, set[str]] = {}
        self._waits: dict[str, set[str]] = {}
        """Edges to branch nodes from what their children read: real waits that `connections` does not show."""
        self._unknown: dict[str, list[str]] = {}
        """What is in a node's upstream_node_ids, but not there."""

    def compile(self) -> None:
        """Check everything, add start and end node, and fill in the connections."""
        template = self._template
        if not template.nodes:
            self._report.add(
                Code.NO_NODES_FOUND,
                interfaces.name_of(template.id),
                f"Can't find any nodes in workflow [{interfaces.name_of(template.id)}].",
            )
            return
        own = interfaces.interface_of(START_NODE, template.interface, self._report)
        template.interface.inputs.SetInParent()
        template.interface.outputs.SetInParent()
        self._place_nodes(own)
        for node in self._nodes.values():
            self._resolve_interface(node)
        for node_id in sorted(self._nodes):
            if node_id != START_NODE:
                self._connect(self._nodes[node_id])
        if template.HasField("failure_node"):
            self._add_failure_node(template.failure_node)
        self._connect_orphans()
        self._check_shape()
        self._write_connections()

    def outputs_of(self, node_id: str) -> Types | None:
        """The effective outputs of a node; None when there is no such node."""
        if node_id not in self._nodes:
            return None
        if node_id not in self._interfaces:
            raise _NotYetError(node_id)
        found = self._outputs.get(node_id)
        if found is None:
            interface = self._interfaces[node_id]
            if interface is None:
                return _ANYTHING  # what is wrong with the node is reported already
            aliases = [(alias.var, alias.alias) for alias in self._nodes[node_id].output_aliases]
            found = effective_outputs(node_id, interface.outputs, aliases, self._report)
            self._outputs[node_id] = found
        return found

    def _place_nodes(self, own: Interface) -> None:
        """Put start and end node first, and give branches' children their full ids."""
        template = self._template
        given = [node for node in template.nodes if node.id not in _RESERVED]
        ordered = workflow_pb2.WorkflowTemplate()
        ordered.nodes.add(id=START_NODE)
        ordered.nodes.add(id=END_NODE, inputs=template.outputs)
        ordered.nodes.extend(given)
        template.ClearField("nodes")
        template.nodes.MergeFrom(ordered.nodes)
        for node in template.nodes:
            if not node.id:
                self._report.add(Code.VALUE_REQUIRED, "<node>", "Value required [Id].")
            elif node.id in self._nodes:
                self._report.add(Code.DUPLICATE_NODE_ID, node.id, "Trying to insert two nodes with the same id.")
            else:
                self._nodes[node.id] = node
                self._prepare(node)
        self._interfaces[START_NODE] = Interface({}, own.inputs)
        self._interfaces[END_NODE] = Interface(own.outputs, {})
        children = [child.id for node in self._nodes.values() for child in _descendants(node)]
        for child_id in children:
            if child_id in self._nodes:
                self._report.add(Code.DUPLICATE_NODE_ID, child_id, "A branch's child has the id of another node.")

    def _prepare(self, node: workflow_pb2.Node) -> None:
        """Sort what has no order, so that the result depends on the graph alone; rename children."""
        upstream = sorted(node.upstream_node_ids)
        if upstream != list(node.upstream_node_ids):
            node.upstream_node_ids[:] = upstream
        for child in _children(node):
            child.id = f"{node.id}-{child.id}"
            self._prepare(child)

    def _resolve_interface(self, node: workflow_pb2.Node) -> None:
        """Find a node's interface, and before it those that it depends on (in whatever order nodes stand)."""
        open_ = [node]
        while open_:
            top = open_[-1]
            if top.id in self._interfaces:
                open_.pop()
                continue
            try:
                self._interfaces[top.id] = self._interface(top)
            except _NotYetError as missing:
                if any(one.id == missing.node_id for one in open_):
                    self._interfaces[top.id] = None  # a cycle, which is reported as one
                else:
                    open_.append(self._nodes[missing.node_id])

    def _interface(self, node: workflow_pb2.Node) -> Interface | None:
        match node.WhichOneof("target"):
            case "task_node":
                return self._task_interface(node)
            case "workflow_node":
                return self._workflow_interface(node)
            case "branch_node":
                return self._branch_interface(node)
            case "gate_node":
                if node.gate_node.HasField("approve"):
                    types = self._inferred(node).types
                    return Interface(types, types)
                return interfaces.gate_interface(node, self._report)
            case "array_node":
                if not node.array_node.HasField("node"):
                    self._report.add(Code.VALUE_REQUIRED, node.id, "Value required [ArrayNode.Node].")
                    return None
                below = self._interface(node.array_node.node)
                return interfaces.mapped(below, node.array_node) if below else None
            case _:
                self._report.add(Code.VALUE_REQUIRED, node.id, "Value required [Target].")
                return None

    def _task_interface(self, node: workflow_pb2.Node) -> Interface | None:
        if not node.task_node.HasField("reference_id"):
            self._report.add(Code.VALUE_REQUIRED, node.id, "Value required [TaskNode.ReferenceId].")
            return None
        id_ = node.task_node.reference_id
        found = self._references.tasks.get(interfaces.identifier_key(id_))
        if found is None or id_.resource_type != identifier_pb2.TASK:
            self._report.add(
                Code.TASK_REFERENCE_NOT_FOUND, node.id, f"Referenced Task [{interfaces.name_of(id_)}] not found."
            )
            return None
        return found

    def _workflow_interface(self, node: workflow_pb2.Node) -> Interface | None:
        kind = node.workflow_node.WhichOneof("reference")
        id_ = identifier_pb2.Identifier()
        if kind == "launchplan_ref":
            id_ = node.workflow_node.launchplan_ref
            plan = self._references.launch_plans.get(interfaces.identifier_key(id_))
            if plan is not None and id_.resource_type == identifier_pb2.LAUNCH_PLAN:
                return interfaces.launch_plan_interface(node, plan, self._report)
        elif kind == "sub_workflow_ref":
            id_ = node.workflow_node.sub_workflow_ref
            found = self._references.workflows.get(interfaces.identifier_key(id_))
            if found is not None and id_.resource_type == identifier_pb2.WORKFLOW:
                return found
        self._report.add(
            Code.WORKFLOW_REFERENCE_NOT_FOUND,
            node.id,
            f"Referenced {'Launch plan' if kind == 'launchplan_ref' else 'Workflow'} [{interfaces.name_of(id_)}]"
            " not found.",
        )
        return None

    def _branch_interface(self, node: workflow_pb2.Node) -> Interface | None:
        """Inputs are what is bound; outputs what all children have in common."""
        if not node.branch_node.HasField("if_else"):
            self._report.add(Code.VALUE_REQUIRED, node.id, "Value required [Branch.IfElse].")
            return None
        if not node.branch_node.if_else.HasField("case"):
            self._report.add(Code.VALUE_REQUIRED, node.id, "Value required [Branch.IfElse.Case].")
            return None
        inputs = self._inferred(node).types
        common: Types | None = None
        for child in _children(node):
            if child.id not in self._interfaces:
                self._interfaces[child.id] = self._interface(child)
            interface = self._interfaces[child.id]
            if interface is None:
                continue
            common = interface.outputs if common is None else self._common(child.id, common, interface.outputs)
        return None if common is None else Interface(inputs, common)

    def _common(self, node_id: str, ours: Types, theirs: Types) -> Types:
        """The outputs that a branch's children have in common."""
        names = [name for name in ours if name in theirs]
        for name in names:
            if not (castable(ours[name], theirs[name]) and castable(theirs[name], ours[name])):
                self._report.add(
                    Code.MISMATCHING_TYPES,
                    node_id,
                    f"Variable [{name}] (type [{describe(theirs[name])}]) doesn't match expected type"
                    f" [{describe(ours[name])}], which another case of the same branch gives.",
                )
        return {name: ours[name] for name in names}

    def _inferred(self, node: workflow_pb2.Node) -> Resolved:
        """What is bound to a node that declares no inputs."""
        report = Report()
        resolved = Bindings(self, node.id, report, infer=True).resolve(node.inputs, {})
        self._report.extend(report)
        return resolved

    def _connect(self, node: workflow_pb2.Node) -> None:
        """Check a top-level node and add its edges."""
        interface = self._interfaces[node.id]
        self._check_node(node)
        for upstream in node.upstream_node_ids:
            if upstream in self._nodes:
                self._add_edge(upstream, node.id)
            else:
                self._unknown.setdefault(node.id, []).append(upstream)
        if interface is not None:
            for upstream in self._bound(node, interface, self._report).upstream:
                self._add_edge(upstream, node.id)

    def _bound(self, node: workflow_pb2.Node, interface: Interface, report: Report) -> Resolved:
        # An approval or a branch was resolved against nothing: against what was inferred, everything fits.
        infer = node.WhichOneof("target") == "branch_node" or node.gate_node.HasField("approve")
        inputs = {} if infer else interface.inputs
        return Bindings(self, node.id, report, infer=infer).resolve(node.inputs, inputs)

    def _check_node(self, node: workflow_pb2.Node) -> None:
        """Check what is inside a node."""
        if node.id not in _RESERVED and node.HasField("branch_node"):
            self._check_branch(node)

    def _check_branch(self, node: workflow_pb2.Node) -> None:
        """Check conditions and children; children wait for what they read, and so does the branch."""
        block = node.branch_node.if_else
        interface = self._interfaces.get(node.id)
        if not block.HasField("case"):
            conditions.no_condition(node.id, self._report)
        for case in _cases(block):
            if not case.HasField("condition"):
                conditions.no_condition(node.id, self._report)
            elif interface is not None:
                conditions.check(node.id, case.condition, interface.inputs, self._report)
            if not case.HasField("then_node"):
                self._report.add(
                    Code.BRANCH_NODE_ID_NOT_FOUND, node.id, "BranchNode not assigned: a case has no node to run."
                )
                self._report.add(Code.VALUE_REQUIRED, node.id, "Value required [Branch.IfElse.Case.ThenNode].")
        if block.WhichOneof("default") is None:
            self._report.add(
                Code.BRANCH_NODE_HAS_NO_DEFAULT,
                node.id,
                "Branch Node must have either the else case set or a default error.",
            )
        for child in _children(node):
            self._check_node(child)
            below = self._interfaces.get(child.id)
            if below is not None:
                upstream = self._bound(child, below, self._report).upstream
                if upstream:
                    self._up.setdefault(child.id, set()).update(upstream)
            for source in self._up.get(child.id, ()):
                self._waits.setdefault(source, set()).add(child.id)
            self._waits.setdefault(child.id, set()).add(node.id)

    def _add_failure_node(self, node: workflow_pb2.Node) -> None:
        """Check the failure node; it runs beside the graph, so nothing leads to it."""
        if not node.id:
            self._report.add(Code.VALUE_REQUIRED, "<node>", "Value required [Id] of the failure node.")
            return
        if node.id in self._nodes:
            self._report.add(Code.DUPLICATE_NODE_ID, node.id, "The failure node has the id of another node.")
            return
        self._prepare(node)
        interface = self._interfaces[node.id] = self._interface(node)
        self._check_node(node)
        if interface is None:
            return
        upstream = self._bound(node, interface, self._report).upstream
        if upstream:
            self._up.setdefault(node.id, set()).update(upstream)

    def _add_edge(self, upstream: str, downstream: str) -> None:
        self._down.setdefault(upstream, set()).add(downstream)
        self._up.setdefault(downstream, set()).add(upstream)

    def _connect_orphans(self) -> None:
        """Nodes that wait for nothing start at once; the workflow ends when those nobody waits for have ended."""
        for node_id in self._nodes:
            if node_id in _RESERVED:
                continue
            if node_id not in self._up and node_id not in self._unknown:
                self._add_edge(START_NODE, node_id)
            if node_id not in self._down:
                self._add_edge(node_id, END_NODE)

    def _check_shape(self) -> None:
        """Everything can be reached, without cycles; one that nothing leads to is, as in Flyte, out of reach."""
        edges = {source: sorted(targets) for source, targets in self._down.items()}
        for source, targets in self._waits.items():
            edges[source] = sorted({*edges.get(source, ()), *targets})
        found = graphs.reachable(edges, START_NODE)
        lost = self._nodes.keys() - found - {END_NODE}
        for node_id in sorted(self._unknown.keys() - lost):
            for upstream in self._unknown[node_id]:
                self._report.add(Code.NODE_REFERENCE_NOT_FOUND, node_id, _not_found(upstream, node_id))
        if cycle := graphs.find_cycle({source: targets for source, targets in edges.items() if source in found}):
            self._report.add(
                Code.CYCLE_DETECTED,
                START_NODE,
                f"A cycle has been detected while traversing the Workflow [{'>'.join(cycle)}].",
            )
        elif lost:
            causes = [_not_found(upstream, node) for node in sorted(lost) for upstream in self._unknown.get(node, ())]
            if cycle := graphs.find_cycle(edges):
                causes.append(f"They wait for one another [{'>'.join(cycle)}].")
            shown = " ".join([f"The Workflow contain unreachable nodes [{','.join(sorted(lost))}].", *causes])
            self._report.add(Code.UNREACHABLE_NODES, START_NODE, shown)

    def _write_connections(self) -> None:
        self._template.ClearField("outputs")
        self._template.outputs.extend(self._nodes[END_NODE].inputs)  # where promises got their start node
        connections = self._workflow.connections
        connections.SetInParent()
        for field, edges in ((connections.downstream, self._down), (connections.upstream, self._up)):
            for node_id in sorted(edges):
                field[node_id].ids.extend(sorted(edges[node_id]))


def _not_found(upstream: str, node_id: str) -> str:
    return f"Referenced node [{upstream}] not found: it is in the upstream_node_ids of node [{node_id}]."


def _cases(block: workflow_pb2.IfElseBlock) -> Iterator[workflow_pb2.IfBlock]:
    if block.HasField("case"):
        yield block.case
    yield from block.other


def _children(node: workflow_pb2.Node) -> Iterator[workflow_pb2.Node]:
    """The nodes that a branch chooses from."""
    if not node.HasField("branch_node"):
        return
    block = node.branch_node.if_else
    for case in _cases(block):
        if case.HasField("then_node"):
            yield case.then_node
    if block.HasField("else_node"):
        yield block.else_node


def _descendants(node: workflow_pb2.Node) -> Iterator[workflow_pb2.Node]:
    for child in _children(node):
        yield child
        yield from _descendants(child)


def referenced_nodes(template: workflow_pb2.WorkflowTemplate) -> Iterator[workflow_pb2.Node]:
    """All nodes of a workflow that may refer to something: top-level, in branches, in arrays, and the failure node."""
    top: Iterable[workflow_pb2.Node] = template.nodes
    open_ = list(top)
    if template.HasField("failure_node"):
        open_.append(template.failure_node)
    take: Callable[[], workflow_pb2.Node] = open_.pop
    while open_:
        node = take()
        yield node
        open_.extend(_children(node))
        if node.HasField("array_node"):
            open_.append(node.array_node.node)
