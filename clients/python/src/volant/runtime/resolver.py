"""Finds the task object that a command line names."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any, Protocol

from volant import errors
from volant.authoring import task as tasks


class Resolver(Protocol):
    """Gives back the task that it named when the task was registered."""

    def load_task(self, loader_args: Sequence[str]) -> tasks.Task:
        """The task that these arguments name."""
        ...


class DefaultResolver:
    """Tasks that are variables of a module: `task-module M task-name F`."""

    location = "volant.runtime.resolver.default_task_resolver"
    """What `--resolver` says for it."""

    def load_task(self, loader_args: Sequence[str]) -> tasks.Task:
        """Import the module and take the variable."""
        if len(loader_args) != 4 or loader_args[0] != "task-module" or loader_args[2] != "task-name":
            raise errors.DefinitionError(f"expected 'task-module M task-name F', found {' '.join(loader_args)!r}")
        return find_task(loader_args[1], loader_args[3])


def find_task(module: str, name: str) -> tasks.Task:
    """A module's task by the name of its variable."""
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError as cause:
            raise errors.DefinitionError(
                f"the module {module} has no task {name!r}; was it renamed or moved?"
            ) from cause
    if not isinstance(found, tasks.Task):
        raise errors.DefinitionError(f"{module}.{name} is no task but {type(found).__name__}")
    return found


default_task_resolver: DefaultResolver = DefaultResolver()


def load_resolver(location: str) -> Resolver:
    """The resolver at a dotted path."""
    if location == DefaultResolver.location:
        return default_task_resolver
    module, _, name = location.rpartition(".")
    found: Any = getattr(importlib.import_module(module), name)
    resolver: Resolver = found() if isinstance(found, type) else found
    return resolver
