"""Workflows: `@workflow` traces a function's body into a graph, once; a body that needs values is run eagerly."""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import functools
import inspect
import logging
import threading
import typing
from collections.abc import Callable, Mapping
from typing import Any, Generic, ParamSpec, TypeVar, overload

from volant import errors, user_code
from volant.authoring import driver, entity, interface, naming, node, task, tracing
from volant.authoring import promise as promises
from volant.types import engine, failures
from volantidl.core import literals_pb2

_log = logging.getLogger("volant")
P = ParamSpec("P")
R = TypeVar("R")


class WorkflowFailurePolicy(enum.Enum):
    """What becomes of other nodes when one fails."""

    FAIL_IMMEDIATELY = 0
    FAIL_AFTER_EXECUTABLE_NODES_COMPLETE = 1


@dataclasses.dataclass(frozen=True)
class WorkflowSettings:
    """How a workflow is run, apart from its graph."""

    failure_policy: WorkflowFailurePolicy = WorkflowFailurePolicy.FAIL_IMMEDIATELY
    interruptible: bool = False
    on_failure: entity.Entity | None = None
    docs: str = ""


class Workflow(entity.Entity):
    """Base of workflows: has a graph."""

    def __init__(self, name: str, signature: interface.Interface, settings: WorkflowSettings) -> None:
        super().__init__(name, signature)
        self.settings = settings

    @property
    def graph(self) -> node.Graph:
        """The nodes and outputs."""
        raise NotImplementedError

    @property
    def failure_node(self) -> node.Node | None:
        """The node that runs when the workflow fails."""
        return None

    @property
    def is_eager(self) -> bool:
        """Whether the body is run, and not a graph."""
        return False

    @property
    def source(self) -> str:
        """Where it's defined: file and line, if it is a function, else its name."""
        return self.name

    def run(self, inputs: Mapping[str, Any]) -> Any:
        """Run it on this machine."""
        from volant.local import execution  # noqa: PLC0415 - running stands on top of authoring

        return execution.run_workflow(self, inputs)


class PythonWorkflow(Workflow, Generic[P, R]):
    """A workflow that is a Python function."""

    def __init__(
        self,
        function: Callable[P, R],
        settings: WorkflowSettings,
        name: str = "",
        *,
        eager_reason: str = "",
        driver_settings: task.TaskSettings | None = None,
    ) -> None:
        super().__init__(name or naming.name_of(function), interface.interface_of(function), settings)
        self.function = function
        self._driver_settings = driver_settings or task.TaskSettings()
        self._lock = threading.RLock()
        self._graph: node.Graph | None = None
        self._traced_by = 0
        self._failure_node: node.Node | None = None
        self.eager_reason: str = eager_reason
        """Why the body is run eagerly; empty while it isn't."""
        functools.update_wrapper(self, function)
        if inspect.iscoroutinefunction(function) and not eager_reason:
            raise errors.DefinitionError(
                f"{interface.where(function)}: a workflow's body is traced and cannot be async; "
                f"use @eager for async def"
            )
        self._trace_now()

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run it, or add a node, or start a child: whatever calls mean here."""
        if self._traced_by == threading.get_ident():
            raise errors.DefinitionError(
                f"{user_code.caller_line()}: {self.name} calls itself, so its graph would have no end. Make it "
                f"@dynamic or @eager, and let a condition end it"
            )
        result: R = super().__call__(*args, **kwargs)
        return result

    def _trace_now(self) -> None:
        """Trace while the workflow is being defined; a name that is defined later puts it off to the first use."""
        with contextlib.suppress(NameError):
            self._trace()

    def _trace(self) -> None:
        variables = self.interface.typed.inputs.variables
        inputs = {
            name: promises.Promise(None, name, python_type, variables[name].type)
            for name, python_type in self.interface.inputs.items()
        }
        try:
            if self.eager_reason:
                self._graph = self._driven_graph()
                return
            self._traced_by = threading.get_ident()
            try:
                graph = tracing.trace(self.function, self.interface, inputs)
            finally:
                self._traced_by = 0
            self._failure_node = failure_node_for(self, self.settings.on_failure, inputs)
        except promises.NeedsValueError as reason:
            self.eager_reason = f"{reason.line}: {reason.operation} needs the value of {reason.promise}"
            _log.info("%s is run eagerly, without a fixed graph: %s", self.name, self.eager_reason)
            graph = self._driven_graph()
        self._graph = graph

    def _driven_graph(self) -> node.Graph:
        """The graph of an eager workflow: one task, which runs the body."""
        names = dict.fromkeys(self.interface.inputs)
        variables = self.interface.typed.inputs.variables
        inputs = {
            name: promises.Promise(None, name, self.interface.inputs[name], variables[name].type) for name in names
        }
        tracer = tracing.Tracer()
        made = tracer.call(self.driver_task, inputs)
        return node.Graph(tracer.nodes, tracing.bind_outputs(made, self.interface, self.source))

    @functools.cached_property
    def driver_task(self) -> driver.DriverTask:
        """The task that runs the body, where it is run eagerly."""
        return driver.DriverTask(self.function, self.name, self.interface, self._driver_settings)

    @property
    def graph(self) -> node.Graph:
        """The nodes and outputs; for an eager workflow, one task that runs the body."""
        return self._ensure_traced()

    def _ensure_traced(self) -> node.Graph:
        if self._graph is None:
            with self._lock:
                if self._graph is None:
                    self._trace()
        assert self._graph is not None
        return self._graph

    @property
    def failure_node(self) -> node.Node | None:
        """The node that runs when the workflow fails."""
        self._ensure_traced()
        return self._failure_node

    @property
    def is_eager(self) -> bool:
        """Whether the body is run, and not a graph."""
        self._ensure_traced()
        return bool(self.eager_reason)

    @property
    def source(self) -> str:
        """The function's file and line."""
        return interface.where(self.function)


