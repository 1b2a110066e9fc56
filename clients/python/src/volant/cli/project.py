"""Starting a project, and the configuration file."""

from __future__ import annotations

import dataclasses
import importlib.resources
import pathlib
import re

import click

from volant import errors
from volant.cli import platform
from volant.client import config as configuration

_TEMPLATES = {
    "hello": "two tasks and a workflow",
    "data": "a table is cleaned and summed up (needs pandas, pyarrow)",
    "tuning": "settings are tried side by side, the best is kept",
}
_FIRST = {"hello": "hello --name Ada", "data": "quality", "tuning": "tuning"}
_IGNORE = "__pycache__/\n.venv/\n"


@click.command(epilog="\b\nTemplates:\n" + "\n".join(f"  {name:<7} {text}" for name, text in _TEMPLATES.items()))
@click.argument("folder", type=click.Path(file_okay=False, path_type=pathlib.Path))
@click.option("--template", type=click.Choice(list(_TEMPLATES)), default="hello", help="What to start with.")
@click.option("-o", "--output", "form", type=click.Choice(["text", "json"]), default="text", help="How to print.")
def init(folder: pathlib.Path, template: str, form: str) -> None:
    """Start a project in FOLDER: a first workflow and a test of it."""
    source = importlib.resources.files("volant.cli").joinpath("templates", template)
    files = {item.name.removesuffix(".txt"): item.read_text() for item in source.iterdir()}
    files[".gitignore"] = _IGNORE
    with platform.reported():
        taken = [name for name in files if (folder / name).exists()]
        if taken:
            raise errors.DefinitionError(f"{folder / taken[0]} is there already; nothing was written")
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_text(content)
    if form == "json":
        platform.show({"folder": str(folder), "files": sorted(files)}, form)
        return
    for name in sorted(files):
        click.echo(f"wrote {folder / name}")
    click.echo(f"Next: volant run {folder / 'workflows.py'} {_FIRST[template]}")


@click.command()
@click.option("--endpoint", help="Write: host:port of the platform's gRPC service.")
@click.option("--insecure/--secure", default=None, help="Write: without TLS, or with it.")
@click.option("--console", help="Write: URL of its pages.")
@click.option("-p", "--project", help="Write: the project.")
@click.option("-d", "--domain", help="Write: the domain.")
@click.option("-o", "--output", "form", type=click.Choice(["text", "json"]), default="text", help="How to print.")
def config(form: str, **changes: str | bool | None) -> None:
    """Show which platform is talked to; with options, write them to the user's configuration file."""
    given = {key: value for key, value in changes.items() if value is not None}
    with platform.reported():
        if given:
            _write(given)
        platform.show(dataclasses.asdict(configuration.load()), form)


def _write(given: dict[str, str | bool]) -> None:
    file = configuration.config_file()
    known = dataclasses.asdict(configuration.read_file(file)) if file.is_file() else {}
    merged = {key: value for key, value in {**known, **given}.items() if key != "source" and value not in ("", None)}
    lines = []
    for key, value in merged.items():
        text = str(value).lower() if isinstance(value, bool) else '"' + re.sub(r'(["\\])', r"\\\1", str(value)) + '"'
        lines.append(f"{key} = {text}\n")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(lines))
    platform.progress(f"wrote {file}")
