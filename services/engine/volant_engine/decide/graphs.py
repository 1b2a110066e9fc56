"""The static side of a run: compiled workflows as indexed graphs, built once and shared by executions."""

import dataclasses
import enum
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

from volant_core.model import literals
from volant_engine.decide import map_tasks
from volantidl.core import (
    compiler_pb2,
    identifier_pb2,
    interface_pb2,
    literals_pb2,
    tasks_pb2,
    workflow_pb2,
)

START = "start-node"
END = "end-node"
_PRIMARY = "primary_container_name"
"""The key of a task's config that names the main container of its pod."""
_RESOURCES = {
    tasks_pb2.Resources.CPU: "cpu",
    tasks_pb2.Resources.MEMORY: "memory",
    tasks_pb2.Resources.GPU: "gpu",
    tasks_pb2.Resources.EPHEMERAL_STORAGE: "ephemeral-storage",
}
"""As pods call them."""

Key: TypeAlias = tuple[str, str, str, str]


class Kind(enum.IntEnum):
    """What a node does."""

    TASK = 1
    ECHO = 2
    SUBWORKFLOW = 3
    LAUNCH_PLAN = 4
    BRANCH = 5
    GATE = 6
    ARRAY = 7
    START = 8
    END = 9
    BROKEN = 10
    """Nothing that is known; fails when it is reached."""


class GraphError(Exception):
    """A compiled closure refers to what it does not hold."""


@dataclasses.dataclass(slots=True, eq=False)
class Spec:
    """A node as it was compiled."""

    index: int
    id: str
    name: str
    kind: Kind
    message: workflow_pb2.Node
    bindings: Sequence[tuple[str, literals_pb2.BindingData]]
    aliases: dict[str, str]
    task: tasks_pb2.TaskTemplate | None = None
    """With the node's overrides applied; for an array node, its element's."""
    max_attempts: int = 1
    """Tries that the user's retry budget allows."""
    timeout: float = 0.0
    """Seconds an attempt may take; 0 for ever."""
    interruptible: bool | None = None
    branch: int = -1
    """The index of the branch node that it is a case of; -1 at the top."""
    upstream: int = 0
    """How many nodes it waits for, its branch included."""
    downstream: list[int] = dataclasses.field(default_factory=list)
    cases: dict[str, int] = dataclasses.field(default_factory=dict)
    """Of a branch node: the indexes of its cases by id."""
    element: "Spec | None" = None
    """Of an array node: what runs for each element."""
    driven: "Driven | None" = None
    """Of a node that a driver added: what it was given."""

    @property
    def is_map_task(self) -> bool:
        """Whether it is an array node because its task is a map task of the old form."""
        return self.kind == Kind.ARRAY and self.task is not None and self.task.type == map_tasks.TYPE


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Driven:
    """A node that a driver has added below its own, while it runs."""

    parent_node_id: str
    node_id: str
    """The unique id."""
    key: str
    """What the driver calls it."""
    library: "Library"
    """A workflow whose only node is what it runs."""
    inputs: literals_pb2.LiteralMap | None
    """None when they are at `inputs_uri`."""
    inputs_uri: str = ""

    def spec(self) -> Spec:
        """The node: it waits for nothing, and its inputs are bound to nothing."""
        only = self.library.primary.specs[0]
        return dataclasses.replace(only, index=DRIVEN, id=self.key, bindings=(), upstream=0, downstream=[], driven=self)


DRIVEN = -4
"""The index of nodes that stand in no graph's list, because a driver added them."""


def key_of(identifier: identifier_pb2.Identifier) -> Key:
    """An identifier as a key."""
    return (identifier.project, identifier.domain, identifier.name, identifier.version)


class Library:
    """Everything that a compiled closure holds, with its workflows made into graphs on demand."""

    def __init__(self, closure: compiler_pb2.CompiledWorkflowClosure) -> None:
        """Index `closure`, which must not be changed afterwards."""
        self.tasks = {key_of(task.template.id): task.template for task in closure.tasks}
        self._workflows = {key_of(workflow.template.id): workflow for workflow in closure.sub_workflows}
        self._graphs: dict[Key, Graph] = {}
        self.primary = Graph(closure.primary, self)

    def graph(self, identifier: identifier_pb2.Identifier) -> "Graph":
        """The graph of a sub-workflow."""
        key = key_of(identifier)
        found = self._graphs.get(key)
        if found is None:
            if key not in self._workflows:
                raise GraphError(f"failed to find sub workflow with ID [{':'.join(key)}]")
            found = self._graphs[key] = Graph(self._workflows[key], self)
        return found


