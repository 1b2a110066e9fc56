"""`volant get`."""

from __future__ import annotations

import json
import time
from typing import Any

import click

from volant.cli import inputs as typed
from volant.cli import live, platform, watching
from volant.client import execution, registered, remote, tree
from volant.types import compatibility

_KINDS = ["executions", "tasks", "workflows", "launchplans"]


@click.command()
@click.argument("kind", type=click.Choice([*_KINDS, *(kind[:-1] for kind in _KINDS)]))
@click.argument("name", required=False)
@click.option("-v", "--version", default="", help="A version; the latest by default.")
@click.option("--limit", default=20, help="How many at most.")
@platform.options
def get(platform_: remote.Remote, *, kind: str, name: str | None, version: str, limit: int, form: str) -> None:
    """Show what a platform has.

    KIND is executions, tasks, workflows or launchplans; with a NAME, that one is shown in full.
    """
    kind = kind if kind.endswith("s") else f"{kind}s"
    if kind == "executions":
        if name is None:
            found = platform_.recent_executions(limit)
            if not found:
                platform_.check_project()
            platform.show([_row(one, form) for one in found], form)
        else:
            _show_execution(platform_, platform_.fetch_execution(name), form)
    elif name is None:
        names = platform_.list_names(kind, limit)
        if not names:
            platform_.check_project()
        platform.show([{"name": found} for found in names], form)
    else:
        fetch = {
            "tasks": platform_.fetch_task,
            "workflows": platform_.fetch_workflow,
            "launchplans": platform_.fetch_launch_plan,
        }
        platform.show(_entity(fetch[kind](name, version)), form)


def _row(one: execution.Execution, form: str) -> dict[str, Any]:
    closure = one.message.closure
    took: Any = closure.duration.ToTimedelta().total_seconds()
    if not one.is_done:
        took = time.time() - closure.created_at.ToMicroseconds() / 1e6
    return {
        "name": one.name,
        "phase": one.phase,
        "entity": one.message.spec.launch_plan.name,
        "version": one.message.spec.launch_plan.version,
        "created": f"{closure.created_at.ToDatetime().isoformat(timespec='seconds')}Z",
        "seconds" if form == "json" else "took": took if form == "json" else live.duration(took),
    }


def _show_execution(platform_: remote.Remote, one: execution.Execution, form: str) -> None:
    shown: dict[str, Any] = {**_row(one, form), "url": one.url}
    shown["inputs"] = {name: typed.to_data(value) for name, value in one.inputs.items()}
    if one.is_successful:
        shown["outputs"] = {name: typed.to_data(value) for name, value in one.outputs.items()}
    elif one.is_done:
        shown["error"] = str(one.failure())
    if form == "json":
        shown["nodes"] = [
            {"id": found.id, "name": found.name, "phase": found.phase, "cache": found.cache_status}
            for found in one.all_nodes()
        ]
        platform.show(shown, form)
        return
    for name in ("inputs", "outputs"):
        if name in shown:
            shown[name] = ", ".join(f"{key} = {json.dumps(value)}" for key, value in shown[name].items()) or "none"
    error = shown.pop("error", "")
    platform.show(shown, form)
    click.echo()
    for line in watching.rows(tree.Tree(platform_, one).look()):
        click.echo(line)
    if error:
        click.echo(f"\n{error}")


def _entity(found: registered.Registered) -> dict[str, Any]:
    return {
        "name": found.name,
        "version": found.version,
        "inputs": {name: compatibility.words(one.type) for name, one in found.interface.inputs.variables.items()},
        "outputs": {name: compatibility.words(one.type) for name, one in found.interface.outputs.variables.items()},
    }
