"""Tasks as specs."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import volant
from volant import errors
from volant.authoring import caching, dynamic, image, mapping, resources, task
from volant.serialization import settings as serialization_settings
from volantidl.admin import description_entity_pb2, task_pb2
from volantidl.core import identifier_pb2, literals_pb2, security_pb2, tasks_pb2

Settings = serialization_settings.SerializationSettings

EXECUTE = [
    "--inputs",
    "{{.input}}",
    "--output-prefix",
    "{{.outputPrefix}}",
    "--raw-output-data-prefix",
    "{{.rawOutputDataPrefix}}",
    "--checkpoint-path",
    "{{.checkpointOutputPrefix}}",
    "--prev-checkpoint",
    "{{.prevCheckpointPrefix}}",
]
MAP_RESOLVER = "volant.runtime.mapped.map_task_resolver"
_SHARED_MEMORY = "flyte-shared-memory"


def identifier(kind: identifier_pb2.ResourceType.ValueType, name: str, settings: Settings) -> identifier_pb2.Identifier:
    """The identifier that an entity is registered under."""
    return identifier_pb2.Identifier(
        resource_type=kind, project=settings.project, domain=settings.domain, name=name, version=settings.version
    )


def task_spec(one: task.Task, settings: Settings) -> task_pb2.TaskSpec:
    """A task's spec."""
    build = getattr(one, "build_template", None)
    template = tasks_pb2.TaskTemplate(
        id=identifier(identifier_pb2.TASK, one.name, settings),
        type=one.task_type,
        task_type_version=one.task_type_version,
        metadata=metadata(one),
        interface=one.interface.typed,
    )
    template.interface.SetInParent()
    template.interface.inputs.SetInParent()
    template.interface.outputs.SetInParent()
    if build is not None:
        build(template, settings)
    else:
        template.container.CopyFrom(container(one, settings, command(one, settings)))
    extras(template, one.settings)
    describe_image(template, one.settings.container_image)
    return task_pb2.TaskSpec(template=template, description=description(one.settings.docs, one))


def describe_image(template: tasks_pb2.TaskTemplate, wanted: Any) -> None:
    """Tell platforms without images what an image that the task may be given holds."""
    if isinstance(wanted, image.ImageSpec):
        template.config[f"{image.CONFIG_PREFIX}{wanted.image_name()}"] = wanted.recipe


def map_spec(one: mapping.MapTask, settings: Settings) -> task_pb2.TaskSpec:
    """The spec of the task that a map task runs for each element."""
    target = one.target
    assert isinstance(target, task.Task)
    spec = task_spec(target, settings)
    template = spec.template
    template.id.name = one.name
    template.task_type_version = 1
    template.interface.CopyFrom(one.interface.typed)
    words = [
        "volant-map-execute",
        *EXECUTE,
        "--resolver",
        MAP_RESOLVER,
        "--",
        "vars",
        ",".join(one.bound),
        "resolver",
        *loader(target),
    ]
    del template.container.args[:]
    template.container.args.extend(fast(words, settings))
    spec.ClearField("description")
    return spec


def loader(one: task.Task) -> list[str]:
    """The resolver of a task, and what tells it which task."""
    resolver = getattr(one, "resolver_location", task.DEFAULT_RESOLVER)
    arguments = getattr(one, "loader_arguments", None)
    if arguments is None:
        raise errors.DefinitionError(f"{one.name} cannot be loaded in a task process")
    return [resolver, *arguments()]


def command(one: task.Task, settings: Settings) -> list[str]:
    """What a task's container runs."""
    resolver, *arguments = loader(one)
    return fast(["volant-execute", *EXECUTE, "--resolver", resolver, "--", *arguments], settings)


def fast(words: Sequence[str], settings: Settings) -> list[str]:
    """A command, after fetching the code where it was uploaded."""
    if not settings.distribution:
        return list(words)
    prefix = [
        "volant-fast-execute",
        "--additional-distribution",
        settings.distribution,
        "--dest-dir",
        settings.destination,
    ]
    return [*prefix, "--", *words]