class Graph:
    """A workflow: its nodes with those of its branches, in one list, and who waits for whom."""

    def __init__(self, workflow: compiler_pb2.CompiledWorkflow, library: Library) -> None:
        """Index `workflow`, whose tasks and sub-workflows are in `library`."""
        template = workflow.template
        self.library = library
        self.id = template.id
        self.interface: interface_pb2.TypedInterface = template.interface
        self.outputs = [(binding.var, binding.binding) for binding in template.outputs]
        self.fail_immediately = template.metadata.on_failure == workflow_pb2.WorkflowMetadata.FAIL_IMMEDIATELY
        self.interruptible = template.metadata_defaults.interruptible
        self.specs: list[Spec] = []
        self.by_id: dict[str, int] = {}
        self.start = _spec(-1, workflow_pb2.Node(id=START), library, Kind.START)
        self.end = _spec(-2, workflow_pb2.Node(id=END), library, Kind.END)
        self.end.bindings = self.outputs
        for node in template.nodes:
            if node.id not in {START, END}:
                self._add(node, -1)
        self.top = sum(1 for spec in self.specs if spec.branch < 0)
        """How many nodes are not cases of a branch."""
        self._connect()
        self.failure: Spec | None = None
        if template.HasField("failure_node") and template.failure_node.WhichOneof("target"):
            self.failure = _spec(-3, template.failure_node, library)

    def _add(self, node: workflow_pb2.Node, branch: int) -> None:
        spec = _spec(len(self.specs), node, self.library)
        spec.branch = branch
        self.specs.append(spec)
        self.by_id[spec.id] = spec.index
        if branch >= 0:
            self.specs[branch].cases[spec.id] = spec.index
        if spec.kind == Kind.BRANCH:
            for case in cases_of(node.branch_node.if_else):
                self._add(case, spec.index)

    def _connect(self) -> None:
        for spec in self.specs:
            sources = set(spec.message.upstream_node_ids)
            for _, binding in spec.bindings:
                sources.update(sources_of(binding))
            sources -= {"", START, spec.id}
            indexes = {self.by_id[source] for source in sources if source in self.by_id}
            indexes.discard(spec.branch)
            for index in indexes:
                self.specs[index].downstream.append(spec.index)
            spec.upstream = len(indexes) + (spec.branch >= 0)

    def spec(self, node_id: str) -> Spec | None:
        """The node of that id."""
        if node_id in self.by_id:
            return self.specs[self.by_id[node_id]]
        if self.failure is not None and self.failure.id == node_id:
            return self.failure
        return {START: self.start, END: self.end}.get(node_id)


def cases_of(block: workflow_pb2.IfElseBlock) -> Iterator[workflow_pb2.Node]:
    """The nodes between which a branch chooses."""
    yield block.case.then_node
    for other in block.other:
        yield other.then_node
    if block.WhichOneof("default") == "else_node":
        yield block.else_node


def sources_of(binding: literals_pb2.BindingData) -> Iterable[str]:
    """The ids of the nodes whose outputs a binding needs."""
    kind = binding.WhichOneof("value")
    if kind == "promise":
        return (binding.promise.node_id,)
    if kind == "collection":
        return [source for item in binding.collection.bindings for source in sources_of(item)]
    if kind == "map":
        return [source for item in binding.map.bindings.values() for source in sources_of(item)]
    return ()


