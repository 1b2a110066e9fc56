"""`volant launch`."""

from __future__ import annotations

from typing import Any

import click

from volant import errors
from volant.authoring import interface
from volant.cli import executions, late_options, platform
from volant.cli import inputs as typed
from volant.client import registered, remote
from volant.types import engine


def _options() -> list[click.Option]:
    return [
        *late_options.of_platforms(),
        click.Option(["--version", "volant_version"], help="The registered version; the latest by default."),
        *late_options.of_starting(),
    ]


def _launch(volant_entity: str, volant_rest: tuple[str, ...], **given: Any) -> None:
    # Where it is must be known before its inputs are: so those options may stand anywhere.
    first = late_options.peek(_options(), volant_rest, given)
    with platform.reported():
        connected = late_options.platform(first)
        found = _find(connected, volant_entity, first["version"] or "")
    signature = _signature(found)
    command = late_options.EntityCommand(
        f"volant launch {volant_entity}", signature, _options(), f"Start {found.name}, version {found.version}."
    )
    with command.read(volant_rest, given) as (inputs, settings), platform.reported():
        started = connected.execute(
            found,
            typed.collect(signature, {key: value for key, value in inputs.items() if value is not None}, {}),
            name=settings["name"] or "",
            overwrite_cache=bool(settings["overwrite_cache"]),
            environment=platform.pairs(settings["env"], "--env"),
            tags=list(settings["tag"]),
        )
        executions.follow(
            connected,
            started,
            settings["output"],
            wait=bool(settings["wait"]),
            watch=bool(settings["watch"]),
            timeout=settings["timeout"],
        )


def _find(connected: remote.Remote, name: str, version: str) -> registered.Registered:
    """A launch plan of that name, which every workflow has too; else a task."""
    try:
        return connected.fetch_launch_plan(name, version)
    except errors.NotFoundError as cause:
        try:
            return connected.fetch_task(name, version)
        except errors.NotFoundError:
            raise cause from None


def _signature(found: registered.Registered) -> interface.Interface:
    variables = found.interface.inputs.variables
    types = {name: engine.guess_python_type(one.type) for name, one in variables.items() if name not in found.fixed}
    docs = {name: variables[name].description for name in types}
    return interface.Interface(
        inputs=types, outputs={}, defaults=dict.fromkeys(found.defaults & types.keys(), "the plan's"), docs=docs
    )


launch: click.Command = late_options.Leading(
    "launch",
    callback=_launch,
    help="Start a registered launch plan, workflow or task, by its NAME.\n\nIts inputs are options: "
    "volant launch NAME --help shows them.",
    params=[
        *_options(),
        click.Argument(["volant_entity"], metavar="NAME"),
        click.Argument(["volant_rest"], metavar="[INPUTS]...", nargs=-1, type=click.UNPROCESSED),
    ],
)
