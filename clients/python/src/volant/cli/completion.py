"""`volant completion`: what a shell needs to complete commands, options, and what a file defines."""

from __future__ import annotations

import ast
import pathlib

import click
from click import shell_completion

_HOW = {
    "bash": 'eval "$(volant completion bash)"      in ~/.bashrc',
    "zsh": 'eval "$(volant completion zsh)"       in ~/.zshrc',
    "fish": "volant completion fish | source       in ~/.config/fish/config.fish",
}


@click.command(epilog="\b\n" + "\n".join(f"{shell}:  {how}" for shell, how in _HOW.items()))
@click.argument("shell", type=click.Choice(sorted(_HOW)))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion of a shell."""
    found = shell_completion.get_completion_class(shell)
    assert found is not None  # the choice says so
    click.echo(found(ctx.find_root().command, {}, "volant", "_VOLANT_COMPLETE").source())


def entities(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """The tasks and workflows of the file on the command line, read without running it."""
    try:
        tree = ast.parse(pathlib.Path(ctx.params["volant_file"]).read_bytes())
    except (OSError, SyntaxError, KeyError, TypeError, ValueError):
        return []
    found = []
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.decorator_list:
            found.append(node.name)
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            found += [target.id for target in node.targets if isinstance(target, ast.Name)]
    return [name for name in found if name.startswith(incomplete)]
