"""Commands that do something to an execution or launch plan."""

from __future__ import annotations

from typing import Any

import click

from volant import errors
from volant.cli import inputs as typed
from volant.cli import platform, run, watching
from volant.client import execution, remote


def _started(one: execution.Execution, form: str, *, wait: bool) -> None:
    if not wait:
        platform.show({"name": one.name, "url": one.url}, form)
        return
    platform.progress(f"execution {one.name}\n{one.url}")
    watching.watch(one)
    run.finish(one.wait(), form)


@click.command()
@click.argument("name")
@click.option("--wait", is_flag=True, help="Wait for the end, showing the nodes.")
@platform.options
def relaunch(platform_: remote.Remote, *, name: str, wait: bool, form: str) -> None:
    """Start the execution NAME again, with the same inputs."""
    _started(platform_.fetch_execution(name).relaunch(), form, wait=wait)


@click.command()
@click.argument("name")
@click.option("--wait", is_flag=True, help="Wait for the end, showing the nodes.")
@platform.options
def recover(platform_: remote.Remote, *, name: str, wait: bool, form: str) -> None:
    """Start the execution NAME again, taking over what succeeded."""
    _started(platform_.fetch_execution(name).recover(), form, wait=wait)


@click.command()
@click.argument("names", nargs=-1, required=True)
@click.option("--cause", default="aborted from the command line", help="Why; shown with the execution.")
@platform.options
def abort(platform_: remote.Remote, *, names: tuple[str, ...], cause: str, form: str) -> None:
    """End executions, and everything that they started."""
    rows = []
    for name in names:
        one = platform_.fetch_execution(name)
        rows.append({"name": name, "phase": one.phase if one.is_done else one.abort(cause).phase})
    platform.show(rows, form)


@click.command()
@click.argument("name")
@click.argument("signal_id")
@click.argument("value")
@platform.options
def signal(platform_: remote.Remote, *, name: str, signal_id: str, value: str, form: str) -> None:
    """Give the gate SIGNAL_ID of the execution NAME its VALUE; approve or reject for approvals."""
    one = platform_.fetch_execution(name)
    if value in {"approve", "reject"}:
        platform_.set_signal(signal_id, one, value == "approve")
    else:
        expected = platform_.signal_type(signal_id, one)
        platform_.set_signal(signal_id, one, typed.from_text(value, expected), expected)
    platform.show({"execution": name, "signal": signal_id, "value": value}, form)


@click.command()
@click.argument("name")
@click.argument("version", default="")
@click.option("--off", is_flag=True, help="Make it inactive instead.")
@platform.options
def activate(platform_: remote.Remote, *, name: str, version: str, off: bool, form: str) -> None:
    """Make a version of the launch plan NAME the active one, whose schedule counts; the latest by default."""
    plan = platform_.fetch_launch_plan(name, version)
    platform_.activate(plan, active=not off)
    platform.show({"name": plan.name, "version": plan.version, "state": "inactive" if off else "active"}, form)


@click.command()
@click.argument("name")
@click.argument("node", required=False)
@click.option("--attempt", type=int, help="An attempt's number; all by default.")
@platform.options
def logs(platform_: remote.Remote, *, name: str, node: str | None, attempt: int | None, form: str) -> None:
    """Print what the tasks of the execution NAME wrote; of one NODE, if it's given."""
    one = platform_.fetch_execution(name)
    found: list[dict[str, Any]] = []
    for made in one.all_nodes():
        if node is not None and made.id != node:
            continue
        for number, tried in enumerate(made.attempts):
            if attempt is not None and number != attempt:
                continue
            found.extend(
                {"node": made.id, "attempt": number, "log": log.name, "text": _text(platform_, log.uri)}
                for log in tried.closure.logs
            )
    if node is not None and not found:
        raise errors.NotFoundError(f"execution {name} has no logs of a node {node!r}")
    if form == "json":
        platform.show(found, form)
        return
    for part in found:
        click.echo(click.style(f"== {part['node']}, attempt {part['attempt']}", bold=True))
        click.echo(part["text"].rstrip("\n"))


def _text(platform_: remote.Remote, uri: str) -> str:
    try:
        return platform_.read_text(uri)
    except errors.VolantError as error:
        return f"({error})"
