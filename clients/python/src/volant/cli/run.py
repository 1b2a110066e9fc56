"""`volant run`."""

from __future__ import annotations

import json
import pathlib
import sys
from typing import Any

import click

from volant import errors
from volant.authoring import entity
from volant.cli import inputs as typed
from volant.cli import loading, platform, watching
from volant.client import execution, remote
from volant.runtime import failure

_REMOTE_ONLY = ("version", "name", "wait", "watch", "timeout", "overwrite_cache", "image", "env", "tag", "copy")


def _options() -> list[click.Option]:
    return [
        click.Option(["-r", "--remote", "volant_remote"], is_flag=True, default=None, help="Run it on the platform."),
        click.Option(
            ["--inputs-file", "volant_inputs_file"], help="Inputs from a JSON or YAML file; - for the standard input."
        ),
        click.Option(
            ["-c", "--config", "volant_config"], help="A configuration file to read instead of the usual ones."
        ),
        click.Option(["--endpoint", "volant_endpoint"], help="host:port of the platform's gRPC service."),
        click.Option(["--insecure/--secure", "volant_insecure"], default=None, help="Without TLS, or with it."),
        click.Option(["-p", "--project", "volant_project"], help="The project."),
        click.Option(["-d", "--domain", "volant_domain"], help="The domain."),
        click.Option(
            ["-o", "--output", "volant_output"], type=click.Choice(["text", "json"]), help="How to print the outputs."
        ),
        click.Option(["--version", "volant_version"], help="The version to register; made from the code by default."),
        click.Option(["--name", "volant_name"], help="The execution's name."),
        click.Option(
            ["--wait", "volant_wait"], is_flag=True, default=None, help="Wait for the end, and print the outputs."
        ),
        click.Option(["--watch", "volant_watch"], is_flag=True, default=None, help="Show the nodes while they run."),
        click.Option(["--timeout", "volant_timeout"], type=float, help="Seconds to wait at most."),
        click.Option(
            ["--overwrite-cache", "volant_overwrite_cache"], is_flag=True, default=None, help="Run cached tasks too."
        ),
        click.Option(["-i", "--image", "volant_image"], help="The image of tasks that name none."),
        click.Option(["--env", "volant_env"], multiple=True, help="KEY=VALUE for every task; may be repeated."),
        click.Option(["--tag", "volant_tag"], multiple=True, help="A tag of the execution; may be repeated."),
        click.Option(
            ["--copy", "volant_copy"], type=click.Choice(["auto", "all", "none"]), help="Which code is uploaded."
        ),
    ]


