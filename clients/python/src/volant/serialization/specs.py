"""Everything that must be registered for an entity, in the order in which it must be."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

from volant import errors
from volant.authoring import caching, conditional, entity, gate, launch_plan, mapping, reference, task, workflow
from volant.authoring import node as graphs
from volant.serialization import bindings, tasks
from volant.types import engine
from volantidl.admin import launch_plan_pb2, task_pb2
from volantidl.admin import workflow_pb2 as admin_workflow_pb2
from volantidl.core import identifier_pb2, interface_pb2, tasks_pb2, workflow_pb2

Settings = tasks.Settings


@dataclasses.dataclass
class Specs:
    """The specs, by name: tasks, then workflows, then launch plans."""

    tasks: dict[str, task_pb2.TaskSpec] = dataclasses.field(default_factory=dict)
    workflows: dict[str, admin_workflow_pb2.WorkflowSpec] = dataclasses.field(default_factory=dict)
    launch_plans: dict[str, launch_plan_pb2.LaunchPlan] = dataclasses.field(default_factory=dict)
    activate: set[str] = dataclasses.field(default_factory=set)
    """The names of launch plans that are to be made active."""
    hinted: list[Specs] = dataclasses.field(default_factory=list)
    """What dynamic tasks may use, under the tasks' own versions."""

    def parts(self) -> Iterator[Specs]:
        """These specs, after those that were hinted at."""
        for hinted in self.hinted:
            yield from hinted.parts()
        yield self

    def __iter__(self) -> Iterator[tuple[str, object]]:
        yield from self.tasks.items()
        yield from self.workflows.items()
        yield from self.launch_plans.items()


