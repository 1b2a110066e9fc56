"""The environments that stand in for images: made once, kept on disk, the least recently used removed at a bound."""

import asyncio
import contextlib
import dataclasses
import logging
import os
import pathlib
import shutil
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

from volant_core import aio, errors
from volant_engine.launchers.process import installing, recipes
from volant_engine.launchers.process import settings as process_settings

_log = logging.getLogger(__name__)


@dataclasses.dataclass(slots=True)
class _Build:
    """An environment that is being made, and who waits for it."""

    done: asyncio.Future[None]
    lines: list[str] = dataclasses.field(default_factory=list)
    logs: list[str] = dataclasses.field(default_factory=list)
    """The logs of the attempts that wait."""


class Environments:
    """All environments of a launcher."""

    def __init__(self, settings: process_settings.ProcessSettings, environment: Mapping[str, str]) -> None:
        """`environment` is what installers run with."""
        self._settings = settings
        left_out = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
        self._environment = {name: value for name, value in environment.items() if name not in left_out}
        self._base: asyncio.Future[installing.Base] | None = None
        self._builds: dict[str, _Build] = {}
        self._tasks = aio.Tasks("environments")
        self._running = installing.Running()

    async def start(self) -> None:
        """Remove what was not finished before."""
        await asyncio.to_thread(_remove_drafts, self._settings.environments)

    async def close(self) -> None:
        """End what is being made."""
        self._running.stop()
        await self._tasks.cancel()
        for build in self._builds.values():
            build.done.cancel()

    async def python(
        self, recipe: recipes.Recipe, log: str, waits: Callable[[], None], in_use: Collection[pathlib.Path]
    ) -> pathlib.Path:
        """The interpreter of a recipe's environment, made if it is not there.

        Args:
            recipe: What it holds.
            log: The attempt's log, which is told what happens.
            waits: Called when it must be waited for.
            in_use: Interpreters that have processes, whose environments are not removed.

        Raises:
            FailedPreconditionError: It can't be made.
        """
        folder = await self._folder(recipe)
        if not await asyncio.to_thread(_touch, folder):
            build = self._builds.get(folder.name)
            if build is None:
                build = self._builds[folder.name] = _Build(asyncio.get_running_loop().create_future())
                build.done.add_done_callback(_seen)
                self._tasks.start(f"make {folder.name}", self._make(recipe, folder, build))
            waits()
            before = tuple(build.lines)
            build.logs.append(log)
            await asyncio.to_thread(_append, [log], before)
            await asyncio.shield(build.done)
            await asyncio.to_thread(self._prune, {path.parent.parent for path in in_use} | {folder})
        return folder / "bin" / "python"

    async def _folder(self, recipe: recipes.Recipe) -> pathlib.Path:
        return self._settings.environments / recipe.key((await self._look()).identity)

    async def _look(self) -> installing.Base:
        if self._base is None or (self._base.done() and self._base.exception() is not None):
            self._base = self._tasks.start(
                "look at the base", asyncio.to_thread(installing.look_at, self._settings.python, self._environment)
            )
            self._base.add_done_callback(_seen)
        return await asyncio.shield(self._base)

    async def _make(self, recipe: recipes.Recipe, folder: pathlib.Path, build: _Build) -> None:
        base = await self._look()
        began = time.monotonic()

        def say(line: str) -> None:
            build.lines.append(line)
            _append(build.logs, [line])

        def work() -> None:
            say(f"Making the environment of the image {recipe.image}, once for all of its tasks: {recipe.words}")
            if recipe.only_in_images:
                say(recipe.left_out)
            folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            installing.build(recipe, base, folder, self._environment, self._running, say)
            say(f"The environment is ready after {time.monotonic() - began:.1f} s")

        try:
            await asyncio.to_thread(work)
        except errors.VolantError as error:
            build.done.set_exception(error)
        except OSError as error:
            build.done.set_exception(
                errors.UnavailableError(f"the environment of the image {recipe.image} can't be made: {error}")
            )
        else:
            _log.info("made the environment %s of %s: %s", folder.name, recipe.image, recipe.words)
            build.done.set_result(None)
        finally:
            del self._builds[folder.name]

    def _prune(self, kept: Collection[pathlib.Path]) -> None:
        """Remove what was used least recently, over the bound."""
        found = []
        for mark in self._settings.environments.glob(f"*/{installing.MARK}"):
            with contextlib.suppress(OSError):
                found.append((mark.stat().st_mtime, mark.parent))
        found.sort()
        for used, folder in found[: max(0, len(found) - self._settings.environments_kept)]:
            if folder not in kept and time.time() - used >= self._settings.environments_safe:
                gone = folder.with_name(f"{folder.name}~gone")
                with contextlib.suppress(OSError):
                    folder.rename(gone)  # from now on it is not found
                shutil.rmtree(gone, ignore_errors=True)
                _log.info("removed the environment %s: others were used since", folder.name)


def _touch(folder: pathlib.Path) -> bool:
    """Note that an environment is used; False where there is none."""
    try:
        os.utime(folder / installing.MARK)
    except FileNotFoundError:
        return False
    return True


def _append(logs: Collection[str], lines: Collection[str]) -> None:
    data = "".join(f"{line}\n" for line in lines).encode()
    for log in logs if data else ():
        with contextlib.suppress(OSError):
            path = pathlib.Path(log)
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "ab") as file:
                file.write(data)


def _remove_drafts(folder: pathlib.Path) -> None:
    for draft in folder.glob("*~*"):
        shutil.rmtree(draft, ignore_errors=True)


def _seen(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()