class _RunCommand(click.Command):
    """Reads its own options, FILE and ENTITY; what follows is read with the entity's options too."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.allow_interspersed_args = False
        return super().parse_args(ctx, args)


@click.pass_context
def _run(
    ctx: click.Context, /, volant_file: str, volant_entity: str | None, volant_rest: tuple[str, ...], **given: Any
) -> None:
    file, name = volant_file, volant_entity
    with platform.reported():
        module = loading.load_file(pathlib.Path(file))
        if name is None:
            found = loading.entities_of(module)
            raise click.UsageError(f"say what to run: {', '.join(sorted(found)) or f'{file} defines nothing'}", ctx)
        target = loading.find(module, name)
    entity_options = typed.parameters(target.interface)
    taken = {flag for option in entity_options for flag in (*option.opts, *option.secondary_opts)}
    own = [option for option in _options() if not taken & {*option.opts, *option.secondary_opts}]
    command = click.Command(name, params=[*own, *entity_options], help=_summary(target))
    with command.make_context(f"volant run {file} {name}", list(volant_rest)) as inner:
        later = dict(inner.params)
    settings = {}
    for key, first in given.items():
        second = later.pop(key, None)
        settings[key.removeprefix("volant_")] = second if second not in (None, ()) else first
    platform.tell_of_eagerness(target)
    with platform.reported():
        collected = typed.collect(target.interface, later, _file_inputs(settings["inputs_file"]))
        if settings["remote"]:
            _run_remotely(target, collected, settings, pathlib.Path(file))
        else:
            _refuse_remote_options(settings)
            _show_outputs(target.interface.unwrap_outputs(_run_locally(target, collected)), settings["output"])


def _summary(target: entity.Entity) -> str:
    function = getattr(target, "function", None)
    return (getattr(function, "__doc__", None) or f"Run {target.name}.").strip().partition("\n\n")[0]


def _file_inputs(name: str | None) -> dict[str, Any]:
    if not name:
        return {}
    data = json.loads(sys.stdin.read()) if name == "-" else typed.read_file(pathlib.Path(name))
    if not isinstance(data, dict):
        raise errors.TypeMismatchError(f"{name}: expected inputs by name, found {type(data).__name__}")
    return data


def _refuse_remote_options(settings: dict[str, Any]) -> None:
    for key in _REMOTE_ONLY:
        if settings[key] not in (None, ()):
            raise click.UsageError(f"--{key.replace('_', '-')} needs --remote")


def _run_locally(target: entity.Entity, given: dict[str, Any]) -> Any:
    from volant.local import execution as local_execution  # noqa: PLC0415 - not needed for remote runs

    try:
        return local_execution.run_entity(target, given)
    except errors.VolantError:
        raise
    except Exception as error:
        notes = "".join(f"\n{note}" for note in getattr(error, "__notes__", ()))
        raise click.ClickException(f"{target.name} failed{notes}\n\n{failure.message_of(error)}") from error


def _run_remotely(target: entity.Entity, given: dict[str, Any], settings: dict[str, Any], file: pathlib.Path) -> None:
    connected = remote.Remote(
        settings["endpoint"],
        insecure=settings["insecure"],
        project=settings["project"],
        domain=settings["domain"],
        config_file=settings["config"],
    )
    started = connected.execute(
        target,
        given,
        version=settings["version"],
        name=settings["name"] or "",
        overwrite_cache=bool(settings["overwrite_cache"]),
        environment=dict(pair.split("=", 1) for pair in settings["env"]),
        tags=list(settings["tag"]),
        copy=settings["copy"] or "auto",
        image=settings["image"],
    )
    platform.progress(f"{file.name}: execution {started.name}\n{started.url}")
    if not settings["wait"] and not settings["watch"]:
        if settings["output"] == "json":
            click.echo(json.dumps({"name": started.name, "url": started.url}))
        return
    if settings["watch"]:
        watching.watch(started, settings["timeout"])
    finish(started.wait(settings["timeout"]), settings["output"])


def finish(ended: execution.Execution, form: str | None) -> None:
    """Print what an execution came to; exit code 1 if it didn't succeed."""
    if not ended.is_successful:
        raise click.ClickException(str(ended.failure()))
    _show_outputs(dict(ended.outputs), form)


def _show_outputs(outputs: dict[str, Any], form: str | None) -> None:
    data = {name: typed.to_data(value) for name, value in outputs.items()}
    if form == "json":
        click.echo(json.dumps(data, indent=2))
    elif len(data) == 1:
        (only,) = data.values()
        click.echo(only if isinstance(only, str) else json.dumps(only))
    else:
        platform.show(data, "text")


run = _RunCommand(
    "run",
    callback=_run,
    help="Run a task, workflow or launch plan of a file, here or on a platform.\n\nIts inputs are options: "
    "volant run FILE NAME --help shows them. Lists, dicts and dataclasses are written as JSON, or @file.",
    params=[
        *_options(),
        click.Argument(["volant_file"], metavar="FILE", type=click.Path(exists=True, dir_okay=False)),
        click.Argument(["volant_entity"], metavar="[NAME]", required=False),
        click.Argument(["volant_rest"], metavar="[INPUTS]...", nargs=-1, type=click.UNPROCESSED),
    ],
)
