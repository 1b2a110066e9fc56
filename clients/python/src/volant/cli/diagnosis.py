"""Finding out what's wrong: a task's attempt run again here, and a look at the surroundings."""

from __future__ import annotations

import importlib.metadata
import pathlib
import platform as machine
import sys
from collections.abc import Callable, Sequence
from typing import Any

import click

from volant import context, errors
from volant.authoring import task
from volant.cli import inputs as typed
from volant.cli import platform
from volant.client import execution, proxy_store, remote
from volant.runtime import arguments, failure, mapped, resolver
from volant.storage import router

_OPTIONAL = {
    "cloudpickle": "values of any type",
    "pandas": "data frames",
    "pyarrow": "data frames in Parquet files",
    "fsspec": "gs:// and other addresses",
    "pyyaml": "inputs in YAML files",
}


@click.command()
@click.argument("name")
@click.argument("node")
@click.option("--root", default=".", type=click.Path(exists=True, file_okay=False), help="Where the code is.")
@click.option("--pdb", "debug", is_flag=True, help="Step through it in a debugger.")
@platform.options
def replay(platform_: remote.Remote, *, name: str, node: str, root: str, debug: bool, form: str) -> None:
    """Run the task of a NODE of the execution NAME here, with the code that is here, on its real inputs."""
    sys.path.insert(0, str(pathlib.Path(root).resolve()))
    found = _node(platform_.fetch_execution(name), node)
    one = _task_of(platform_, found)
    with router.through(platform_.store):
        literals = found.inputs.literals
        if isinstance(one, mapped.ElementTask):
            raise errors.DefinitionError(
                f"{node} is a map task; replay one of its elements by calling {one.name} yourself"
            )
        values = one.decode_inputs(literals)
        platform.progress(
            f"{one.name}: {', '.join(f'{key}={typed.to_data(value)!r}' for key, value in values.items())}"
        )
        with context.using(context.Context(task_id=context.TaskId(name=one.name))):
            outputs = one.interface.unwrap_outputs(_call(one, values, debug=debug))
    shown = {key: typed.to_data(value) for key, value in outputs.items()}
    platform.show(shown, form)


def _node(one: execution.Execution, node: str) -> execution.Node:
    for found in one.all_nodes():
        if found.id == node:
            return found
    raise errors.NotFoundError(f"execution {one.name} has no node {node!r}; it has {', '.join(one.nodes)}")


def _task_of(platform_: remote.Remote, found: execution.Node) -> task.Task:
    attempts = found.attempts
    if not attempts:
        raise errors.NotFoundError(f"node {found.id} ran no task")
    words: Sequence[str] = platform_.task_template(attempts[-1].id.task_id).container.args
    words = list(words)
    while words and words[0] in {"volant-fast-execute", "--additional-distribution", "--dest-dir"}:
        words = words[words.index("--") + 1 :] if words[0] == "volant-fast-execute" else words[2:]
    if not words or words[0] not in {"volant-execute", "volant-map-execute"}:
        raise errors.DefinitionError(
            f"node {found.id} is no task of this SDK; it runs {' '.join(words[:1]) or 'no command'}"
        )
    given = arguments.parse(words[1:])
    return resolver.load_resolver(given.resolver or resolver.DefaultResolver.location).load_task(given.loader)


def _call(one: task.Task, values: dict[str, Any], *, debug: bool) -> Any:
    if debug:
        import pdb  # noqa: PLC0415, T100 - a debugger was asked for

        return pdb.runcall(one.execute, values)
    try:
        return one.execute(values)
    except errors.VolantError:
        raise
    except Exception as error:
        raise click.ClickException(failure.message_of(error)) from error


@click.command()
@platform.options
def doctor(platform_: remote.Remote, *, form: str) -> None:
    """Look at what is needed to work, and say what is missing and what to do."""
    checks: list[dict[str, str]] = []

    def check(what: str, look: Callable[[], str]) -> bool:
        try:
            checks.append({"check": what, "ok": "yes", "found": look()})
        except (errors.VolantError, importlib.metadata.PackageNotFoundError, OSError) as error:
            checks.append({"check": what, "ok": "no", "found": str(error)})
            return False
        return True

    check("Python", lambda: f"{machine.python_version()} ({sys.executable})")
    check("volant", lambda: importlib.metadata.version("volant"))
    check("configuration", lambda: f"{platform_.config.endpoint} from {platform_.config.source}")
    if check("platform", platform_.version):
        project = f"{platform_.config.project}/{platform_.config.domain}"
        if check("project", lambda: f"{project}, {len(platform_.recent_executions(1))} recent executions"):
            check("object store", lambda: _upload(platform_.store))
    healthy = all(row["ok"] == "yes" for row in checks)
    for package, purpose in _OPTIONAL.items():
        check(f"{package} (for {purpose})", lambda package=package: importlib.metadata.version(package))  # type: ignore[misc]
    platform.show(checks, form)
    if not healthy:
        raise click.exceptions.Exit(1)


def _upload(store: proxy_store.ProxyStore) -> str:
    uri = f"{store.prefix}/doctor"
    store.write(uri, b"volant")
    if store.read(uri) != b"volant":
        raise errors.StorageError(f"{uri} does not hold what was written")
    return f"writing and reading below {store.prefix}"
