"""Tasks: `@task`, and what every kind of task has."""

from __future__ import annotations

import contextvars
import dataclasses
import datetime
import enum
import functools
import importlib
import inspect
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, ParamSpec, Protocol, TypeVar, overload

from volant import deck, errors, secrets, user_code
from volant.authoring import caching, entity, interface, naming, resources
from volant.types import engine
from volantidl.core import dynamic_job_pb2, literals_pb2

DEFAULT_RESOLVER = "volant.runtime.resolver.default_task_resolver"
"""Finds tasks by their module and variable."""
P = ParamSpec("P")
R = TypeVar("R")


@dataclasses.dataclass(frozen=True)
class TaskSettings:
    """How a task is run, apart from what it does."""

    retries: int = 0
    timeout: datetime.timedelta | None = None
    interruptible: bool | None = None
    deprecated: str = ""
    cache: caching.Cache | None = None
    requests: resources.Resources | None = None
    limits: resources.Resources | None = None
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    secret_requests: Sequence[secrets.Secret] = ()
    container_image: Any = None
    """A name, a name with `{{.image.…}}` templates, or an ImageSpec."""
    pod_template: Any = None
    pod_template_name: str = ""
    accelerator: Any = None
    shared_memory: bool | str | None = None
    enable_deck: bool = False
    deck_fields: Sequence[deck.DeckField] = ()
    """What is shown in decks without being asked for by the task's code."""
    docs: str = ""
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    annotations: Mapping[str, str] = dataclasses.field(default_factory=dict)
    task_config: Any = None


@dataclasses.dataclass(frozen=True)
class Futures:
    """What a dynamic task makes instead of outputs: a graph for the platform to run."""

    spec: dynamic_job_pb2.DynamicJobSpec


class ExecutionMode(enum.Enum):
    """What a task's function is for: to compute, to make a graph, or to make calls that start at once."""

    DEFAULT = "default"
    DYNAMIC = "dynamic"
    EAGER = "eager"


class TaskResolver(Protocol):
    """Finds tasks in task processes in a way of its own."""

    location: str
    """The dotted path of this object, by which a task process finds it."""

    def loader_args(self, task: PythonTask[..., Any]) -> list[str]:
        """Words that tell one task from others."""
        ...

    def load_task(self, loader_args: Sequence[str]) -> Task:
        """The task that the words tell of."""
        ...


