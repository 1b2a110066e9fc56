"""What flytekit makes when it is imported that forks must not share. Loaded by file into its zygote.

The zygote calls `forked` in each attempt, before the entry point.
"""
# mypy: disable-error-code="import-not-found"

from __future__ import annotations

import asyncio
import contextlib
import importlib
import pathlib
from typing import Any

import volant_folder_files as files
from flytekit.core import data_persistence


class LateLoop:
    """An event loop that is made when it is first used: by a fork, for itself."""

    def __init__(self) -> None:
        """Make nothing yet."""
        self._made: asyncio.AbstractEventLoop | None = None

    def __getattr__(self, name: str) -> Any:
        """Whatever the loop has."""
        if self._made is None:
            self._made = asyncio.new_event_loop()
        return getattr(self._made, name)


def replace_loops() -> None:
    """The loop for connectors that are tried out locally: made at import, used hardly ever."""
    # The module's name has changed once ("agent" before "connector").
    for kind in ("connector", "agent"):
        with contextlib.suppress(ImportError):
            module = importlib.import_module(f"flytekit.extend.backend.base_{kind}")
            for name, value in list(vars(module).items()):
                if isinstance(value, asyncio.AbstractEventLoop):
                    value.close()
                    setattr(module, name, LateLoop())


def forked(folder: str) -> None:
    """Put the user's working folder into the attempt's own: else it would stay after the attempt."""
    files.find_store()  # the attempt may have one of its own
    provider = data_persistence.default_local_file_access_provider
    provider._local_sandbox_dir = pathlib.Path(folder, "tmp")  # noqa: SLF001 (no other way)
    provider._raw_output_prefix = f"{folder}/tmp/raw/"  # noqa: SLF001, S108 (its own)


replace_loops()
