"""`Remote`: a platform, and what can be asked of it."""

from __future__ import annotations

import base64
import concurrent.futures
import contextlib
import dataclasses
import hashlib
import pathlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import volant
from volant import context, errors
from volant.authoring import entity, launch_plan, mapping, naming, reference, task
from volant.client import channel, config, execution, packaging, proxy_store
from volant.serialization import settings as serialization_settings
from volant.serialization import specs
from volant.storage import router
from volant.types import engine
from volantidl.admin import common_pb2, execution_pb2, launch_plan_pb2, signal_pb2, task_pb2, workflow_pb2
from volantidl.core import identifier_pb2, interface_pb2, literals_pb2

_PARALLEL = 8
_DESTINATION = "."


@dataclasses.dataclass(frozen=True)
class Registered:
    """An entity that a platform has."""

    id: identifier_pb2.Identifier
    interface: interface_pb2.TypedInterface
    fixed: frozenset[str] = frozenset()
    """Inputs that a launch plan fixes."""
    defaults: frozenset[str] = frozenset()
    """Inputs that a launch plan has values for."""

    @property
    def name(self) -> str:
        """Its name."""
        return self.id.name

    @property
    def version(self) -> str:
        """Its version."""
        return self.id.version


class Remote:
    """A platform: `Remote()` finds the one that is configured, or that `volant up` started.

    Args:
        endpoint: host:port of its gRPC service.
        insecure: Without TLS.
        project: The project that is meant where none is named.
        domain: The domain.
        config_file: A configuration file to read instead of the usual ones.
    """

    def __init__(
        self,
        endpoint: str | None = None,
        *,
        insecure: bool | None = None,
        project: str | None = None,
        domain: str | None = None,
        config_file: str | pathlib.Path | None = None,
        flyte_names: bool | None = None,
    ) -> None:
        given = {
            "endpoint": endpoint,
            "insecure": insecure,
            "project": project,
            "domain": domain,
            "flyte_names": flyte_names,
        }
        loaded = config.load(config_file)
        self.config = dataclasses.replace(loaded, **{key: value for key, value in given.items() if value is not None})  # type: ignore[arg-type]
        self.connection = channel.Connection(self.config)
        self.store = proxy_store.ProxyStore(self.connection, self.config)

    def __repr__(self) -> str:
        return f"<Remote {self.config.endpoint} {self.config.project}/{self.config.domain}>"

    # ---- registering

    def register(
        self,
        *entities: entity.Entity,
        version: str | None = None,
        root: str | pathlib.Path | None = None,
        copy: str = "auto",
        image: str | None = None,
        images: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        activate: bool = False,
        progress: Callable[[str, str], None] | None = None,
    ) -> str:
        """Upload the code and register entities with all that they use; gives the version.

        Args:
            entities: Tasks, workflows, launch plans.
            version: The version; made from the code and settings by default, so that nothing changes for the same code.
            root: The folder whose code is uploaded; the topmost one of the entities' package by default.
            copy: "auto" for the imported modules below the root, "all" for all files there, "none" for images with code.
            image: The image of tasks that name none.
            images: Named images.
            environment: Variables for every task.
            activate: Make the launch plans active.
            progress: Told the kind and name of each entity that is registered.
        """
        settings = serialization_settings.SerializationSettings(
            project=self.config.project,
            domain=self.config.domain,
            images=dict(images or {}),
            environment=dict(environment or {}),
            **({"image": image} if image else {}),
        )
        settings = self._with_code(settings, entities, root, copy)
        settings = dataclasses.replace(settings, version=version or _version_of(settings))
        with _uploads(self.store):
            self.register_with(settings, *entities, activate=activate, progress=progress)
        return settings.version

    def register_with(
        self,
        settings: serialization_settings.SerializationSettings,
        *entities: entity.Entity,
        activate: bool = False,
        progress: Callable[[str, str], None] | None = None,
    ) -> None:
        """Register entities with all that they use, under settings that are complete.

        Args:
            settings: Project, domain, version, code and image.
            entities: Tasks, workflows, launch plans.
            activate: Make the launch plans active.
            progress: Told the kind and name of each entity that is registered.
        """
        translator = specs.Translator(settings)
        for one in entities:
            translator.add(one)
        self._create_all(translator.specs, activate=activate, progress=progress or _silent)

    def _with_code(
        self,
        settings: serialization_settings.SerializationSettings,
        entities: Sequence[entity.Entity],
        root: str | pathlib.Path | None,
        copy: str,
    ) -> serialization_settings.SerializationSettings:
        if copy == "none":
            return settings
        folder = pathlib.Path(root) if root is not None else _root_of(entities)
        files = packaging.all_files(folder) if copy == "all" else packaging.imported_files(folder)
        content = packaging.archive(folder, files)
        digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
        uri = self.store.upload_code(content, f"fast{digest}.tar.gz")
        return dataclasses.replace(settings, distribution=uri, destination=_DESTINATION)

    def _create_all(self, made: specs.Specs, *, activate: bool, progress: Callable[[str, str], None]) -> None:
        def create_task(spec: task_pb2.TaskSpec) -> None:
            request = task_pb2.TaskCreateRequest(id=spec.template.id, spec=spec)
            self._create("CreateTask", request, task_pb2.TaskCreateResponse)
            progress("task", spec.template.id.name)

        with concurrent.futures.ThreadPoolExecutor(_PARALLEL, thread_name_prefix="volant-register") as pool:
            list(pool.map(create_task, made.tasks.values()))
        # A workflow stands after those that it uses, and each one's launch plans right behind it.
        for spec in made.workflows.values():
            request = workflow_pb2.WorkflowCreateRequest(id=spec.template.id, spec=spec)
            self._create("CreateWorkflow", request, workflow_pb2.WorkflowCreateResponse)
            progress("workflow", spec.template.id.name)
            self._create_launch_plans(made, spec, activate=activate, progress=progress)

    def _create_launch_plans(
        self,
        made: specs.Specs,
        spec: workflow_pb2.WorkflowSpec,
        *,
        activate: bool,
        progress: Callable[[str, str], None],
    ) -> None:
        for plan in made.launch_plans.values():
            if plan.spec.workflow_id.name != spec.template.id.name:
                continue
            request = launch_plan_pb2.LaunchPlanCreateRequest(id=plan.id, spec=plan.spec)
            self._create("CreateLaunchPlan", request, launch_plan_pb2.LaunchPlanCreateResponse)
            progress("launch plan", plan.id.name)
            if activate or plan.id.name in made.activate:
                self.activate(plan.id)

    def _create(self, method: str, request: Any, answer: Any) -> None:
        try:
            self.connection.call(channel.ADMIN, method, request, answer)
        except errors.RemoteError as cause:
            if cause.code != "ALREADY_EXISTS":
                raise

    def activate(self, plan: identifier_pb2.Identifier | Registered, *, active: bool = True) -> None:
        """Make a version of a launch plan the active one, whose schedule counts; or inactive."""
        identifier = plan.id if isinstance(plan, Registered) else plan
        request = launch_plan_pb2.LaunchPlanUpdateRequest(
            id=identifier, state=launch_plan_pb2.ACTIVE if active else launch_plan_pb2.INACTIVE
        )
        self.connection.call(channel.ADMIN, "UpdateLaunchPlan", request, launch_plan_pb2.LaunchPlanUpdateResponse)

    # ---- finding

    def fetch_task(self, name: str, version: str = "") -> Registered:
        """A registered task; the latest version by default."""
        found = self._fetch(identifier_pb2.TASK, "Task", name, version, task_pb2.Task, task_pb2.TaskList, "tasks")
        return Registered(found.id, found.closure.compiled_task.template.interface)

    def fetch_workflow(self, name: str, version: str = "") -> Registered:
        """A registered workflow; the latest version by default."""
        answer, several = workflow_pb2.Workflow, workflow_pb2.WorkflowList
        found = self._fetch(identifier_pb2.WORKFLOW, "Workflow", name, version, answer, several, "workflows")
        return Registered(found.id, found.closure.compiled_workflow.primary.template.interface)

    def fetch_launch_plan(self, name: str, version: str = "") -> Registered:
        """A registered launch plan; the latest version by default."""
        answer, several = launch_plan_pb2.LaunchPlan, launch_plan_pb2.LaunchPlanList
        found = self._fetch(identifier_pb2.LAUNCH_PLAN, "LaunchPlan", name, version, answer, several, "launch_plans")
        return _registered_launch_plan(found)

    def _fetch(
        self,
        kind: identifier_pb2.ResourceType.ValueType,
        noun: str,
        name: str,
        version: str,
        answer: Any,
        several: Any,
        field: str,
    ) -> Any:
        named = {"project": self.config.project, "domain": self.config.domain, "name": name}
        if not version:
            request = common_pb2.ResourceListRequest(
                id=common_pb2.NamedEntityIdentifier(**named),
                limit=1,
                sort_by=common_pb2.Sort(key="created_at", direction=common_pb2.Sort.DESCENDING),
            )
            listed = getattr(self.connection.call(channel.ADMIN, f"List{noun}s", request, several), field)
            if not listed:
                raise errors.NotFoundError(f"{self.config.project}/{self.config.domain} has no {noun.lower()} {name!r}")
            version = listed[0].id.version
        identifier = identifier_pb2.Identifier(resource_type=kind, version=version, **named)
        return self.connection.call(channel.ADMIN, f"Get{noun}", common_pb2.ObjectGetRequest(id=identifier), answer)

    def interface_of(self, target: identifier_pb2.Identifier) -> interface_pb2.TypedInterface:
        """The interface of what an execution runs."""
        if target.resource_type == identifier_pb2.TASK:
            request = common_pb2.ObjectGetRequest(id=target)
            found = self.connection.call(channel.ADMIN, "GetTask", request, task_pb2.Task)
            return found.closure.compiled_task.template.interface
        plan = self.connection.call(
            channel.ADMIN, "GetLaunchPlan", common_pb2.ObjectGetRequest(id=target), launch_plan_pb2.LaunchPlan
        )
        return _registered_launch_plan(plan).interface

    # ---- executing

    def execute(
        self,
        target: entity.Entity | Registered,
        inputs: Mapping[str, Any] | None = None,
        *,
        version: str | None = None,
        name: str = "",
        wait: bool = False,
        timeout: float | None = None,
        overwrite_cache: bool = False,
        interruptible: bool | None = None,
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        tags: Sequence[str] = (),
        max_parallelism: int = 0,
        register: bool = True,
        copy: str = "auto",
        root: str | pathlib.Path | None = None,
    ) -> execution.Execution:
        """Start an execution.

        Args:
            target: A task, workflow or launch plan of this process (registered first), or one that was fetched.
            inputs: Its inputs.
            version: The version to register under, or that is registered.
            name: The execution's name; made by the platform by default.
            wait: Wait until it has ended.
            timeout: Seconds to wait at most.
            overwrite_cache: Run cached tasks too, and replace what is cached.
            interruptible: Whether tasks may run on machines that can be taken away.
            labels: Labels of the execution.
            annotations: Annotations of the execution.
            environment: Variables for every task.
            tags: Tags to find it by.
            max_parallelism: Nodes at once; the platform's default if 0.
            register: Register a local target first.
            copy: As in `register`.
            root: As in `register`.
        """
        identifier, given, signature = self._prepare(
            target, dict(inputs or {}), version, register=register, copy=copy, root=root
        )
        spec = execution_pb2.ExecutionSpec(
            launch_plan=identifier,
            metadata=execution_pb2.ExecutionMetadata(mode=execution_pb2.ExecutionMetadata.MANUAL, principal="volant"),
            overwrite_cache=overwrite_cache,
            tags=tags,
            max_parallelism=max_parallelism,
        )
        spec.labels.values.update(labels or {})
        spec.annotations.values.update(annotations or {})
        spec.envs.values.extend(literals_pb2.KeyValuePair(key=k, value=v) for k, v in (environment or {}).items())
        if interruptible is not None:
            spec.interruptible.value = interruptible
        request = execution_pb2.ExecutionCreateRequest(
            project=self.config.project,
            domain=self.config.domain,
            name=name,
            spec=spec,
            inputs=literals_pb2.LiteralMap(literals=given),
        )
        answer = execution_pb2.ExecutionCreateResponse
        started = self.connection.call(channel.ADMIN, "CreateExecution", request, answer)
        result = execution.Execution(self, started.id, signature)
        return result.wait(timeout) if wait else result

    def _prepare(
        self, target: Any, inputs: dict[str, Any], version: str | None, *, register: bool, copy: str, root: Any
    ) -> tuple[identifier_pb2.Identifier, dict[str, literals_pb2.Literal], Any]:
        if isinstance(target, Registered):
            return self._launchable(target.id), self._encode_guessed(target, inputs), None
        if isinstance(target, reference.Reference):
            identifier = identifier_pb2.Identifier(
                resource_type=target.kind.message,
                project=target.project,
                domain=target.domain,
                name=target.name,
                version=target.version,
            )
            return self._launchable(identifier), self._encode(target, inputs), target.interface
        if not isinstance(target, entity.Entity):
            raise errors.DefinitionError(f"cannot execute {target!r}: give a task, workflow or launch plan")
        if isinstance(target, mapping.MapTask):
            raise errors.DefinitionError("a map task is executed inside a workflow; write one around it")
        given = self._encode(target, inputs)
        if register:
            version = self.register(target, version=version, copy=copy, root=root)
        return self._identifier_of(target, version or ""), given, target.interface

    def _launchable(self, identifier: identifier_pb2.Identifier) -> identifier_pb2.Identifier:
        if identifier.resource_type != identifier_pb2.WORKFLOW:
            return identifier
        plan = identifier_pb2.Identifier()
        plan.CopyFrom(identifier)
        plan.resource_type = identifier_pb2.LAUNCH_PLAN
        return plan

    def _encode(self, target: entity.Entity, inputs: Mapping[str, Any]) -> dict[str, literals_pb2.Literal]:
        """Inputs that were given as literals; what is outside of them is uploaded."""
        bound = target.bind((), inputs)
        with _uploads(self.store):
            variables = target.interface.typed.inputs.variables
            literals = {}
            for name, value in bound.items():
                try:
                    literals[name] = engine.to_literal(value, target.interface.inputs[name], variables[name].type)
                except errors.TypeMismatchError as cause:
                    raise errors.TypeMismatchError(f"{target.name}, input {name!r}: {cause}") from cause
            return literals

    def _encode_guessed(self, target: Registered, inputs: Mapping[str, Any]) -> dict[str, literals_pb2.Literal]:
        variables = target.interface.inputs.variables
        for name in inputs:
            if name not in variables:
                raise errors.TypeMismatchError(
                    f"{target.name} has no input {name!r}; it has {', '.join(variables) or 'none'}"
                )
        with _uploads(self.store):
            literals = {}
            for name, value in inputs.items():
                if isinstance(value, literals_pb2.Literal):
                    literals[name] = value
                    continue
                literals[name] = engine.to_literal(
                    value, engine.guess_python_type(variables[name].type), variables[name].type
                )
            return literals

    def start(
        self, target: entity.Entity, literals: Mapping[str, literals_pb2.Literal], *, version: str, name: str
    ) -> execution.Execution:
        """Start an execution of a registered entity under a name; gives the one that has the name already, if any.

        Args:
            target: The entity.
            literals: Its inputs.
            version: The version that is registered.
            name: The execution's name.
        """
        if isinstance(target, reference.Reference):
            identifier = self._launchable(
                identifier_pb2.Identifier(
                    resource_type=target.kind.message,
                    project=target.project,
                    domain=target.domain,
                    name=target.name,
                    version=target.version,
                )
            )
        else:
            identifier = self._identifier_of(target, version)
        spec = execution_pb2.ExecutionSpec(
            launch_plan=identifier,
            metadata=execution_pb2.ExecutionMetadata(mode=execution_pb2.ExecutionMetadata.MANUAL, principal="volant"),
        )
        inputs = literals_pb2.LiteralMap(literals=literals)
        request = execution_pb2.ExecutionCreateRequest(
            project=self.config.project, domain=self.config.domain, name=name, spec=spec, inputs=inputs
        )
        self._create("CreateExecution", request, execution_pb2.ExecutionCreateResponse)
        made = identifier_pb2.WorkflowExecutionIdentifier(
            project=self.config.project, domain=self.config.domain, name=name
        )
        return execution.Execution(self, made, target.interface)

    def _identifier_of(self, target: entity.Entity, version: str) -> identifier_pb2.Identifier:
        return identifier_pb2.Identifier(
            resource_type=identifier_pb2.TASK if isinstance(target, task.Task) else identifier_pb2.LAUNCH_PLAN,
            project=self.config.project,
            domain=self.config.domain,
            name=target.name,
            version=version,
        )

    # ---- executions

    def fetch_execution(self, name: str, project: str = "", domain: str = "") -> execution.Execution:
        """An execution by its name."""
        identifier = identifier_pb2.WorkflowExecutionIdentifier(
            project=project or self.config.project, domain=domain or self.config.domain, name=name
        )
        return execution.Execution(self, identifier).sync()

    def recent_executions(self, limit: int = 20) -> list[execution.Execution]:
        """The latest executions."""
        request = common_pb2.ResourceListRequest(
            id=common_pb2.NamedEntityIdentifier(project=self.config.project, domain=self.config.domain),
            limit=limit,
            sort_by=common_pb2.Sort(key="created_at", direction=common_pb2.Sort.DESCENDING),
        )
        listed = self.connection.call(channel.ADMIN, "ListExecutions", request, execution_pb2.ExecutionList)
        found = []
        for message in listed.executions:
            one = execution.Execution(self, message.id)
            one._message = message  # noqa: SLF001 - what was listed need not be fetched again
            found.append(one)
        return found

    def set_signal(self, name: str, of: execution.Execution | str, value: Any, python_type: Any = None) -> None:
        """Give a gate its value; True or False for approvals."""
        identifier = self.fetch_execution(of).id if isinstance(of, str) else of.id
        literal = engine.to_literal(value, python_type or type(value))
        signal = identifier_pb2.SignalIdentifier(signal_id=name, execution_id=identifier)
        request = signal_pb2.SignalSetRequest(id=signal, value=literal)
        self.connection.call(channel.SIGNALS, "SetSignal", request, signal_pb2.SignalSetResponse)

    def approve(self, name: str, of: execution.Execution | str) -> None:
        """Approve a gate."""
        self.set_signal(name, of, value=True)

    def reject(self, name: str, of: execution.Execution | str) -> None:
        """Refuse a gate; the execution fails."""
        self.set_signal(name, of, value=False)

    def literals_of(
        self, inline: literals_pb2.LiteralMap, outside: common_pb2.UrlBlob
    ) -> dict[str, literals_pb2.Literal]:
        """Literals that an answer holds or points to."""
        if inline.literals or not outside.url:
            return dict(inline.literals)
        content = router.read(outside.url) if not outside.url.startswith("s3://") else self.store.read(outside.url)
        return dict(literals_pb2.LiteralMap.FromString(content).literals)