class Translator:
    """Translates entities; what is used by several is translated once.

    Args:
        settings: Where and how they are registered.
        version_of: Each entity's version, where they differ; the settings' one for all by default.
    """

    def __init__(self, settings: Settings, version_of: Callable[[entity.Entity], str] | None = None) -> None:
        self.settings = settings
        self.specs: Specs = Specs()
        self._version_of = version_of
        self._sources: dict[str, str] = {}
        self._open: list[str] = []

    def _settings_of(self, one: entity.Entity) -> Settings:
        if self._version_of is None:
            return self.settings
        return dataclasses.replace(self.settings, version=self._version_of(one))

    def add(self, one: entity.Entity) -> None:
        """Translate an entity and all that it needs; a workflow gets its default launch plan too."""
        if isinstance(one, task.Task):
            self.task(one)
        elif isinstance(one, workflow.Workflow):
            self.workflow(one)
            self.launch_plan(launch_plan.LaunchPlan.get_default_launch_plan(one))
        elif isinstance(one, launch_plan.LaunchPlan):
            self.launch_plan(one)
        elif isinstance(one, mapping.MapTask):
            self.map_task(one)
        elif not isinstance(one, (reference.Reference, gate.Gate, conditional.Branch)):
            raise errors.DefinitionError(f"{one!r} cannot be registered")

    def task(self, one: task.Task) -> task_pb2.TaskSpec:
        """A task's spec."""
        if one.name not in self.specs.tasks:
            settings = self._settings_of(one)
            spec = tasks.task_spec(one, settings)
            self.specs.tasks[one.name] = spec
            self._sources[one.name] = one.source
            for hint in getattr(one, "node_dependency_hints", ()):
                self._add_hint(hint, settings)
        elif self._sources[one.name] != one.source:
            raise errors.DefinitionError(
                f"{one.source}: there is another task {one.name!r}, of {self._sources[one.name]}; give one of them "
                f"another name"
            )
        return self.specs.tasks[one.name]

    def _add_hint(self, hint: entity.Entity, settings: Settings) -> None:
        """Translate what a dynamic task will look for under its own version."""
        if self._version_of is None:
            self.add(hint)
            return
        inner = Translator(settings)
        inner.add(hint)
        self.specs.hinted.append(inner.specs)

    def map_task(self, one: mapping.MapTask) -> task_pb2.TaskSpec:
        """The spec of a map task's inner task."""
        if one.name not in self.specs.tasks:
            self.specs.tasks[one.name] = tasks.map_spec(one, self._settings_of(one))
        return self.specs.tasks[one.name]

    def workflow(self, one: workflow.Workflow) -> admin_workflow_pb2.WorkflowSpec:
        """A workflow's spec, with the templates of all its sub-workflows."""
        if one.name in self.specs.workflows:
            return self.specs.workflows[one.name]
        if one.name in self._open:
            around = " > ".join([*self._open[self._open.index(one.name) :], one.name])
            raise errors.DefinitionError(
                f"{one.source}: {one.name} contains itself ({around}), so its graph would have no end. Call one of "
                f"them from @dynamic or @eager, and let a condition end it"
            )
        self._open.append(one.name)
        template = workflow_pb2.WorkflowTemplate(
            id=tasks.identifier(identifier_pb2.WORKFLOW, one.name, self._settings_of(one)),
            interface=one.interface.typed,
        )
        template.interface.inputs.SetInParent()
        template.interface.outputs.SetInParent()
        template.metadata.on_failure = workflow_pb2.WorkflowMetadata.OnFailurePolicy.Value(
            one.settings.failure_policy.name
        )
        template.metadata.SetInParent()
        template.metadata_defaults.interruptible = one.settings.interruptible
        template.metadata_defaults.SetInParent()
        below: dict[str, workflow_pb2.WorkflowTemplate] = {}
        for made in one.graph.nodes:
            if made.id == "fn0":
                raise errors.DefinitionError(f"{made.line}: the node id 'fn0' is the failure node's. Choose another")
            template.nodes.append(self.node(made, below))
        template.outputs.extend(bindings.binding(name, bound) for name, bound in one.graph.outputs.items())
        if one.failure_node is not None:
            template.failure_node.CopyFrom(self.node(one.failure_node, below))
        spec = admin_workflow_pb2.WorkflowSpec(
            template=template,
            sub_workflows=[below[name] for name in sorted(below)],
            description=tasks.description(one.settings.docs, one),
        )
        self.specs.workflows[one.name] = spec
        self._open.remove(one.name)
        return spec

    def launch_plan(self, one: launch_plan.LaunchPlan) -> launch_plan_pb2.LaunchPlan:
        """A launch plan, and its workflow."""
        if one.name not in self.specs.launch_plans:
            spec = self.workflow(one.workflow)
            self.specs.launch_plans[one.name] = launch_plan_pb2.LaunchPlan(
                id=tasks.identifier(identifier_pb2.LAUNCH_PLAN, one.name, self._settings_of(one)),
                spec=launch_plan_spec(one, spec.template.id),
            )
            if one.settings.auto_activate:
                self.specs.activate.add(one.name)
        return self.specs.launch_plans[one.name]

    def node(self, made: graphs.Node, below: dict[str, workflow_pb2.WorkflowTemplate]) -> workflow_pb2.Node:
        """A node; the templates of sub-workflows go to `below`."""
        called = made.entity
        inputs = conditional.operands(called.cases) if isinstance(called, conditional.Branch) else made.bindings
        result = workflow_pb2.Node(
            id=made.id,
            metadata=node_metadata(made),
            inputs=[bindings.binding(name, bound) for name, bound in sorted(inputs.items())],
            upstream_node_ids=[other.id for other in made.upstream()],
        )
        if isinstance(called, reference.Reference):
            self._reference(result, called)
        elif isinstance(called, mapping.MapTask):
            self._map(result, made, called)
        elif isinstance(called, task.Task):
            result.task_node.reference_id.CopyFrom(self.task(called).template.id)
            result.task_node.overrides.CopyFrom(task_overrides(made, self.settings))
            tasks.describe_image(self.task(called).template, made.overrides.container_image)
        elif isinstance(called, workflow.Workflow):
            spec = self.workflow(called)
            below[called.name] = spec.template
            below.update({one.id.name: one for one in spec.sub_workflows})
            result.workflow_node.sub_workflow_ref.CopyFrom(spec.template.id)
        elif isinstance(called, launch_plan.LaunchPlan):
            result.workflow_node.launchplan_ref.CopyFrom(self.launch_plan(called).id)
        elif isinstance(called, conditional.Branch):
            self._branch(result, called, below)
        elif isinstance(called, gate.Gate):
            _gate(result, called)
        else:
            raise errors.DefinitionError(f"{made.line}: {called!r} cannot be a node")
        for alias, name in made.overrides.aliases.items():
            result.output_aliases.append(workflow_pb2.Alias(var=alias, alias=name))
        return result

    def _reference(self, result: workflow_pb2.Node, called: reference.Reference) -> None:
        target = identifier_pb2.Identifier(
            resource_type=called.kind.message,
            project=called.project,
            domain=called.domain,
            name=called.name,
            version=called.version,
        )
        if called.kind is reference.ResourceKind.TASK:
            result.task_node.reference_id.CopyFrom(target)
        elif called.kind is reference.ResourceKind.LAUNCH_PLAN:
            result.workflow_node.launchplan_ref.CopyFrom(target)
        else:
            raise errors.DefinitionError(
                f"{called.name}: a reference to a workflow cannot be a node; use reference_launch_plan"
            )

    def _map(self, result: workflow_pb2.Node, made: graphs.Node, called: mapping.MapTask) -> None:
        array = result.array_node
        inner = array.node
        inner.id = called.name
        inner.metadata.CopyFrom(result.metadata)
        inner.inputs.extend(result.inputs)
        array.is_original_sub_node_interface.value = False
        if isinstance(called.target, launch_plan.LaunchPlan):
            inner.workflow_node.launchplan_ref.CopyFrom(self.launch_plan(called.target).id)
            array.execution_mode = workflow_pb2.ArrayNode.FULL_STATE
            array.is_original_sub_node_interface.value = True
        elif isinstance(called.target, reference.Reference):
            self._reference(inner, called.target)
            array.execution_mode = workflow_pb2.ArrayNode.FULL_STATE
            array.data_mode = workflow_pb2.ArrayNode.INDIVIDUAL_INPUT_FILES
            array.is_original_sub_node_interface.value = True
        else:
            inner.task_node.reference_id.CopyFrom(self.map_task(called).template.id)
            inner.task_node.overrides.CopyFrom(task_overrides(made, self.settings))
            tasks.describe_image(self.map_task(called).template, made.overrides.container_image)
        if called.concurrency is not None:
            array.parallelism = called.concurrency
        if called.min_successes is not None:
            array.min_successes = called.min_successes
        else:
            array.min_success_ratio = called.min_success_ratio
        array.bound_inputs.extend(called.bound)
        array.run_all_sub_nodes = called.run_all_sub_nodes
        result.metadata.ClearField("retries")
        result.metadata.retries.SetInParent()

    def _branch(
        self, result: workflow_pb2.Node, called: conditional.Branch, below: dict[str, workflow_pb2.WorkflowTemplate]
    ) -> None:
        blocks = [
            workflow_pb2.IfBlock(condition=bindings.condition(case.condition), then_node=self.node(case.then, below))
            for case in called.cases
        ]
        chosen = result.branch_node.if_else
        chosen.case.CopyFrom(blocks[0])
        chosen.other.extend(blocks[1:])
        if called.else_node is not None:
            chosen.else_node.CopyFrom(self.node(called.else_node, below))
        else:
            chosen.error.failed_node_id = result.metadata.name
            chosen.error.message = called.failure or ""


