"""What flytekit makes when it is imported that forks must not share. Loaded by file into its zygote."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
from typing import Any


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


replace_loops()
