"""Registering: code is uploaded, versions come from it, specs are created in an order in which each finds its parts."""

from __future__ import annotations

import base64
import concurrent.futures
import dataclasses
import hashlib
import pathlib
import sys
from collections.abc import Callable, Sequence
from typing import Any

import volant
from volant import errors
from volant.authoring import entity, launch_plan, naming
from volant.client import channel, packaging, proxy_store
from volant.serialization import settings as serialization_settings
from volant.serialization import specs
from volantidl.admin import launch_plan_pb2, task_pb2, workflow_pb2
from volantidl.core import identifier_pb2

_PARALLEL = 8
_DESTINATION = "."

Settings = serialization_settings.SerializationSettings
Progress = Callable[[str, str], None]
"""Told the kind and the name of what was registered."""


def silent(kind: str, name: str) -> None:
    """Say nothing of progress."""


def with_code(
    store: proxy_store.ProxyStore,
    settings: Settings,
    entities: Sequence[entity.Entity],
    root: str | pathlib.Path | None,
    copy: str,
) -> Settings:
    """Upload the code of entities; gives settings that name it.

    Args:
        store: Where to.
        settings: The settings so far.
        entities: Whose code.
        root: The folder that is on the path; found from the entities by default.
        copy: "auto" for the imported modules, "all" for all files, "none" for nothing.
    """
    if copy == "none":
        return settings
    folder = pathlib.Path(root) if root is not None else root_of(entities)
    files = packaging.all_files(folder) if copy == "all" else packaging.imported_files(folder)
    content = packaging.archive(folder, files)
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
    uri = store.upload_code(content, f"fast{digest}.tar.gz")
    return dataclasses.replace(settings, distribution=uri, destination=_DESTINATION)


def version_of(settings: Settings) -> str:
    """A version from settings and code: the same for the same."""
    digest = hashlib.md5(f"{settings!r}{volant.__version__}".encode(), usedforsecurity=False).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=").replace("-", "a")


def create_all(
    connection: channel.Connection, made: specs.Specs, progress: Progress
) -> list[identifier_pb2.Identifier]:
    """Create everything; gives the launch plans."""

    def create_task(spec: task_pb2.TaskSpec) -> None:
        request = task_pb2.TaskCreateRequest(id=spec.template.id, spec=spec)
        create(connection, "CreateTask", request, task_pb2.TaskCreateResponse)
        progress("task", spec.template.id.name)

    with concurrent.futures.ThreadPoolExecutor(_PARALLEL, thread_name_prefix="volant-register") as pool:
        list(pool.map(create_task, made.tasks.values()))
    plans: list[identifier_pb2.Identifier] = []
    # A workflow stands after those that it uses, and each one's launch plans right behind it.
    for spec in made.workflows.values():
        request = workflow_pb2.WorkflowCreateRequest(id=spec.template.id, spec=spec)
        create(connection, "CreateWorkflow", request, workflow_pb2.WorkflowCreateResponse)
        progress("workflow", spec.template.id.name)
        for plan in made.launch_plans.values():
            if plan.spec.workflow_id.name == spec.template.id.name:
                asked = launch_plan_pb2.LaunchPlanCreateRequest(id=plan.id, spec=plan.spec)
                create(connection, "CreateLaunchPlan", asked, launch_plan_pb2.LaunchPlanCreateResponse)
                progress("launch plan", plan.id.name)
                plans.append(plan.id)
    return plans


def create(connection: channel.Connection, method: str, request: Any, answer: Any) -> None:
    """Create something; that it's there already is fine."""
    try:
        connection.call(channel.ADMIN, method, request, answer)
    except errors.RemoteError as cause:
        if cause.code != "ALREADY_EXISTS":
            raise


def root_of(entities: Sequence[entity.Entity]) -> pathlib.Path:
    """The folder from which the entities' modules are imported."""
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