def _gate(result: workflow_pb2.Node, called: gate.Gate) -> None:
    result.metadata.timeout.FromTimedelta(called.timeout)
    if called.duration is not None:
        result.gate_node.sleep.duration.FromTimedelta(called.duration)
    elif called.expected_type is not None:
        result.gate_node.signal.signal_id = called.name
        result.gate_node.signal.type.CopyFrom(engine.literal_type(called.expected_type))
        result.gate_node.signal.output_variable_name = "o0"
    else:
        result.gate_node.approve.signal_id = called.name


def node_metadata(made: graphs.Node) -> workflow_pb2.NodeMetadata:
    """A node's metadata: what its task says, changed by its overrides."""
    called = made.entity
    # A mapped launch plan's own settings are not its node's.
    mapped = called.target if isinstance(called, mapping.MapTask) and isinstance(called.target, task.Task) else None
    target: entity.Entity = mapped or called
    name = called.workflow.short_name if isinstance(called, launch_plan.LaunchPlan) else called.short_name
    if isinstance(called, (mapping.MapTask, gate.Gate, conditional.Branch)):
        name = called.name
    result = workflow_pb2.NodeMetadata(name=name)
    result.retries.SetInParent()
    _settings_of(target, result)
    _overrides_of(made.overrides, result)
    return result


