"""`Remote`: a platform, and what can be asked of it."""

from __future__ import annotations

import dataclasses
import pathlib
import secrets
import string
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from volant import errors
from volant.authoring import entity, mapping, reference, task
from volant.client import channel, code, config, execution, finding, proxy_store, registered, registration, uploads
from volant.serialization import settings as serialization_settings
from volant.serialization import specs
from volant.storage import router
from volant.types import engine
from volantidl.admin import (
    common_pb2,
    execution_pb2,
    launch_plan_pb2,
    signal_pb2,
)
from volantidl.core import identifier_pb2, literals_pb2

_DESTINATION = "."


class Remote(finding.Finder):
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
        self.config: config.PlatformConfig = config.load(
            config_file,
            endpoint=endpoint,
            insecure=insecure,
            project=project,
            domain=domain,
            flyte_names=flyte_names,
        )
        self.connection: channel.Connection = channel.Connection(self.config)
        self.store: proxy_store.ProxyStore = proxy_store.ProxyStore(self.connection, self.config)

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
        progress: registration.Progress | None = None,
    ) -> str:
        """Upload the code and register entities with all that they use; gives the version of the first.

        What the platform has already is left alone. Without a `version`, each entity's is made from the settings and
        from the files that its module imports: who registers again after an edit registers only what the edit is part
        of, and the rest keeps its version.

        Args:
            entities: Tasks, workflows, launch plans.
            version: The version of all of them.
            root: The folder that is on the path; the one above the topmost package of the entities by default.
            copy: "auto" for the files that are imported, "all" for all files below the root, "none" for nothing.
            image: The image of tasks that name none.
            images: Named images.
            environment: Variables for every task.
            activate: Make the launch plans active.
            progress: Told of each entity.
        """
        settings = serialization_settings.SerializationSettings(
            project=self.config.project,
            domain=self.config.domain,
            version=version or "",
            images=dict(images or {}),
            environment=dict(environment or {}),
            **({"image": image} if image else {}),
        )
        given = code.Code(entities, settings, root, copy)
        with uploads.through(self.store):
            first = version or (given.version_of(entities[0]) if entities else "")
            self._bring(settings, entities, given, activate=activate, progress=progress, copy=copy)
        return first

    def _bring(
        self,
        settings: serialization_settings.SerializationSettings,
        entities: Sequence[entity.Entity],
        given: code.Code,
        *,
        activate: bool,
        progress: registration.Progress | None,
        copy: str,
    ) -> None:
        version_of = None if settings.version else given.version_of
        parts = _translated(settings, entities, version_of)
        work = registration.Registration(self.connection, progress or registration.silent)
        archive_name = given.archive_name if settings.version and copy != "none" else None
        missing = [work.missing_tasks(made, archive_name) for made in parts]
        if any(missing) and copy != "none":
            uri = self.store.upload_code(given.archive, given.archive_name)
            parts = _translated(
                dataclasses.replace(settings, distribution=uri, destination=_DESTINATION), entities, version_of
            )
        for made, tasks in zip(parts, missing, strict=True):
            self._activate_new(made, work.create(made, tasks), activate=activate)

    def register_with(self, settings: serialization_settings.SerializationSettings, *entities: entity.Entity) -> None:
        """Register entities with all that they use, under settings that are complete.

        Args:
            settings: Project, domain, version, code and image.
            entities: Tasks, workflows, launch plans.
        """
        work = registration.Registration(self.connection, registration.silent)
        for made in _translated(settings, entities, None):
            self._activate_new(made, work.create(made, work.missing_tasks(made, None)), activate=False)

    def _activate_new(self, made: specs.Specs, plans: Sequence[identifier_pb2.Identifier], *, activate: bool) -> None:
        for plan in plans:
            if activate or plan.name in made.activate:
                self.activate(plan)

    def activate(self, plan: identifier_pb2.Identifier | registered.Registered, *, active: bool = True) -> None:
        """Make a version of a launch plan the active one, whose schedule counts; or inactive."""
        identifier = plan.id if isinstance(plan, registered.Registered) else plan
        request = launch_plan_pb2.LaunchPlanUpdateRequest(
            id=identifier, state=launch_plan_pb2.ACTIVE if active else launch_plan_pb2.INACTIVE
        )
        self.connection.call(channel.ADMIN, "UpdateLaunchPlan", request, launch_plan_pb2.LaunchPlanUpdateResponse)

    # ---- executing

    def execute(
        self,
        target: Any,
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
        image: str | None = None,
    ) -> execution.Execution:
        """Start an execution.

        Args:
            target: A task, workflow or launch plan of this process (registered first), one that was fetched, or one of
                flytekit's that is registered.
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
            image: As in `register`.
        """
        if isinstance(target, entity.Entity | registered.Registered):
            found = target
        else:
            found = self._of_flytekit(target, version or "")
        given, signature = self._encoded(found, dict(inputs or {}))
        if register and isinstance(found, entity.Entity) and not isinstance(found, reference.Reference):
            version = self.register(found, version=version, copy=copy, root=root, image=image)
        identifier = self._launched_by(found, version or "")
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
            name=name or _new_name(),
            spec=spec,
            inputs=literals_pb2.LiteralMap(literals=given),
        )
        started = self._create_execution(request, is_our_name=not name)
        result = execution.Execution(self, started, signature)
        return result.wait(timeout) if wait else result

    def _create_execution(
        self, request: execution_pb2.ExecutionCreateRequest, *, is_our_name: bool
    ) -> identifier_pb2.WorkflowExecutionIdentifier:
        answer = execution_pb2.ExecutionCreateResponse
        try:
            return self.connection.call(channel.ADMIN, "CreateExecution", request, answer).id
        except errors.RemoteError as cause:
            if cause.code != "ALREADY_EXISTS" or not is_our_name:
                raise
        # Nobody else has that name: the call was tried again, and had come through before.
        return identifier_pb2.WorkflowExecutionIdentifier(
            project=request.project, domain=request.domain, name=request.name
        )

    def _of_flytekit(self, target: Any, version: str) -> registered.Registered:
        """What a task, workflow or launch plan of flytekit is registered as."""
        name = getattr(target, "name", None)
        if type(target).__module__.partition(".")[0] != "flytekit" or not isinstance(name, str):
            raise errors.DefinitionError(f"cannot execute {target!r}: give a task, workflow or launch plan")
        is_task = hasattr(target, "task_type") or type(target).__name__ == "FlyteTask"
        try:
            return self.fetch_task(name, version) if is_task else self.fetch_launch_plan(name, version)
        except errors.NotFoundError as cause:
            raise errors.NotFoundError(
                f"{name} is flytekit's, and not registered{f' in version {version}' if version else ''}: register it "
                f"with pyflyte register, or FlyteRemote, first"
            ) from cause

    def _encoded(self, target: Any, inputs: dict[str, Any]) -> tuple[dict[str, literals_pb2.Literal], Any]:
        """Inputs as literals, and the interface that the outputs will have, where it's known."""
        if isinstance(target, registered.Registered):
            return self._encode_guessed(target, inputs), None
        if isinstance(target, mapping.MapTask):
            raise errors.DefinitionError("a map task is executed inside a workflow; write one around it")
        if not isinstance(target, entity.Entity):
            raise errors.DefinitionError(f"cannot execute {target!r}: give a task, workflow or launch plan")
        return self._encode(target, inputs), target.interface

    def _launched_by(self, target: entity.Entity | registered.Registered, version: str) -> identifier_pb2.Identifier:
        """The identifier that starts a target: a workflow is started by its default launch plan."""
        if isinstance(target, registered.Registered):
            return self._launchable(target.id)
        if isinstance(target, reference.Reference):
            return self._launchable(
                identifier_pb2.Identifier(
                    resource_type=target.kind.message,
                    project=target.project,
                    domain=target.domain,
                    name=target.name,
                    version=target.version,
                )
            )
        return identifier_pb2.Identifier(
            resource_type=identifier_pb2.TASK if isinstance(target, task.Task) else identifier_pb2.LAUNCH_PLAN,
            project=self.config.project,
            domain=self.config.domain,
            name=target.name,
            version=version,
        )

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
        if isinstance(target, task.Task):  # the platform knows the defaults of launch plans, not those of tasks
            bound = {**target.interface.defaults, **bound}
        with uploads.through(self.store):
            variables = target.interface.typed.inputs.variables
            literals = {}
            for name, value in bound.items():
                try:
                    literals[name] = engine.to_literal(value, target.interface.inputs[name], variables[name].type)
                except errors.TypeMismatchError as cause:
                    raise errors.TypeMismatchError(f"{target.name}, input {name!r}: {cause}") from cause
            return literals

    def _encode_guessed(
        self, target: registered.Registered, inputs: Mapping[str, Any]
    ) -> dict[str, literals_pb2.Literal]:
        variables = target.interface.inputs.variables
        for name in inputs:
            if name not in variables:
                raise errors.TypeMismatchError(
                    f"{target.name} has no input {name!r}; it has {', '.join(variables) or 'none'}"
                )
        with uploads.through(self.store):
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
        identifier = self._launched_by(target, version)
        spec = execution_pb2.ExecutionSpec(
            launch_plan=identifier,
            metadata=execution_pb2.ExecutionMetadata(mode=execution_pb2.ExecutionMetadata.MANUAL, principal="volant"),
        )
        inputs = literals_pb2.LiteralMap(literals=literals)
        request = execution_pb2.ExecutionCreateRequest(
            project=self.config.project, domain=self.config.domain, name=name, spec=spec, inputs=inputs
        )
        registration.create(self.connection, "CreateExecution", request, execution_pb2.ExecutionCreateResponse)
        made = identifier_pb2.WorkflowExecutionIdentifier(
            project=self.config.project, domain=self.config.domain, name=name
        )
        return execution.Execution(self, made, target.interface)

    # ---- executions

    def fetch_execution(self, name: str, project: str = "", domain: str = "") -> execution.Execution:
        """An execution by its name."""
        identifier = identifier_pb2.WorkflowExecutionIdentifier(
            project=project or self.config.project, domain=domain or self.config.domain, name=name
        )
        try:
            return execution.Execution(self, identifier).sync()
        except errors.NotFoundError as cause:
            raise errors.NotFoundError(f"{identifier.project}/{identifier.domain} has no execution {name!r}") from cause

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

    def signal_type(self, name: str, of: execution.Execution) -> Any:
        """The type of the value that a gate waits for."""
        request = signal_pb2.SignalListRequest(workflow_execution_id=of.id, limit=100)
        found = self.connection.call(channel.SIGNALS, "ListSignals", request, signal_pb2.SignalList)
        for one in found.signals:
            if one.id.signal_id == name:
                return engine.guess_python_type(one.type)
        known = ", ".join(one.id.signal_id for one in found.signals) or "none yet"
        raise errors.NotFoundError(f"execution {of.name} waits for no signal {name!r}; it waits for {known}")

    def read_text(self, uri: str) -> str:
        """A text that an answer points to, such as a log."""
        with router.through(self.store):
            return router.read(uri).decode(errors="replace")

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


def _new_name() -> str:
    """A name for an execution, as the platform makes them."""
    letters = string.ascii_lowercase + string.digits
    return "a" + "".join(secrets.choice(letters) for _ in range(19))


def _translated(
    settings: serialization_settings.SerializationSettings,
    entities: Sequence[entity.Entity],
    version_of: Callable[[entity.Entity], str] | None,
) -> list[specs.Specs]:
    translator = specs.Translator(settings, version_of)
    for one in entities:
        translator.add(one)
    return list(translator.specs.parts())