def _spec(index: int, node: workflow_pb2.Node, library: Library, kind: Kind | None = None) -> Spec:
    if kind is None and node.WhichOneof("target") == "task_node":
        mapped = library.tasks.get(key_of(node.task_node.reference_id))
        if mapped is not None and mapped.type == map_tasks.TYPE:
            node = map_tasks.as_array(node, mapped)
    metadata = node.metadata
    spec = Spec(
        index=index,
        id=node.id,
        name=metadata.name,
        kind=kind or _kind(node),
        message=node,
        bindings=[(binding.var, binding.binding) for binding in node.inputs],
        aliases={alias.alias: alias.var for alias in node.output_aliases},
    )
    retries = metadata.retries.retries
    if metadata.HasField("timeout"):
        spec.timeout = literals.seconds_of(metadata.timeout)
    if metadata.WhichOneof("interruptible_value"):
        spec.interruptible = metadata.interruptible
    if spec.kind == Kind.TASK:
        template = library.tasks.get(key_of(node.task_node.reference_id))
        if template is None:
            raise GraphError(f"failed to find task with ID [{':'.join(key_of(node.task_node.reference_id))}]")
        spec.task = with_overrides(template, node.task_node.overrides)
        if template.type == "echo":
            spec.kind = Kind.ECHO
        retries = retries or template.metadata.retries.retries
        if spec.interruptible is None and template.metadata.WhichOneof("interruptible_value"):
            spec.interruptible = template.metadata.interruptible
        if not spec.timeout and template.metadata.HasField("timeout"):
            spec.timeout = literals.seconds_of(template.metadata.timeout)
    elif spec.kind == Kind.ARRAY:
        spec.element = _spec(index, node.array_node.node, library, _kind(node.array_node.node))
        spec.task = spec.element.task
    spec.max_attempts = 1 + retries
    return spec


def _kind(node: workflow_pb2.Node) -> Kind:
    target = node.WhichOneof("target")
    if target == "workflow_node":
        reference = node.workflow_node.WhichOneof("reference")
        return Kind.LAUNCH_PLAN if reference == "launchplan_ref" else Kind.SUBWORKFLOW
    return {
        "task_node": Kind.TASK,
        "branch_node": Kind.BRANCH,
        "gate_node": Kind.GATE,
        "array_node": Kind.ARRAY,
    }.get(target or "", Kind.BROKEN)


def with_overrides(
    template: tasks_pb2.TaskTemplate, overrides: workflow_pb2.TaskNodeOverrides
) -> tasks_pb2.TaskTemplate:
    """The task with what the node sets otherwise: resources, image, accelerator, pod template."""
    if not overrides.ByteSize():
        return template
    result = tasks_pb2.TaskTemplate()
    result.CopyFrom(template)
    if overrides.HasField("pod_template") and overrides.pod_template.HasField("pod_spec"):
        # The whole pod, which the client has made of the task's container and its own template.
        result.k8s_pod.CopyFrom(overrides.pod_template)
        result.config[_PRIMARY] = overrides.pod_template.primary_container_name
    if result.WhichOneof("target") == "container":
        for mine, theirs in (
            (result.container.resources.requests, overrides.resources.requests),
            (result.container.resources.limits, overrides.resources.limits),
        ):
            named = {entry.name for entry in theirs}
            kept = [entry for entry in mine if entry.name not in named]
            del mine[:]
            mine.extend([*kept, *theirs])
        if overrides.container_image:
            result.container.image = overrides.container_image
    elif result.WhichOneof("target") == "k8s_pod":
        _override_main_container(result, overrides)
    extended = overrides.extended_resources
    if extended.HasField("gpu_accelerator"):
        result.extended_resources.gpu_accelerator.CopyFrom(extended.gpu_accelerator)
    if extended.HasField("shared_memory"):
        result.extended_resources.shared_memory.CopyFrom(extended.shared_memory)
    return result


def _override_main_container(task: tasks_pb2.TaskTemplate, overrides: workflow_pb2.TaskNodeOverrides) -> None:
    """Resources and image of a pod's main container."""
    spec = task.k8s_pod.pod_spec.fields
    for container in spec["containers"].list_value.values if "containers" in spec else ():
        fields = container.struct_value.fields
        if fields["name"].string_value != task.config.get(_PRIMARY, ""):
            continue
        if overrides.container_image:
            fields["image"].string_value = overrides.container_image
        for kind, entries in (("requests", overrides.resources.requests), ("limits", overrides.resources.limits)):
            for entry in entries:
                if entry.name in _RESOURCES:
                    amounts = fields["resources"].struct_value.fields[kind].struct_value.fields
                    amounts[_RESOURCES[entry.name]].string_value = entry.value