@contextlib.contextmanager
def _uploads(store: proxy_store.ProxyStore) -> Iterator[None]:
    """Encoding with values outside of literals going to the platform's store, whose prefix is asked for when needed."""
    with context.using(_UploadContext(store)), router.through(store):
        yield


class _UploadContext(context.Context):
    def __init__(self, store: proxy_store.ProxyStore) -> None:
        super().__init__(uploads=True)
        self._store = store

    def new_uri(self, name: str = "") -> str:
        self.raw_output_prefix = self.raw_output_prefix or self._store.prefix
        return super().new_uri(name)


def _silent(kind: str, name: str) -> None:  # noqa: ARG001 - what nobody watches
    """Say nothing of progress."""


def _registered_launch_plan(found: launch_plan_pb2.LaunchPlan) -> Registered:
    inputs = {name: parameter.var for name, parameter in found.closure.expected_inputs.parameters.items()}
    outputs = found.closure.expected_outputs.variables
    signature = interface_pb2.TypedInterface(
        inputs=interface_pb2.VariableMap(variables=inputs), outputs=interface_pb2.VariableMap(variables=outputs)
    )
    fixed = frozenset(found.spec.fixed_inputs.literals)
    with_default = {
        n for n, p in found.closure.expected_inputs.parameters.items() if p.WhichOneof("behavior") == "default"
    }
    return Registered(found.id, signature, fixed, frozenset(with_default))


def _root_of(entities: Sequence[entity.Entity]) -> pathlib.Path:
    files = [file for one in entities if (file := _file_of(one)) is not None]
    if not files:
        raise errors.DefinitionError("cannot find the file of what is registered; give root=, or copy='none'")
    roots = {naming.root_of_file(file) for file in files}
    if len(roots) > 1:
        raise errors.DefinitionError(f"the entities are in several folders ({', '.join(map(str, roots))}); give root=")
    return roots.pop()


def _file_of(one: entity.Entity) -> pathlib.Path | None:
    if isinstance(one, launch_plan.LaunchPlan):
        return _file_of(one.workflow)
    function = getattr(one, "function", None)
    name = getattr(function, "__module__", None) or getattr(one, "__module__", None)
    file = getattr(sys.modules.get(str(name)), "__file__", None)
    return pathlib.Path(file) if file else None


def _version_of(settings: serialization_settings.SerializationSettings) -> str:
    digest = hashlib.md5(f"{settings!r}{volant.__version__}".encode(), usedforsecurity=False).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=").replace("-", "a")