def _settings_of(target: entity.Entity, result: workflow_pb2.NodeMetadata) -> None:
    if isinstance(target, task.Task):
        given = target.settings
        result.retries.retries = given.retries
        if given.timeout is not None:
            result.timeout.FromTimedelta(given.timeout)
        if given.interruptible is not None:
            result.interruptible = given.interruptible
    elif isinstance(target, workflow.Workflow):
        result.interruptible = target.settings.interruptible
    elif isinstance(target, launch_plan.LaunchPlan):
        result.interruptible = target.workflow.settings.interruptible


def _overrides_of(changed: graphs.Overrides, result: workflow_pb2.NodeMetadata) -> None:
    if changed.name is not None:
        result.name = changed.name
    if changed.retries is not None:
        result.retries.retries = changed.retries
    if changed.timeout is not None:
        result.timeout.FromTimedelta(changed.timeout)
    if changed.interruptible is not None:
        result.interruptible = changed.interruptible
    if isinstance(changed.cache, caching.Cache):
        result.cacheable = True
        result.cache_version = changed.cache.version
        result.cache_serializable = changed.cache.serialize
    elif changed.cache is not None:
        result.cacheable = changed.cache


def task_overrides(made: graphs.Node, settings: Settings) -> workflow_pb2.TaskNodeOverrides:
    """What a node changes of its task's container."""
    changed = made.overrides
    result = workflow_pb2.TaskNodeOverrides()
    if changed.requests is not None or changed.limits is not None:
        result.resources.CopyFrom(tasks.resource_lists(changed.requests, changed.limits))
    if changed.accelerator is not None or changed.shared_memory:
        result.extended_resources.CopyFrom(tasks.extended_resources(changed.accelerator, changed.shared_memory))
    if changed.container_image is not None:
        result.container_image = settings.image_for(changed.container_image)
    if changed.pod_template is not None:
        result.pod_template.CopyFrom(changed.pod_template.to_override(tasks_pb2.Container()))
    return result


def launch_plan_spec(
    one: launch_plan.LaunchPlan, workflow_id: identifier_pb2.Identifier
) -> launch_plan_pb2.LaunchPlanSpec:
    """A launch plan's spec."""
    given = one.settings
    spec = launch_plan_pb2.LaunchPlanSpec(workflow_id=workflow_id)
    spec.entity_metadata.SetInParent()
    if given.schedule is not None:
        spec.entity_metadata.schedule.CopyFrom(given.schedule.to_message())
    spec.entity_metadata.notifications.extend(one.to_message() for one in given.notifications)
    variables = one.interface.typed.inputs.variables
    for name in one.interface.inputs:
        parameter = interface_pb2.Parameter(var=variables[name])
        if name in one.interface.defaults:
            default = engine.to_literal(one.interface.defaults[name], one.interface.inputs[name], variables[name].type)
            parameter.default.CopyFrom(default)
        else:
            parameter.required = True
        spec.default_inputs.parameters[name].CopyFrom(parameter)
    spec.default_inputs.SetInParent()
    for name, value in one.fixed_inputs.items():
        literal = engine.to_literal(value, one.workflow.interface.inputs[name])
        spec.fixed_inputs.literals[name].CopyFrom(literal)
    spec.fixed_inputs.SetInParent()
    spec.labels.values.update(given.labels)
    spec.labels.SetInParent()
    spec.annotations.values.update(given.annotations)
    spec.annotations.SetInParent()
    spec.raw_output_data_config.output_location_prefix = given.raw_output_prefix
    spec.raw_output_data_config.SetInParent()
    spec.max_parallelism = given.max_parallelism
    spec.overwrite_cache = given.overwrite_cache
    if given.service_account:
        spec.security_context.run_as.k8s_service_account = given.service_account
    if given.concurrency is not None:
        spec.concurrency_policy.max = given.concurrency.max_concurrency
        spec.concurrency_policy.behavior = launch_plan_pb2.CONCURRENCY_LIMIT_BEHAVIOR_SKIP
    return spec


def specs_for(one: entity.Entity, settings: Settings) -> Specs:
    """Everything to register for an entity."""
    translator = Translator(settings)
    translator.add(one)
    return translator.specs
