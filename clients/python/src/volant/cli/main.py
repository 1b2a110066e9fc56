"""The command group, and the commands that hand over to the platform's own program."""

from __future__ import annotations

import importlib.util
import os
import sys

import click

_PASS_ON = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Volant: typed workflows, locally and on a platform."""


def _platform_command(name: str, summary: str) -> None:
    @main.command(name=name, help=summary, context_settings=_PASS_ON)
    @click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
    def run(arguments: tuple[str, ...]) -> None:
        if importlib.util.find_spec("volant_server") is None:
            raise click.ClickException(
                f"`volant {name}` needs the platform, which is not installed here: pip install volant-server"
            )
        sys.stdout.flush()
        os.execv(sys.executable, [sys.executable, "-m", "volant_server", name, *arguments])  # noqa: S606 - hands over


_platform_command("up", "Start the platform on this machine.")
_platform_command("down", "Stop the platform that runs on this machine.")
_platform_command("status", "Say whether the platform runs on this machine.")
_platform_command("secret", "Set, list and delete the secrets of this machine's platform.")