def container(one: task.Task, settings: Settings, words: Sequence[str]) -> tasks_pb2.Container:
    """A task's container."""
    environment = {**settings.environment, **one.settings.environment}
    if isinstance(one, dynamic.DynamicTask) or one.is_eager:
        environment[serialization_settings.ENVIRONMENT_VARIABLE] = settings.to_environment()
    wanted = one.settings.container_image
    try:
        chosen = settings.image_for(wanted)
    except errors.DefinitionError as cause:
        if isinstance(wanted, image.ImageSpec):  # it knows its own line
            raise
        raise errors.DefinitionError(f"{one.source}: {one.name}: {cause}") from cause
    made = tasks_pb2.Container(
        image=chosen,
        args=words,
        env=[literals_pb2.KeyValuePair(key=key, value=str(value)) for key, value in environment.items()],
    )
    made.resources.CopyFrom(resource_lists(one.settings.requests, one.settings.limits))
    return made


def resource_lists(requests: resources.Resources | None, limits: resources.Resources | None) -> tasks_pb2.Resources:
    """Requests and limits."""

    def entries(amounts: resources.Resources | None) -> list[tasks_pb2.Resources.ResourceEntry]:
        pairs = amounts.pairs() if amounts is not None else []
        names = tasks_pb2.Resources.ResourceName
        return [tasks_pb2.Resources.ResourceEntry(name=names.Value(name), value=value) for name, value in pairs]

    return tasks_pb2.Resources(requests=entries(requests), limits=entries(limits))


def metadata(one: task.Task) -> tasks_pb2.TaskMetadata:
    """How a task is run."""
    given = one.settings
    made = tasks_pb2.TaskMetadata(
        runtime=tasks_pb2.RuntimeMetadata(
            type=tasks_pb2.RuntimeMetadata.FLYTE_SDK, version=volant.__version__, flavor="python"
        ),
        retries=literals_pb2.RetryStrategy(retries=given.retries),
        deprecated_error_message=given.deprecated,
        pod_template_name=given.pod_template_name,
        is_eager=one.is_eager,
    )
    made.generates_deck.value = given.enable_deck
    made.metadata.labels.update(given.labels)
    made.metadata.annotations.update(given.annotations)
    made.metadata.SetInParent()
    if given.timeout is not None:
        made.timeout.FromTimedelta(given.timeout)
    if given.interruptible is not None:
        made.interruptible = given.interruptible
    if given.cache is not None:
        made.discoverable = True
        made.discovery_version = cache_version(one)
        made.cache_serializable = given.cache.serialize
        made.cache_ignore_input_vars.extend(given.cache.ignored())
    return made


def cache_version(one: task.Task) -> str:
    """The version under which a task's outputs are cached."""
    assert one.settings.cache is not None
    function: Any = getattr(one, "function", type(one))
    return one.settings.cache.version_for(caching.VersionParameters(func=function))


def extras(template: tasks_pb2.TaskTemplate, given: task.TaskSettings) -> None:
    """Secrets, accelerators, shared memory and pod templates."""
    for secret in given.secret_requests:
        made = security_pb2.Secret(
            group=secret.group or "",
            group_version=secret.group_version or "",
            key=secret.key or "",
            mount_requirement=security_pb2.Secret.MountType.Value(secret.mount_requirement.name),
            env_var=secret.env_var or "",
        )
        template.security_context.secrets.append(made)
    template.extended_resources.CopyFrom(extended_resources(given.accelerator, given.shared_memory))
    if template.extended_resources == tasks_pb2.ExtendedResources():
        template.ClearField("extended_resources")
    if given.pod_template is not None:
        pod = given.pod_template.to_pod(template.container)
        template.ClearField("container")
        template.k8s_pod.CopyFrom(pod)
        template.config["primary_container_name"] = given.pod_template.primary_container_name


def extended_resources(accelerator: Any, shared_memory: bool | str | None) -> tasks_pb2.ExtendedResources:
    """Accelerators and shared memory."""
    made = tasks_pb2.ExtendedResources()
    if accelerator is not None:
        made.gpu_accelerator.CopyFrom(accelerator.to_message())
    if shared_memory:
        made.shared_memory.mount_path = "/dev/shm"  # noqa: S108 - where programs look for it
        made.shared_memory.mount_name = _SHARED_MEMORY
        made.shared_memory.size_limit = shared_memory if isinstance(shared_memory, str) else ""
    return made


def description(docs: str, owner: Any) -> description_entity_pb2.DescriptionEntity:
    """A docstring as a description: its first paragraph short, the rest long."""
    function = getattr(owner, "function", None)
    text = (inspect.getdoc(function) if function is not None else "") or docs
    short, _, rest = text.partition("\n\n")
    made = description_entity_pb2.DescriptionEntity(short_description=" ".join(short.split()))
    if rest.strip():
        made.long_description.value = rest.strip()
    made.long_description.format = description_entity_pb2.DESCRIPTION_FORMAT_RST
    return made
