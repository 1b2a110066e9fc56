"""`volant replay`: a task's attempt run again here."""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import sys
from collections.abc import Iterator
from typing import Any

import click

from volant import context, errors
from volant.authoring import task
from volant.cli import platform
from volant.client import execution, remote
from volant.runtime import arguments, failure, mapped, resolver
from volant.storage import router
from volant.types import transformer
from volantidl.core import execution_pb2, tasks_pb2

_ELEMENT = re.compile(r"(.+)\[(\d+)\]")
_FAILED = {execution_pb2.TaskExecution.FAILED, execution_pb2.TaskExecution.RETRYABLE_FAILED}
_EXECUTE = {"volant-execute", "volant-map-execute"}


@click.command()
@click.argument("name")
@click.argument("node")
@click.option("--root", default=".", type=click.Path(exists=True, file_okay=False), help="Where the code is.")
@click.option("--pdb", "debug", is_flag=True, help="Step through it in a debugger.")
@platform.options
def replay(platform_: remote.Remote, *, name: str, node: str, root: str, debug: bool, form: str) -> None:
    """Run the task of a NODE of the execution NAME here, with the code that is here, on its real inputs.

    A map's element is written as NODE[3]; without a number, the first that failed is taken. Nodes inside of others,
    as those that a dynamic task made, have ids of their own: `volant get execution NAME` shows them.
    """
    sys.path.insert(0, str(pathlib.Path(root).resolve()))
    named = _ELEMENT.fullmatch(node)
    found = platform_.fetch_execution(name).node(named[1] if named else node)
    one = _task_of(found)
    is_map = isinstance(one, mapped.ElementTask)
    if named and not is_map:
        raise errors.DefinitionError(f"{found.id} is no map; it has no element {named[2]}")
    element = (int(named[2]) if named else _first_failed(found)) if is_map else None
    with router.through(platform_.store), _element(element):
        values = one.decode_inputs(found.inputs.literals)
        where = f"{found.id}[{element}]" if is_map else found.id
        told = ", ".join(f"{key}={transformer.excerpt(value, 200)}" for key, value in values.items())
        platform.progress(f"{where}: {one.name}({told})")
        # Standard output is for the results alone where a program reads it.
        heard = contextlib.redirect_stdout(sys.stderr if form == "json" else sys.stdout)
        with context.using(context.Context(task_id=context.TaskId(name=one.name))), heard:
            result = _call(one, values, debug=debug)
    outputs = one.interface.unwrap_outputs(result)
    platform.show_outputs(outputs, form)


def _first_failed(found: execution.Node) -> int:
    resources = [part for tried in found.attempts for part in tried.closure.metadata.external_resources]
    return next((part.index for part in resources if part.phase in _FAILED), 0)


@contextlib.contextmanager
def _element(index: int | None) -> Iterator[None]:
    """What tells a map's element which one it is."""
    if index is None:
        yield
        return
    changed = {"BATCH_JOB_ARRAY_INDEX_VAR_NAME": "", "BATCH_JOB_ARRAY_INDEX_OFFSET": str(index)}
    before = {key: os.environ.get(key) for key in changed}
    os.environ.update(changed)
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                del os.environ[key]
            else:
                os.environ[key] = value


def _task_of(found: execution.Node) -> task.Task:
    template = found.task_template()
    if template is None:
        raise errors.NotFoundError(f"node {found.id} is {found.phase} and ran no task")
    words = _command(template)
    if not words or words[0] not in _EXECUTE:
        raise errors.DefinitionError(
            f"cannot replay {found.id}: it runs no task of this SDK but {' '.join(words[:1]) or template.type}"
        )
    given = arguments.parse(words[1:])
    location = given.resolver or resolver.DefaultResolver.location
    try:
        return (
            mapped.map_task_resolver if location == mapped.LOCATION else resolver.load_resolver(location)
        ).load_task(given.loader)
    except ImportError as cause:
        raise errors.DefinitionError(
            f"cannot import the task's code here: {cause}. Say where it is with --root"
        ) from cause


def _command(template: tasks_pb2.TaskTemplate) -> list[str]:
    """The task's command, without the part that fetches code."""
    words = list(template.container.args)
    if template.WhichOneof("target") == "k8s_pod":
        containers = template.k8s_pod.pod_spec.fields["containers"].list_value.values
        primary = template.config.get("primary_container_name", "")
        for one in containers:
            fields = one.struct_value.fields
            if fields["name"].string_value == primary or len(containers) == 1:
                words = [value.string_value for value in fields["args"].list_value.values]
    if words[:1] == ["volant-fast-execute"] and "--" in words:
        words = words[words.index("--") + 1 :]
    return words


def _call(one: task.Task, values: dict[str, Any], *, debug: bool) -> Any:
    if debug:
        import pdb  # noqa: PLC0415, T100 - a debugger was asked for

        if isinstance(one, task.PythonTask) and not one.is_async:
            return pdb.runcall(one.function, **values)  # begins in the user's own code
        return pdb.runcall(one.execute, values)
    try:
        return one.execute(values)
    except errors.VolantError:
        raise
    except Exception as error:
        raise platform.Refused(failure.message_of(error), platform.FAILED) from error
