"""Starting a project, and the configuration file."""

from __future__ import annotations

import dataclasses
import pathlib
import re

import click

from volant.cli import platform
from volant.client import config as configuration

_WORKFLOW = '''"""The first workflow of {name}. Run it here: volant run workflows.py hello --name Ada"""

from volant import task, workflow


@task
def greet(name: str) -> str:
    """A greeting for somebody."""
    return f"Hello, {{name}}!"


@task
def shout(text: str) -> str:
    """The same, louder."""
    return text.upper()


@workflow
def hello(name: str = "world") -> str:
    """Greet somebody loudly."""
    return shout(text=greet(name=name))
'''
_TEST = '''"""Tasks and workflows are functions: tests call them."""

from workflows import greet, hello


def test_greet() -> None:
    assert greet(name="Ada") == "Hello, Ada!"


def test_hello() -> None:
    assert hello() == "HELLO, WORLD!"
'''
_IGNORE = "__pycache__/\n.venv/\n"


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=pathlib.Path))
def init(folder: pathlib.Path) -> None:
    """Start a project in FOLDER: a first workflow and a test of it."""
    files = {"workflows.py": _WORKFLOW.format(name=folder.name), "test_workflows.py": _TEST, ".gitignore": _IGNORE}
    taken = [name for name in files if (folder / name).exists()]
    if taken:
        raise click.ClickException(f"{folder / taken[0]} is there already; nothing was written")
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_text(content)
        click.echo(f"wrote {folder / name}")
    click.echo(f"Next: volant run {folder / 'workflows.py'} hello --name Ada")


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