class Task(entity.Entity):
    """Base of all tasks: has settings, and turns literals into literals where it is executed."""

    task_type: str = "python-task"
    task_type_version: int = 0
    is_eager = False

    def __init__(self, name: str, signature: interface.Interface, settings: TaskSettings) -> None:
        super().__init__(name, signature)
        self.settings = settings

    def execute(self, inputs: Mapping[str, Any]) -> Any:
        """Do the work with complete Python inputs; returns what the function returns."""
        raise NotImplementedError(f"{type(self).__name__} is not run in Python")

    def execute_on_platform(self, inputs: Mapping[str, Any], distribution: str, destination: str) -> Any:  # noqa: ARG002
        """Do the work in a task process.

        Args:
            inputs: Complete Python inputs.
            distribution: URI of the code's archive, for tasks that this one makes.
            destination: Where they unpack it.
        """
        return self.execute(inputs)

    def run(self, inputs: Mapping[str, Any]) -> Any:
        """Do the work here, with checked Python values."""
        complete = self.accept_inputs(inputs)
        return self.interface.wrap_outputs(self.accept_outputs(self.execute(complete)))

    def accept_inputs(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Complete inputs with defaults and check their types."""
        complete: dict[str, Any] = {}
        for name, python_type in self.interface.inputs.items():
            value = inputs[name] if name in inputs else self.interface.defaults[name]
            try:
                complete[name] = engine.accept(value, python_type)
            except errors.TypeMismatchError as cause:
                raise errors.TypeMismatchError(
                    f"{user_code.caller_line()}: {self.name}, input {name!r}: {cause}"
                ) from cause
        return complete

    def accept_outputs(self, result: Any) -> dict[str, Any]:
        """What the function returned, by name and checked."""
        outputs = self._unwrapped(result)
        for name, value in outputs.items():
            try:
                outputs[name] = engine.accept(value, self.interface.outputs[name])
            except errors.TypeMismatchError as cause:
                raise errors.TypeMismatchError(f"{self.source}: {self.name}, output {name!r}: {cause}") from cause
        return outputs

    def decode_inputs(self, literals: Mapping[str, literals_pb2.Literal]) -> dict[str, Any]:
        """Python values of the inputs."""
        values: dict[str, Any] = {}
        for name, python_type in self.interface.inputs.items():
            if name not in literals:
                if name not in self.interface.defaults:
                    raise errors.TypeMismatchError(f"{self.name}: the input {name!r} is missing")
                values[name] = self.interface.defaults[name]
                continue
            try:
                values[name] = engine.to_python(literals[name], python_type)
            except errors.TypeMismatchError as cause:
                raise errors.TypeMismatchError(f"{self.name}, input {name!r}: {cause}") from cause
        return values

    def encode_outputs(self, result: Any) -> dict[str, literals_pb2.Literal]:
        """Literals of what the function returned."""
        variables = self.interface.typed.outputs.variables
        literals = {}
        for name, value in self._unwrapped(result).items():
            try:
                literals[name] = engine.to_literal(value, self.interface.outputs[name], variables[name].type)
            except errors.TypeMismatchError as cause:
                raise errors.TypeMismatchError(f"{self.source}: {self.name}, output {name!r}: {cause}") from cause
        return literals

    @property
    def source(self) -> str:
        """Where it's defined: file and line, if it is a function, else its name."""
        return self.name

    def _unwrapped(self, result: Any) -> dict[str, Any]:
        try:
            return self.interface.unwrap_outputs(result)
        except errors.TypeMismatchError as cause:
            raise errors.TypeMismatchError(f"{self.source}: {self.name}: {cause}") from cause


class PythonTask(Task, Generic[P, R]):
    """A task that is a Python function."""

    def __init__(
        self,
        function: Callable[P, R],
        settings: TaskSettings,
        *,
        name: str = "",
        signature: interface.Interface | None = None,
        resolver: TaskResolver | None = None,
    ) -> None:
        super().__init__(name or naming.name_of(function), signature or interface.interface_of(function), settings)
        self.function = function
        self._resolver = resolver
        self.is_async: bool = inspect.iscoroutinefunction(function)
        functools.update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the function, or add a node, or start a child: whatever calls mean here."""
        result: R = super().__call__(*args, **kwargs)
        return result

    def run(self, inputs: Mapping[str, Any]) -> Any:
        """Call the function; an async one gives its coroutine."""
        if not self.is_async:
            return super().run(inputs)
        return self._run_async(inputs)

    async def _run_async(self, inputs: Mapping[str, Any]) -> Any:
        complete = self.accept_inputs(inputs)
        result = await self.function(**complete)  # type: ignore[misc, call-arg]
        return self.interface.wrap_outputs(self.accept_outputs(result))

    def execute(self, inputs: Mapping[str, Any]) -> Any:
        """Call the function; wait for it where it's async."""
        result = self.function(**inputs)  # type: ignore[call-arg]
        return wait_for(result) if self.is_async else result

    @property
    def source(self) -> str:
        """The function's file and line."""
        return interface.where(self.function)

    @property
    def resolver_location(self) -> str:
        """Where the resolver is that finds it."""
        return self._resolver.location if self._resolver is not None else DEFAULT_RESOLVER

    def loader_arguments(self) -> list[str]:
        """How a task process finds it: its module and variable."""
        if self._resolver is not None:
            return self._resolver.loader_args(self)
        qualified = self.function.__qualname__
        if "<locals>" in qualified or "<lambda>" in qualified:
            raise errors.DefinitionError(
                f"{self.source}: {self.name} is defined inside a function, where a task process cannot find it. "
                f"Define it at the top level of a module"
            )
        return ["task-module", naming.module_of(self.function.__module__), "task-name", qualified]


def wait_for(awaitable: Any) -> Any:
    """Run a coroutine to its end, also where a loop already runs in this thread."""
    import asyncio  # noqa: PLC0415 - most task processes never need it, and its memory costs every fork

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(awaitable)
    outcome: list[Any] = []
    failure: list[BaseException] = []

    def work() -> None:
        try:
            outcome.append(asyncio.run(awaitable))
        except BaseException as error:  # noqa: BLE001 - handed to the waiting thread
            failure.append(error)

    thread = threading.Thread(target=contextvars.copy_context().run, args=(work,), name="volant-async-task")
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return outcome[0]


def settings_from(owner: str, options: Mapping[str, Any]) -> TaskSettings:
    """Check a decorator's options and make settings of them."""
    given = dict(options)
    timeout = given.pop("timeout", None)
    if isinstance(timeout, (int, float)) and not isinstance(timeout, bool):
        timeout = datetime.timedelta(seconds=timeout)
    if timeout is not None and not isinstance(timeout, datetime.timedelta):
        raise errors.DefinitionError(f"{owner}: timeout={timeout!r}: give seconds or a timedelta")
    retries = given.pop("retries", 0)
    if not isinstance(retries, int) or retries < 0:
        raise errors.DefinitionError(f"{owner}: retries={retries!r}: give a number from 0")
    cache = caching.cache_of(
        given.pop("cache", False),
        given.pop("cache_version", ""),
        serialize=given.pop("cache_serialize", False),
        ignored=given.pop("cache_ignore_input_vars", None) or (),
        owner=owner,
    )
    both = given.pop("resources", None)
    if both is not None:
        if given.get("requests") is not None or given.get("limits") is not None:
            raise errors.DefinitionError(f"{owner}: give either resources= or requests= and limits=")
        given["requests"], given["limits"] = both.part(0), both.part(1)
    for name in ("requests", "limits"):
        if given.get(name) is not None and not isinstance(given[name], resources.Resources):
            raise errors.DefinitionError(f"{owner}: {name}={given[name]!r}: give Resources(cpu=…, mem=…)")
    resources.check_order(given.get("requests"), given.get("limits"), owner)
    for name in ("environment", "labels", "annotations", "secret_requests", "deck_fields", "enable_deck"):
        if given.get(name) is None:
            given.pop(name, None)
    given.pop("pickle_untyped", None)  # what has no annotation is always pickled
    disabled = given.pop("disable_deck", None)
    if disabled is not None:
        given["enable_deck"] = not disabled
    known = {field.name for field in dataclasses.fields(TaskSettings)}
    unknown = [name for name in given if name not in known]
    if unknown:
        raise errors.DefinitionError(
            f"{owner}: unknown argument {unknown[0]!r}; known are {', '.join(sorted(known))}"
            f"{user_code.near_miss(unknown[0], known)}"
        )
    _check_kinds(given, owner)
    return TaskSettings(retries=retries, timeout=timeout, cache=cache, **given)


def _check_kinds(given: Mapping[str, Any], owner: str) -> None:
    """Refuse settings of another type than they have."""
    texts = (lambda value: isinstance(value, Mapping) and all(isinstance(key, str) for key in value)), "{name: value}"
    kinds: Mapping[str, tuple[Callable[[Any], bool], str]] = {
        "environment": texts,
        "labels": texts,
        "annotations": texts,
        "secret_requests": (lambda value: all(isinstance(one, secrets.Secret) for one in value), "[Secret(…), …]"),
        "pod_template": (lambda value: hasattr(value, "to_pod"), "PodTemplate(…)"),
        "accelerator": (lambda value: hasattr(value, "to_message"), "one of volant.accelerators, or GPUAccelerator(…)"),
        "container_image": (
            lambda value: isinstance(value, str) or hasattr(value, "image_name"),
            "a name or ImageSpec(…)",
        ),
        "shared_memory": (lambda value: value is True or isinstance(value, str), "True or an amount such as '2Gi'"),
        "deck_fields": (lambda value: all(isinstance(one, deck.DeckField) for one in value), "[DeckField.…, …]"),
        "interruptible": (lambda value: isinstance(value, bool), "True or False"),
        "docs": (lambda value: isinstance(value, str), "a text"),
        "deprecated": (lambda value: isinstance(value, str), "a text that says what to use instead"),
    }
    for name, (fits, wanted) in kinds.items():
        value = given.get(name)
        if value is not None and value is not False and not fits(value):
            raise errors.DefinitionError(f"{owner}: {name}={value!r}: expected {wanted}, found {type(value).__name__}")


@overload
def task(function: Callable[P, R], /) -> PythonTask[P, R]: ...


@overload
def task(
    *,
    task_config: Any = None,
    cache: bool | caching.Cache = False,
    cache_version: str = "",
    cache_serialize: bool = False,
    cache_ignore_input_vars: Sequence[str] | None = None,
    retries: int = 0,
    timeout: float | datetime.timedelta | None = None,
    interruptible: bool | None = None,
    deprecated: str = "",
    container_image: Any = None,
    environment: Mapping[str, str] | None = None,
    requests: resources.Resources | None = None,
    limits: resources.Resources | None = None,
    resources: resources.Resources | None = None,
    secret_requests: Sequence[secrets.Secret] | None = None,
    docs: str = "",
    enable_deck: bool | None = None,
    disable_deck: bool | None = None,
    deck_fields: Sequence[deck.DeckField] | None = None,
    execution_mode: ExecutionMode = ExecutionMode.DEFAULT,
    node_dependency_hints: Sequence[entity.Entity] | None = None,
    task_resolver: TaskResolver | None = None,
    pickle_untyped: bool = False,
    pod_template: Any = None,
    pod_template_name: str = "",
    accelerator: Any = None,
    shared_memory: bool | str | None = None,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    name: str = "",
) -> Callable[[Callable[P, R]], PythonTask[P, R]]: ...


def task(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Make a task of a function.

    Args:
        function: The function; its annotations are the task's interface.
        options: See the overload: cache, retries, timeout (seconds or timedelta), requests, limits, environment…
    """
    if function is None:
        return functools.partial(task, **options)
    if not inspect.isroutine(function) and not isinstance(function, functools.partial):
        what = f"the class {function.__name__}" if isinstance(function, type) else repr(function)
        raise errors.DefinitionError(
            f"{user_code.caller_line()}: @task makes tasks of functions; expected one, found {what}"
        )
    mode = options.pop("execution_mode", ExecutionMode.DEFAULT)
    if mode is not ExecutionMode.DEFAULT:
        return _of_mode(mode, function, options)
    where = interface.where(function)
    if options.pop("node_dependency_hints", None):
        raise errors.DefinitionError(
            f"{where}: node_dependency_hints say what a @dynamic task may call; this is no dynamic task"
        )
    name, resolver = options.pop("name", ""), options.pop("task_resolver", None)
    return PythonTask(function, settings_from(where, options), name=name, resolver=resolver)


def _of_mode(mode: Any, function: Callable[..., Any], options: Mapping[str, Any]) -> Any:
    """What `execution_mode=` makes of a function."""
    if mode is ExecutionMode.DYNAMIC:
        dynamic = importlib.import_module("volant.authoring.dynamic")  # it stands on top of this module
        return dynamic.dynamic(function, **options)
    if mode is ExecutionMode.EAGER:
        workflow = importlib.import_module("volant.authoring.workflow")
        return workflow.eager(function, **options)
    raise errors.DefinitionError(
        f"{interface.where(function)}: execution_mode={mode!r}: expected ExecutionMode.DEFAULT, DYNAMIC or EAGER"
    )
