"""What the commands that talk to a platform share: their options, their errors, how they print."""

from __future__ import annotations

import contextlib
import functools
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import click

from volant import errors
from volant.authoring import entity, hints
from volant.cli import inputs as typed
from volant.client import remote

FAILED, USAGE, UNREACHABLE, TIMED_OUT = 1, 2, 3, 4
"""Exit codes: it failed or was refused; the command, the code or the inputs are wrong, and nothing was started; no
platform answers; a time was over. 130 is for Ctrl-C."""
_CODES = {"UNAVAILABLE": UNREACHABLE, "UNAUTHENTICATED": UNREACHABLE, "UNIMPLEMENTED": UNREACHABLE}
_CODES.update({"INVALID_ARGUMENT": USAGE, "NOT_FOUND": USAGE, "ALREADY_EXISTS": USAGE})


class Refused(click.ClickException):
    """A sentence, and the exit code that goes with it."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.exit_code = code  # type: ignore[misc] # click has it for classes only


def options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that choose a platform, and give the command a `Remote` as `platform`."""

    @click.option("-c", "--config", "config_file", help="A configuration file to read instead of the usual ones.")
    @click.option("--endpoint", help="host:port of the platform's gRPC service.")
    @click.option("--insecure/--secure", default=None, help="Without TLS, or with it.")
    @click.option("-p", "--project", help="The project.")
    @click.option("-d", "--domain", help="The domain.")
    @click.option("-o", "--output", "form", type=click.Choice(["text", "json"]), default="text", help="How to print.")
    @functools.wraps(function)
    def command(
        *args: Any,
        config_file: str | None,
        endpoint: str | None,
        insecure: bool | None,
        project: str | None,
        domain: str | None,
        **kwargs: Any,
    ) -> Any:
        with reported():
            platform = remote.Remote(
                endpoint, insecure=insecure, project=project, domain=domain, config_file=config_file
            )
            return function(platform, *args, **kwargs)

    return command


@contextlib.contextmanager
def reported() -> Iterator[None]:
    """Turn the SDK's exceptions, and those of files, into a sentence on the terminal and an exit code."""
    try:
        yield
    except errors.VolantError as error:
        raise Refused(str(error), _code_of(error)) from error
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(
            f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.filename else str(error),
            USAGE,
        ) from error


def _code_of(error: errors.VolantError) -> int:
    if isinstance(error, errors.TimedOutError):
        return TIMED_OUT
    if isinstance(error, errors.RemoteError):
        return _CODES.get(error.code, FAILED)
    wrong = (errors.DefinitionError, errors.TypeMismatchError, errors.MissingDependencyError, errors.NotFoundError)
    return USAGE if isinstance(error, wrong) else FAILED


def show(value: Any, form: str) -> None:
    """Print something: JSON as it is, or a table of rows, or lines of keys and values."""
    if form == "json":
        click.echo(json.dumps(value, default=str, indent=2))
    elif isinstance(value, Mapping):
        width = max((len(key) for key in value), default=0)
        for key, item in value.items():
            click.echo(f"{key:<{width}}  {item}")
    else:
        table(list(value))


def show_outputs(outputs: Mapping[str, Any], form: str | None) -> None:
    """Print outputs: a single one bare, so that a script can take it."""
    data = {name: typed.to_data(value) for name, value in outputs.items()}
    if form == "json":
        click.echo(json.dumps(data, indent=2))
    elif len(data) == 1:
        (only,) = data.values()
        click.echo(only if isinstance(only, str) else json.dumps(only))
    else:
        show(data, "text")


def table(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rows in columns."""
    if not rows:
        click.echo("nothing found")
        return
    columns = list(rows[0])
    cells = [[str(row.get(column, "")) for column in columns] for row in rows]
    widths = [max(len(line[place]) for line in [columns, *cells]) for place in range(len(columns))]
    for line in [[column.upper() for column in columns], *cells]:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def give_hints(entities: Iterable[entity.Entity]) -> None:
    """Say what the author of entities may want to know, once."""
    for hint in dict.fromkeys(hint for one in entities for hint in hints.hints_for(one)):
        progress(hint)


def pairs(given: Iterable[str], option: str) -> dict[str, str]:
    """KEY=VALUE options as a mapping."""
    found = {}
    for text in given:
        key, separator, value = text.partition("=")
        if not separator or not key:
            raise click.BadParameter(f"expected KEY=VALUE, found {text!r}", param_hint=option)
        found[key] = value
    return found


def progress(text: str) -> None:
    """Print a line about what happens, apart from results."""
    click.echo(text, file=sys.stderr)
