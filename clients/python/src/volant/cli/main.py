"""The command group. Commands are imported when they are used: `volant --help` must not load the SDK."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import os
import sys

import click

_PASS_ON = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}

_COMMANDS = {
    "run": ("volant.cli.run", "Run a task, workflow or launch plan of a file, here or on a platform."),
    "register": ("volant.cli.register", "Upload code and register what it defines."),
    "launch": ("volant.cli.launch", "Start a registered launch plan, workflow or task."),
    "get": ("volant.cli.get", "Show what a platform has: executions, tasks, workflows, launch plans."),
    "watch": ("volant.cli.executions", "Watch an execution until it has ended."),
    "logs": ("volant.cli.executions", "Print what the tasks of an execution wrote."),
    "abort": ("volant.cli.executions", "End an execution."),
    "relaunch": ("volant.cli.executions", "Start an execution again, with the same inputs."),
    "recover": ("volant.cli.executions", "Start an execution again, taking over what succeeded."),
    "signal": ("volant.cli.executions", "Give a waiting gate its value."),
    "activate": ("volant.cli.executions", "Make a version of a launch plan the active one."),
    "replay": ("volant.cli.replay", "Run a task of an execution here, on its real inputs."),
    "doctor": ("volant.cli.diagnosis", "Look at what is needed to work, and say what is missing."),
    "init": ("volant.cli.project", "Start a project: a folder with a first workflow and a test."),
    "completion": ("volant.cli.completion", "Print what bash, zsh or fish need to complete commands."),
    "config": ("volant.cli.project", "Show or write which platform is talked to."),
}
_PLATFORM_COMMANDS = {
    "up": "Start the platform on this machine.",
    "down": "Stop the platform that runs on this machine.",
    "status": "Say whether the platform runs on this machine.",
    "secret": "Set, list and delete the secrets of this machine's platform.",
}


class _LazyGroup(click.Group):
    """Knows its commands' names and summaries, and imports a command when it's called."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        known = self.list_commands(ctx)
        if args and args[0] not in known and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], known, 1)
            ctx.fail(f"No such command {args[0]!r}." + (f" Did you mean {near[0]!r}?" if near else ""))
        return super().resolve_command(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's interface
        return sorted({*_COMMANDS, *_PLATFORM_COMMANDS})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name in _PLATFORM_COMMANDS:
            return _platform_command(cmd_name)
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(_COMMANDS[cmd_name][0])
        found: click.Command = getattr(module, cmd_name)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        summaries = {name: summary for name, (_, summary) in _COMMANDS.items()} | _PLATFORM_COMMANDS
        with formatter.section("Commands"):
            formatter.write_dl(sorted(summaries.items()))


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="volant", prog_name="volant")
def main() -> None:
    """Volant: typed workflows, locally and on a platform.

    Exit codes: 0 done; 1 it failed; 2 the command, the code or the inputs are wrong, and nothing was started;
    3 no platform answers; 4 a time was over; 130 Ctrl-C.
    """
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # what it has to say is in our errors


def _platform_command(name: str) -> click.Command:
    @click.command(name=name, help=_PLATFORM_COMMANDS[name], context_settings=_PASS_ON)
    @click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
    def run(arguments: tuple[str, ...]) -> None:
        if importlib.util.find_spec("volant_server") is None:
            raise click.ClickException(
                f"`volant {name}` needs the platform, which is not installed here: pip install volant-server"
            )
        sys.stdout.flush()
        os.execv(sys.executable, [sys.executable, "-m", "volant_server", name, *arguments])  # noqa: S606 - hands over

    return run
