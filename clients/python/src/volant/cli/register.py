"""`volant register`."""

from __future__ import annotations

import collections
import dataclasses
import pathlib
import threading
import time
from collections.abc import Iterable

import click

from volant.authoring import entity, launch_plan
from volant.cli import live, loading, platform
from volant.client import code, registration, remote
from volant.serialization import settings as serialization_settings

_SHORT = 20
"""Lines up to which a summary names what is unchanged too."""


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=pathlib.Path))
@click.option("-v", "--version", help="The version of everything; by default each entity's code makes its own.")
@click.option("-i", "--image", "images", multiple=True, help="An image: NAME, or KEY=NAME; may be repeated.")
@click.option("--env", multiple=True, help="KEY=VALUE for every task; may be repeated.")
@click.option(
    "--copy",
    type=click.Choice(["auto", "all", "none"]),
    help="Which code is uploaded: what is imported (the default for files), all of the folder (for folders), none.",
)
@click.option("--activate-launchplans", "activate", is_flag=True, help="Make the launch plans active.")
@click.option("--dry-run", is_flag=True, help="Only say what would be registered, in which version.")
@platform.options
def register(
    platform_: remote.Remote,
    *,
    paths: tuple[pathlib.Path, ...],
    version: str | None,
    images: tuple[str, ...],
    env: tuple[str, ...],
    copy: str | None,
    activate: bool,
    dry_run: bool,
    form: str,
) -> None:
    """Upload code and register what it defines: tasks, workflows, launch plans.

    PATHS are files, or folders of which all files are taken. A version comes from the code that an entity needs:
    after an edit, only what the edit is part of is registered again.
    """
    begun = time.monotonic()
    grouped = loading.load_trees(paths)
    platform.give_hints(one for entities in grouped.values() for one in entities)
    copy = copy or ("all" if any(path.is_dir() for path in paths) else "auto")
    named = platform.pairs((pair for pair in images if "=" in pair), "--image")
    plain_image = next((name for name in images if "=" not in name), None)
    environment = platform.pairs(env, "--env")
    if dry_run:
        base = serialization_settings.SerializationSettings(
            platform_.config.project, platform_.config.domain, images=named, environment=environment
        )
        base = dataclasses.replace(base, image=plain_image) if plain_image else base
        platform.show(_plan(grouped, base, version, copy), form)
        return
    told = _Told(quiet=form == "json")
    try:
        for root, entities in grouped.items():
            platform_.register(
                *entities,
                version=version,
                root=root,
                copy=copy,
                image=plain_image,
                images=named,
                environment=environment,
                activate=activate,
                progress=told,
            )
    finally:
        told.end()
    if form == "json":
        platform.show(told.as_data(), form)
    else:
        where = f"{platform_.config.project}/{platform_.config.domain} at {platform_.config.endpoint}"
        told.summarize(where, time.monotonic() - begun)
        if not activate:
            _tell_of_schedules((one for entities in grouped.values() for one in entities), told)


def _tell_of_schedules(entities: Iterable[entity.Entity], told: _Told) -> None:
    for one in entities:
        if not isinstance(one, launch_plan.LaunchPlan) or one.settings.schedule is None or one.settings.auto_activate:
            continue
        if told.is_new(one.name):
            platform.progress(f"The schedule of {one.name} counts once it is active: volant activate {one.name}")


def _plan(
    grouped: dict[pathlib.Path, list[entity.Entity]],
    settings: serialization_settings.SerializationSettings,
    version: str | None,
    copy: str,
) -> list[dict[str, str]]:
    rows = []
    for root, entities in grouped.items():
        found = code.Code(entities, settings, root, copy)
        rows += [
            {"kind": loading.kind_of(one), "name": one.name, "version": version or found.version_of(one)}
            for one in entities
        ]
    return rows


class _Told:
    """Progress while it registers, and a summary by modules at the end."""

    def __init__(self, *, quiet: bool) -> None:
        self._outcomes: list[registration.Outcome] = []
        self._live = None if quiet else live.Live()
        self._lock = threading.Lock()

    def __call__(self, outcome: registration.Outcome) -> None:
        with self._lock:
            self._outcomes.append(outcome)
            if self._live is not None and self._live.is_live:
                count = len(self._outcomes)
                self._live.draw([f"{live.spinner(count)} {count}  {outcome.kind} {outcome.name}"])

    def end(self) -> None:
        """Remove the line that tells of progress."""
        if self._live is not None:
            self._live.end(keep=False)

    def as_data(self) -> dict[str, object]:
        """All of it."""
        new = sum(one.is_new for one in self._outcomes)
        listed = sorted(self._outcomes, key=lambda one: (one.kind, one.name))
        return {
            "new": new,
            "unchanged": len(self._outcomes) - new,
            "entities": [dataclasses.asdict(one) for one in listed],
        }

    def is_new(self, name: str) -> bool:
        """Whether something of that name was registered in a version that was not there."""
        return any(one.is_new and one.name == name for one in self._outcomes)

    def summarize(self, where: str, took: float) -> None:
        """A line for each module's new and unchanged entities."""
        groups: dict[tuple[str, bool, str], list[str]] = collections.defaultdict(list)
        for one in self._outcomes:
            module = one.name.rpartition(".")[0] or one.name
            version = one.version if one.is_new else "unchanged"
            groups[module, one.is_new, version].append(one.kind)
        width = max((len(module) for module, _, _ in groups), default=0)
        lines = {key: _counted(kinds) for key, kinds in groups.items()}
        column = max(map(len, lines.values()), default=0)
        is_short = len(lines) <= _SHORT
        for (module, is_new, version), kinds in sorted(lines.items()):
            if not is_new and not is_short:
                continue
            mark = live.paint("✔", fg="green") if is_new else live.paint("=", dim=True)
            platform.progress(f"{mark} {module:<{width}}  {kinds:<{column}}  {live.paint(version, dim=True)}")
        new = sum(one.is_new for one in self._outcomes)
        rest = len(self._outcomes) - new
        said = (
            f"{new} registered" + (f", {rest} unchanged" if rest else "") if new else f"nothing new: {rest} unchanged"
        )
        click.echo(f"{said}, in {where} ({live.duration(took)})")


def _counted(kinds: Iterable[str]) -> str:
    counts = collections.Counter(kinds)
    order = [kind for kind in ("task", "workflow", "launch plan") if counts[kind]]
    return ", ".join(f"{counts[kind]} {kind}{'s' if counts[kind] > 1 else ''}" for kind in order)
