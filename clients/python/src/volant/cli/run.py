"""`volant run`."""

from __future__ import annotations

import contextlib
import io
import pathlib
import sys
import threading
from typing import Any, TextIO

import click

from volant import errors
from volant.authoring import entity
from volant.cli import completion, executions, late_options, loading, platform
from volant.cli import inputs as typed
from volant.runtime import failure

_REMOTE_ONLY = ("version", "name", "wait", "watch", "timeout", "overwrite_cache", "image", "env", "tag", "copy")


def _options() -> list[click.Option]:
    return [
        click.Option(["-r", "--remote", "volant_remote"], is_flag=True, default=None, help="Run it on the platform."),
        click.Option(
            ["--inputs-file", "volant_inputs_file"], help="Inputs from a JSON or YAML file; - for the standard input."
        ),
        *late_options.of_platforms(),
        click.Option(["--version", "volant_version"], help="The version to register; made from the code by default."),
        *late_options.of_starting(),
        click.Option(["-i", "--image", "volant_image"], help="The image of tasks that name none."),
        click.Option(
            ["--copy", "volant_copy"], type=click.Choice(["auto", "all", "none"]), help="Which code is uploaded."
        ),
    ]


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
    command = late_options.EntityCommand(f"volant run {file} {name}", target.interface, _options(), _summary(target))
    with command.read(volant_rest, given) as (inputs, settings), platform.reported():
        platform.give_hints([target])
        collected = typed.collect(target.interface, inputs, _file_inputs(settings["inputs_file"]))
        if settings["remote"]:
            _run_remotely(target, collected, settings)
        else:
            _refuse_remote_options(settings)
            # Standard output is for the results alone where a program reads it.
            heard = sys.stderr if settings["output"] == "json" else sys.stdout
            outputs = target.interface.unwrap_outputs(_run_locally(target, collected, heard))
            platform.show_outputs(outputs, settings["output"])


class _Lines(io.TextIOBase):
    """Passes on whole lines, so that those of tasks side by side don't mix."""

    def __init__(self, target: TextIO) -> None:
        self._target = target
        self._begun = threading.local()

    def write(self, text: str) -> int:
        begun = getattr(self._begun, "text", "") + text
        whole, _, self._begun.text = begun.rpartition("\n")
        if whole or "\n" in begun:
            self._target.write(f"{whole}\n")
        return len(text)

    def flush(self) -> None:
        begun = getattr(self._begun, "text", "")
        self._begun.text = ""
        self._target.write(begun)
        self._target.flush()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._target.encoding

    def isatty(self) -> bool:
        return self._target.isatty()

    def fileno(self) -> int:
        return self._target.fileno()


def _summary(target: entity.Entity) -> str:
    function = getattr(target, "function", None)
    return (getattr(function, "__doc__", None) or f"Run {target.name}.").strip().partition("\n\n")[0]


def _file_inputs(name: str | None) -> dict[str, Any]:
    if not name:
        return {}
    data = typed.parse(sys.stdin.read(), "the standard input") if name == "-" else typed.read_file(pathlib.Path(name))
    if not isinstance(data, dict):
        raise errors.TypeMismatchError(f"{name}: expected inputs by name, found {type(data).__name__}")
    return data


def _refuse_remote_options(settings: dict[str, Any]) -> None:
    for key in _REMOTE_ONLY:
        if settings[key] not in (None, ()):
            raise click.UsageError(f"--{key.replace('_', '-')} needs --remote")


def _run_locally(target: entity.Entity, given: dict[str, Any], heard: TextIO) -> Any:
    from volant.local import execution as local_execution  # noqa: PLC0415 - not needed for remote runs

    try:
        with contextlib.redirect_stdout(_Lines(heard)):
            return local_execution.run_entity(target, given)
    except errors.VolantError:
        raise
    except Exception as error:
        notes = "".join(f"\n{note}" for note in getattr(error, "__notes__", ()))
        raise platform.Refused(
            f"{target.name} failed{notes}\n\n{failure.message_of(error)}", platform.FAILED
        ) from error


def _run_remotely(target: entity.Entity, given: dict[str, Any], settings: dict[str, Any]) -> None:
    connected = late_options.platform(settings)
    started = connected.execute(
        target,
        given,
        version=settings["version"],
        name=settings["name"] or "",
        overwrite_cache=bool(settings["overwrite_cache"]),
        environment=platform.pairs(settings["env"], "--env"),
        tags=list(settings["tag"]),
        copy=settings["copy"] or "auto",
        image=settings["image"],
    )
    executions.follow(
        connected,
        started,
        settings["output"],
        wait=bool(settings["wait"]),
        watch=bool(settings["watch"]),
        timeout=settings["timeout"],
    )


run: click.Command = late_options.Leading(
    "run",
    callback=_run,
    help="Run a task, workflow or launch plan of a file, here or on a platform.\n\nIts inputs are options: "
    "volant run FILE NAME --help shows them. Lists, dicts and dataclasses are written as JSON, or @file with JSON or "
    "YAML in it.",
    params=[
        *_options(),
        click.Argument(["volant_file"], metavar="FILE", type=click.Path(exists=True, dir_okay=False)),
        click.Argument(["volant_entity"], metavar="[NAME]", required=False, shell_complete=completion.entities),
        click.Argument(["volant_rest"], metavar="[INPUTS]...", nargs=-1, type=click.UNPROCESSED),
    ],
)
