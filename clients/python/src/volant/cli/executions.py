"""Commands that do something to an execution or launch plan."""

from __future__ import annotations

from typing import Any

import click

from volant import errors
from volant.cli import inputs as typed
from volant.cli import live, platform, watching
from volant.client import execution, remote, tree


def follow(
    platform_: remote.Remote,
    one: execution.Execution,
    form: str | None,
    *,
    wait: bool,
    watch: bool,
    timeout: float | None = None,
) -> None:
    """Show a started execution: its name, or all of it until it has ended."""
    if form != "json" or wait or watch:
        platform.progress(f"execution {live.paint(one.name, bold=True)}  {live.paint(one.url, underline=True)}")
    if watch:
        watching.watch(platform_, one, timeout)
    elif wait:
        watching.wait(one, timeout)
    elif form == "json":
        platform.show({"name": one.name, "url": one.url}, form)
    if watch or wait:
        finish(one, form, was_watched=watch)


def finish(ended: execution.Execution, form: str | None, *, was_watched: bool = False) -> None:
    """Print what an execution came to; exit code 1 if it didn't succeed. Who watched has seen the traceback."""
    if ended.is_successful:
        platform.show_outputs(dict(ended.outputs), form)
        return
    text = str(ended.failure())
    candidates = [node for node in ended.all_nodes() if node.phase == "FAILED"]
    failed = next((node for node in candidates if not node.is_parent), candidates[-1] if candidates else None)
    if failed is not None:
        if was_watched and ended.error is not None:
            text = f"execution {ended.name} failed in {failed.id}: {tree.last_line(ended.error.message)}"
        text += (
            f"\n\nWhat it wrote: volant logs {ended.name} {failed.id}   Run it here: volant replay {ended.name} "
            f"{failed.id}\nTo go on from here after a repair: volant recover {ended.name}"
        )
    raise platform.Refused(text, platform.FAILED)


def _wait_options(function: Any) -> Any:
    for option in (
        click.option("--wait", is_flag=True, help="Wait for the end, and print the outputs."),
        click.option("--watch", is_flag=True, help="The same, showing the nodes and what they write."),
        click.option("--timeout", type=float, help="Seconds to wait at most."),
    ):
        function = option(function)
    return function


@click.command()
@click.argument("name")
@_wait_options
@platform.options
def relaunch(platform_: remote.Remote, *, name: str, wait: bool, watch: bool, timeout: float | None, form: str) -> None:
    """Start the execution NAME again, with the same inputs."""
    started = platform_.fetch_execution(name).relaunch()
    follow(platform_, started, form, wait=wait, watch=watch, timeout=timeout)


@click.command()
@click.argument("name")
@_wait_options
@platform.options
def recover(platform_: remote.Remote, *, name: str, wait: bool, watch: bool, timeout: float | None, form: str) -> None:
    """Start the execution NAME again, taking over what succeeded."""
    started = platform_.fetch_execution(name).recover()
    follow(platform_, started, form, wait=wait, watch=watch, timeout=timeout)


@click.command()
@click.argument("name")
@click.option("--timeout", type=float, help="Seconds to wait at most.")
@click.option("-q", "--quiet", is_flag=True, help="Only wait: print the outputs and nothing else.")
@platform.options
def watch(platform_: remote.Remote, *, name: str, timeout: float | None, quiet: bool, form: str) -> None:
    """Watch the execution NAME until it has ended; then print its outputs.

    The exit code tells what it came to: 0 succeeded, 1 did not, 4 the time was over. Ctrl-C ends the watching, not the
    execution.
    """
    one = platform_.fetch_execution(name)
    if quiet:
        watching.wait(one, timeout)
    else:
        watching.watch(platform_, one, timeout)
    finish(one, form, was_watched=not quiet)


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
    if one.is_done:
        raise errors.VolantError(f"execution {name} is {one.phase}; it waits for nothing any more")
    expected = platform_.signal_type(signal_id, one)
    if expected is bool and value in {"approve", "reject"}:
        value = "true" if value == "approve" else "false"
    try:
        platform_.set_signal(signal_id, one, typed.from_text(value, expected), expected)
    except (errors.TypeMismatchError, ValueError) as cause:
        raise click.BadParameter(str(cause), param_hint="VALUE") from cause
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
@click.option("--attempt", type=int, help="An attempt's number, from 0; all by default.")
@click.option("-f", "--follow", "follows", is_flag=True, help="Go on until the execution has ended.")
@platform.options
def logs(
    platform_: remote.Remote, *, name: str, node: str | None, attempt: int | None, follows: bool, form: str
) -> None:
    """Print what the tasks of the execution NAME wrote; of one NODE, if it's given."""
    one = platform_.fetch_execution(name)
    if follows:
        _follow_logs(platform_, one, node)
        return
    found = [
        {"node": made.id, "attempt": part.attempt, "log": part.name, "text": _text(platform_, part.uri)}
        for made in ([one.node(node)] if node is not None else one.all_nodes())
        for part in made.log_parts()
        if attempt is None or part.attempt == attempt
    ]
    if node is not None and not found:
        raise errors.NotFoundError(
            f"node {node} of execution {name} has no logs" + (" of that attempt" if attempt else "")
        )
    if form == "json":
        platform.show(found, form)
        return
    for shown in found:
        if shown["text"]:
            which = "" if str(shown["log"]) in {"Log", ""} else f", {shown['log']}"
            click.echo(click.style(f"== {shown['node']}, attempt {shown['attempt']}{which}", bold=True))
            click.echo(str(shown["text"]).rstrip("\n"))


def _follow_logs(platform_: remote.Remote, one: execution.Execution, node: str | None) -> None:
    found = tree.Tree(platform_, one)
    is_done = False
    while not is_done:
        found.look()
        is_done = one.is_done
        for line in found.new_lines():
            if node is None or line.node.partition("[")[0] == node:
                click.echo(line.text if node else f"{click.style(f'{line.node} {line.label} │', dim=True)} {line.text}")
        if not is_done:
            watching.rest()


def _text(platform_: remote.Remote, uri: str) -> str:
    try:
        return platform_.read_text(uri)
    except errors.VolantError as error:
        return f"({error})"
