"""The name under which an entity is registered, and the module from which a task process loads it."""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Callable
from typing import Any


def module_of(name: str) -> str:
    """A module's importable name; for a script (`__main__`), the name that its file would be imported by."""
    if name != "__main__":
        return name
    file = getattr(sys.modules.get("__main__"), "__file__", None)
    return module_of_file(pathlib.Path(file)) if file else name


def module_of_file(file: pathlib.Path) -> str:
    """The dotted name of a file, from the topmost folder that is a package."""
    file = file.resolve()
    parts = [] if file.stem == "__init__" else [file.stem]
    folder = file.parent
    while (folder / "__init__.py").exists():
        parts.insert(0, folder.name)
        folder = folder.parent
    return ".".join(parts)


def root_of_file(file: pathlib.Path) -> pathlib.Path:
    """The folder that must be on the path to import a file by `module_of_file`."""
    folder = file.resolve().parent
    while (folder / "__init__.py").exists():
        folder = folder.parent
    return folder


def name_of(function: Callable[..., Any]) -> str:
    """`module.function`; functions inside functions keep the whole path."""
    qualified = str(getattr(function, "__qualname__", None) or getattr(function, "__name__", type(function).__name__))
    return f"{module_of(getattr(function, '__module__', '__main__'))}.{qualified.replace('.<locals>', '')}"
