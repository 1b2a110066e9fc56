"""`volant register`."""

from __future__ import annotations

import pathlib

import click

from volant.authoring import launch_plan
from volant.cli import loading, platform
from volant.client import remote


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True))
@click.option("-v", "--version", help="The version; made from the code by default.")
@click.option("-i", "--image", "images", multiple=True, help="An image: NAME, or KEY=NAME; may be repeated.")
@click.option("--env", multiple=True, help="KEY=VALUE for every task; may be repeated.")
@click.option(
    "--copy",
    type=click.Choice(["auto", "all", "none"]),
    help="Which code is uploaded: what was imported (the default for files), all of the folder (for folders), none.",
)
@click.option("--activate-launchplans", "activate", is_flag=True, help="Make the launch plans active.")
@click.option("--dry-run", is_flag=True, help="Only say what would be registered.")
@platform.options
def register(
    platform_: remote.Remote,
    *,
    paths: tuple[str, ...],
    version: str | None,
    images: tuple[str, ...],
    env: tuple[str, ...],
    copy: str | None,
    activate: bool,
    dry_run: bool,
    form: str,
) -> None:
    """Upload code and register what it defines: tasks, workflows, launch plans.

    PATHS are files, or folders of which all files are taken. The version comes from the code, so registering what
    didn't change changes nothing.
    """
    found = {}
    for path in paths:
        found.update(loading.load_tree(pathlib.Path(path)))
    # Launch plans last: their workflows bring the default ones.
    entities = sorted(found.values(), key=lambda one: isinstance(one, launch_plan.LaunchPlan))
    for one in entities:
        platform.tell_of_eagerness(one)
    if dry_run:
        platform.show([{"kind": type(one).__name__, "name": one.name} for one in entities], form)
        return
    named = dict(pair.split("=", 1) for pair in images if "=" in pair)
    plain_image = next((name for name in images if "=" not in name), None)
    copy = copy or ("all" if pathlib.Path(paths[0]).is_dir() else "auto")
    root = pathlib.Path(paths[0]) if pathlib.Path(paths[0]).is_dir() and copy == "all" else None
    made = platform_.register(
        *entities,
        version=version,
        root=_package_root(root),
        copy=copy,
        image=plain_image,
        images=named,
        environment=dict(pair.split("=", 1) for pair in env),
        activate=activate,
        progress=None if form == "json" else lambda kind, name: platform.progress(f"✔ {kind} {name}"),
    )
    if form == "json":
        platform.show({"version": made, "entities": [one.name for one in entities]}, form)
    else:
        click.echo(f"version {made}")


def _package_root(folder: pathlib.Path | None) -> pathlib.Path | None:
    """The folder that must be on the path: above all packages that the given one is in."""
    while folder is not None and (folder / "__init__.py").exists():
        folder = folder.resolve().parent
    return folder
