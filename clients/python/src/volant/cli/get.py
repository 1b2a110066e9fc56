"""`volant get`."""

from __future__ import annotations

from typing import Any

import click

from volant.cli import inputs as typed
from volant.cli import platform
from volant.client import execution, remote
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
            platform.show([_execution_row(one) for one in platform_.recent_executions(limit)], form)
        else:
            platform.show(_execution(platform_.fetch_execution(name)), form)
    elif name is None:
        platform.show([{"name": found} for found in platform_.list_names(kind, limit)], form)
    else:
        fetch = {
            "tasks": platform_.fetch_task,
            "workflows": platform_.fetch_workflow,
            "launchplans": platform_.fetch_launch_plan,
        }
        platform.show(_entity(fetch[kind](name, version)), form)


def _execution_row(one: execution.Execution) -> dict[str, Any]:
    closure = one.message.closure
    return {
        "name": one.name,
        "phase": one.phase,
        "entity": one.message.spec.launch_plan.name,
        "started": closure.created_at.ToDatetime().isoformat(timespec="seconds"),
        "duration": str(closure.duration.ToTimedelta()),
    }


def _execution(one: execution.Execution) -> dict[str, Any]:
    shown: dict[str, Any] = {**_execution_row(one), "url": one.url}
    shown["nodes"] = {found.id: f"{found.phase} {found.name}".strip() for found in one.nodes.values()}
    shown["inputs"] = {name: typed.to_data(value) for name, value in one.inputs.items()}
    if one.is_successful:
        shown["outputs"] = {name: typed.to_data(value) for name, value in one.outputs.items()}
    elif one.is_done:
        shown["error"] = str(one.failure())
    return shown


def _entity(found: remote.Registered) -> dict[str, Any]:
    return {
        "name": found.name,
        "version": found.version,
        "inputs": {name: compatibility.words(one.type) for name, one in found.interface.inputs.variables.items()},
        "outputs": {name: compatibility.words(one.type) for name, one in found.interface.outputs.variables.items()},
    }