def failure_node_for(
    owner: Workflow, handler: entity.Entity | None, inputs: Mapping[str, Any], node_id: str = "fn0"
) -> node.Node | None:
    """The failure handler as a node, bound to the workflow's inputs of the same names."""
    if handler is None:
        return None
    tracer = tracing.Tracer()
    given = {name: inputs[name] for name in handler.interface.inputs if name in inputs}
    for name, python_type in handler.interface.inputs.items():
        if takes_error(python_type) and name != ERROR_INPUT:
            raise errors.DefinitionError(
                f"{owner.source}: {handler.name} handles failures of {owner.name}: the platform "
                f"gives the error only to an input "
                f"that is named {ERROR_INPUT!r}; rename {name!r}"
            )
        if name not in given and name not in handler.interface.defaults:
            if not takes_error(python_type):
                raise errors.DefinitionError(
                    f"{owner.source}: {handler.name} handles failures of {owner.name}, but its "
                    f"input {name!r} is none of the "
                    f"workflow's ({', '.join(inputs)}). Give it a default; "
                    f"an input err: Optional[FlyteError] gets the error"
                )
            given[name] = None
    made = tracer.add(handler, given)
    made.id = node_id
    promises.make_outputs(made)
    return made


ERROR_INPUT = "err"
"""The name by which the platform knows the input of a failure handler that gets the error."""


def takes_error(python_type: Any) -> bool:
    """Whether an input of a failure handler is given the error."""
    return any(one is failures.FlyteError for one in (python_type, *typing.get_args(python_type)))


def error_literal(python_type: Any, message: str, failed_node: str) -> literals_pb2.Literal:
    """The error, as an input of a failure handler."""
    return engine.to_literal(failures.FlyteError(message=message, failed_node_id=failed_node), python_type)


@overload
def workflow(function: Callable[P, R], /) -> PythonWorkflow[P, R]: ...


@overload
def workflow(
    *,
    failure_policy: WorkflowFailurePolicy | None = None,
    interruptible: bool = False,
    on_failure: entity.Entity | None = None,
    docs: str = "",
    name: str = "",
) -> Callable[[Callable[P, R]], PythonWorkflow[P, R]]: ...


def workflow(
    function: Callable[..., Any] | None = None,
    /,
    *,
    failure_policy: WorkflowFailurePolicy | None = None,
    interruptible: bool = False,
    on_failure: entity.Entity | None = None,
    docs: str = "",
    name: str = "",
    **unknown: Any,
) -> Any:
    """Make a workflow of a function.

    Args:
        function: The function; it is run once, with promises for its inputs, to find the tasks that it calls.
        failure_policy: What becomes of other nodes when one fails.
        interruptible: Whether tasks may run on machines that can be taken away, where they don't say themselves.
        on_failure: A task or workflow that runs when this one fails, with its inputs.
        docs: A description; the docstring by default.
        name: The name to register under; `module.function` by default.
        unknown: Nothing; `pickle_untyped` of other SDKs is always so.
    """
    unknown.pop("pickle_untyped", None)
    _check_settings(failure_policy, on_failure, unknown)
    settings = WorkflowSettings(
        failure_policy=failure_policy or WorkflowFailurePolicy.FAIL_IMMEDIATELY,
        interruptible=interruptible,
        on_failure=on_failure,
        docs=docs,
    )
    if function is None:
        return lambda body: PythonWorkflow(body, settings, name)
    return PythonWorkflow(function, settings, name)


def _check_settings(failure_policy: Any, on_failure: Any, unknown: Mapping[str, Any]) -> None:
    line = user_code.caller_line()
    if unknown:
        known = ("failure_policy", "interruptible", "on_failure", "docs", "name")
        wrong = next(iter(unknown))
        raise errors.DefinitionError(
            f"{line}: @workflow has no setting {wrong!r}; it has {', '.join(known)}{user_code.near_miss(wrong, known)}"
        )
    if failure_policy is not None and not isinstance(failure_policy, WorkflowFailurePolicy):
        raise errors.DefinitionError(
            f"{line}: failure_policy={failure_policy!r}: expected a WorkflowFailurePolicy, found "
            f"{type(failure_policy).__name__}. Write WorkflowFailurePolicy.FAIL_IMMEDIATELY"
        )
    if on_failure is not None and not isinstance(on_failure, entity.Entity):
        raise errors.DefinitionError(
            f"{line}: on_failure={getattr(on_failure, '__name__', on_failure)!s}: expected a task or workflow, found "
            f"{type(on_failure).__name__}. Write @task above it"
        )


@overload
def eager(function: Callable[P, R], /) -> PythonWorkflow[P, R]: ...


@overload
def eager(**options: Any) -> Callable[[Callable[P, R]], PythonWorkflow[P, R]]: ...


def eager(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Make an eager workflow of a function, async or not: its body runs, and each call in it starts at once.

    Args:
        function: The function. Calls give values that wait when they are looked at (or awaited).
        options: As for `task`; they apply to the task that runs the body.
    """
    if function is None:
        return functools.partial(eager, **options)
    name = options.pop("name", "")
    settings = task.settings_from(interface.where(function), options)
    return PythonWorkflow(function, WorkflowSettings(), name, eager_reason="@eager", driver_settings=settings)
