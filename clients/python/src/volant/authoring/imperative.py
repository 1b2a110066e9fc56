"""Workflows that are built call by call, and nodes made outside of plain calls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from volant import errors, user_code
from volant.authoring import binding as bindings
from volant.authoring import calls, conditional, entity, interface, node, tracing, workflow
from volant.authoring import promise as promises


class ImperativeWorkflow(workflow.Workflow):
    """A workflow built by calls: `add_workflow_input`, `add_entity`, `add_workflow_output`.

    Args:
        name: The name to register under.
        failure_policy: What becomes of other nodes when one fails.
        interruptible: Whether tasks may run on machines that can be taken away.
    """

    def __init__(
        self,
        name: str,
        failure_policy: workflow.WorkflowFailurePolicy | None = None,
        interruptible: bool = False,
    ) -> None:
        policy = failure_policy or workflow.WorkflowFailurePolicy.FAIL_IMMEDIATELY
        settings = workflow.WorkflowSettings(failure_policy=policy, interruptible=interruptible)
        super().__init__(name, interface.Interface(inputs={}, outputs={}), settings)
        self._tracer = tracing.Tracer()
        self._outputs: dict[str, bindings.Binding] = {}
        self._failure: node.Node | None = None
        self.inputs: dict[str, promises.Promise] = {}
        """The workflow's inputs, to be passed to entities."""

    @property
    def graph(self) -> node.Graph:
        """What was added so far."""
        node.check_order(self._tracer.nodes)
        return node.Graph(self._tracer.nodes, self._outputs)

    @property
    def failure_node(self) -> node.Node | None:
        """The node that runs when the workflow fails."""
        return self._failure

    def add_workflow_input(self, input_name: str, python_type: Any) -> promises.Promise:
        """Add an input; gives what stands for it."""
        if input_name in self.inputs:
            raise errors.DefinitionError(
                f"{user_code.caller_line()}: {self.name} has an input {input_name!r} already. Name it otherwise"
            )
        self.interface: interface.Interface = interface.Interface(
            inputs={**self.interface.inputs, input_name: python_type}, outputs=self.interface.outputs
        )
        known = self.interface.typed.inputs.variables[input_name].type
        self.inputs[input_name] = promises.Promise(None, input_name, python_type, known)
        return self.inputs[input_name]

    def add_workflow_output(self, output_name: str, value: Any, python_type: Any = None) -> None:
        """Add an output; its type is that of the promise, where none is given."""
        if output_name in self._outputs:
            raise errors.DefinitionError(
                f"{user_code.caller_line()}: {self.name} has an output {output_name!r} already"
            )
        if python_type is None:
            if not isinstance(value, promises.Promise):
                raise errors.DefinitionError(
                    f"{user_code.caller_line()}: output {output_name!r}: give python_type for what "
                    f"isn't one node's output"
                )
            python_type = value._python_type  # noqa: SLF001 - a promise's own names must not hide the value's
        self.interface = interface.Interface(
            inputs=self.interface.inputs, outputs={**self.interface.outputs, output_name: python_type}
        )
        known = self.interface.typed.outputs.variables[output_name].type
        subject = f"{user_code.caller_line()}: output {output_name!r}"
        self._outputs[output_name] = bindings.bind(value, python_type, known, subject)

    def add_entity(self, called: entity.Entity, **inputs: Any) -> node.Node:
        """Add a call of a task, workflow or launch plan; gives its node."""
        made = self._tracer.add(called, called.bind((), inputs), user_code.caller_line())
        promises.make_outputs(made)
        tracing.check_ids(self._tracer.nodes)
        return made

    add_task = add_entity
    add_launch_plan = add_entity
    add_subwf = add_entity

    def create_conditional(self, name: str) -> conditional.ConditionalSection:
        """Begin a conditional, whose cases are calls."""
        with calls.made_by(self._tracer):
            return conditional.ConditionalSection(name)

    def add_on_failure_handler(self, handler: entity.Entity) -> None:
        """Run a task or workflow with the workflow's inputs when it fails."""
        self._failure = workflow.failure_node_for(self, handler, self.inputs, "efn")

    def ready(self) -> bool:
        """Whether there's something to run."""
        return bool(self._tracer.nodes)

    def __iter__(self) -> Iterator[node.Node]:
        return iter(self._tracer.nodes)


def create_node(called: entity.Entity, *args: Any, **inputs: Any) -> node.Node:
    """Call an entity inside a workflow and get its node: for ordering, and outputs by name."""
    caller = calls.current()
    if not isinstance(caller, tracing.Tracer):
        raise errors.DefinitionError(
            f"{user_code.caller_line()}: create_node belongs inside a workflow; elsewhere call it"
        )
    made = caller.add(called, called.bind(args, inputs), user_code.caller_line())
    promises.make_outputs(made)
    return made


class Environment:
    """Task settings that several tasks share: `env = Environment(retries=2)`, then `@env.task`."""

    def __init__(self, **options: Any) -> None:
        self._options: Mapping[str, Any] = options

    def update(self, **options: Any) -> None:
        """Change settings for tasks that are made later."""
        self._options = {**self._options, **options}

    def extend(self, **options: Any) -> Environment:
        """Another environment, with these settings besides."""
        return Environment(**{**self._options, **options})

    def show(self) -> dict[str, Any]:
        """The settings."""
        return dict(self._options)

    def task(self, function: Any = None, /, **options: Any) -> Any:
        """As `volant.task`, with the shared settings."""
        from volant.authoring import task as tasks  # noqa: PLC0415 - the method has the module's name

        return tasks.task(function, **{**self._options, **options})

    def dynamic(self, function: Any = None, /, **options: Any) -> Any:
        """As `volant.dynamic`, with the shared settings."""
        from volant.authoring import dynamic  # noqa: PLC0415 - the method has the module's name

        return dynamic.dynamic(function, **{**self._options, **options})
