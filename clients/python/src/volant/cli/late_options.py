"""Commands whose options are known when what they run is: an entity's inputs, beside the options that all have."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from volant.authoring import interface
from volant.cli import inputs as typed
from volant.client import remote

_PREFIX = "volant_"


class Leading(click.Command):
    """Reads its own options and arguments; what follows is read again when the entity is known."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Stop at the first argument."""
        ctx.allow_interspersed_args = False
        return super().parse_args(ctx, args)


class EntityCommand(click.Command):
    """Shows an entity's inputs before the options that all have.

    Args:
        name: The whole command, for help.
        signature: The entity's interface.
        shared: Options that all entities have; those whose flags an input takes are left out.
        summary: What the entity is, in a line.
    """

    def __init__(self, name: str, signature: interface.Interface, shared: Sequence[click.Option], summary: str) -> None:
        self._inputs = typed.parameters(signature)
        taken = {flag for option in self._inputs for flag in (*option.opts, *option.secondary_opts)}
        self._shared = [option for option in shared if not taken & {*option.opts, *option.secondary_opts}]
        super().__init__(name, params=[*self._inputs, *self._shared], help=summary)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Two sections."""
        for title, options in (("Inputs", self._inputs), ("Options", self._shared)):
            shown = [record for option in options if (record := option.get_help_record(ctx)) is not None]
            if shown:
                with formatter.section(title):
                    formatter.write_dl(shown)

    @contextlib.contextmanager
    def read(self, rest: Sequence[str], given: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """Inputs, and the values of the shared options: from the rest of the command line, or given before it."""
        with self.make_context(self.name, list(rest)) as ctx:
            yield _split(ctx.params, given)


def peek(shared: Sequence[click.Option], rest: Sequence[str], given: Mapping[str, Any]) -> dict[str, Any]:
    """The values of the shared options, before it is known which inputs there are."""
    lenient = {"ignore_unknown_options": True, "allow_extra_args": True}
    command = click.Command("peek", params=list(shared), context_settings=lenient, add_help_option=False)
    return _split(command.make_context("peek", list(rest)).params, given)[1]


def _split(found: Mapping[str, Any], given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    inputs = dict(found)
    settings = {}
    for key, first in given.items():
        second = inputs.pop(key, None)
        settings[key.removeprefix(_PREFIX)] = second if second not in (None, ()) else first
    return inputs, settings


def of_platforms() -> list[click.Option]:
    """Options that choose a platform and how things are printed."""
    return [
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
    ]


def of_starting() -> list[click.Option]:
    """Options of executions."""

    def flag(name: str, about: str) -> click.Option:
        return click.Option([f"--{name}", f"{_PREFIX}{name.replace('-', '_')}"], is_flag=True, default=None, help=about)

    return [
        click.Option(["--name", "volant_name"], help="The execution's name."),
        flag("wait", "Wait for the end, and print the outputs."),
        flag("watch", "The same, showing the nodes and what they write."),
        click.Option(["--timeout", "volant_timeout"], type=float, help="Seconds to wait at most."),
        flag("overwrite-cache", "Run cached tasks too."),
        click.Option(["--env", "volant_env"], multiple=True, help="KEY=VALUE for every task; may be repeated."),
        click.Option(["--tag", "volant_tag"], multiple=True, help="A tag of the execution; may be repeated."),
    ]


def platform(settings: Mapping[str, Any]) -> remote.Remote:
    """The platform that options choose."""
    return remote.Remote(
        settings["endpoint"],
        insecure=settings["insecure"],
        project=settings["project"],
        domain=settings["domain"],
        config_file=settings["config"],
    )
