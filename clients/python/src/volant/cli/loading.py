"""Entities from files and folders of code."""

from __future__ import annotations

import difflib
import importlib
import pathlib
import sys
import types
from collections.abc import Iterable

from volant import errors
from volant.authoring import entity, launch_plan, naming, task, workflow
from volant.client import packaging
from volant.runtime import failure

_NOT_IMPORTED = {"setup.py", "conftest.py", "__main__.py"}


def load_file(path: pathlib.Path) -> types.ModuleType:
    """Import a file by the name that a task process will import it by."""
    if not path.is_file():
        raise errors.DefinitionError(f"there is no file {path}")
    if path.suffix != ".py":
        raise errors.DefinitionError(f"{path} is no Python file")
    root = str(naming.root_of_file(path))
    if root not in sys.path:
        sys.path.insert(0, root)
    name = naming.module_of_file(path)
    module = _import(name, path)
    found = getattr(module, "__file__", None)
    if found and pathlib.Path(found).resolve() != path.resolve():
        raise errors.DefinitionError(f"{path}: another module of the name {name!r} comes first: {found}")
    return module


def _import(name: str, path: pathlib.Path) -> types.ModuleType:
    try:
        return importlib.import_module(name)
    except errors.VolantError:
        raise  # says itself where and what
    except SyntaxError as cause:
        line = f"\n    {cause.text.strip()}" if cause.text else ""
        raise errors.DefinitionError(f"{cause.filename or path}:{cause.lineno}: {cause.msg}{line}") from cause
    except ImportError as cause:
        hint = ""
        if isinstance(cause, ModuleNotFoundError) and cause.name and cause.name.partition(".")[0] != name:
            hint = f"\nIs it installed for {sys.executable}?"
        raise errors.DefinitionError(f"cannot import {path}\n\n{failure.message_of(cause)}{hint}") from cause
    except SystemExit as cause:
        raise errors.DefinitionError(
            f"{path} ends the program when it is imported; put what it does under `if __name__ == '__main__':`"
        ) from cause
    except Exception as cause:
        raise errors.DefinitionError(f"cannot import {path}\n\n{failure.message_of(cause)}") from cause


def find(module: types.ModuleType, name: str) -> entity.Entity:
    """A module's entity by the name of its variable, or of a launch plan."""
    found = getattr(module, name, None)
    if isinstance(found, entity.Entity):
        return found
    for value in vars(module).values():
        if isinstance(value, launch_plan.LaunchPlan) and value.name == name:
            return value
    known = sorted(entities_of(module))
    near = difflib.get_close_matches(name, known, 1)
    rest = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(known) or 'none'}"
    raise errors.DefinitionError(f"{module.__file__} has no task, workflow or launch plan {name!r}; {rest}")


def entities_of(module: types.ModuleType) -> dict[str, entity.Entity]:
    """The entities that a module defines, by the names of their variables."""
    found: dict[str, entity.Entity] = {}
    for name, value in vars(module).items():
        if isinstance(value, (task.Task, workflow.Workflow, launch_plan.LaunchPlan)) and not name.startswith("_"):
            owner = value.workflow if isinstance(value, launch_plan.LaunchPlan) else value
            function = getattr(owner, "function", None)
            home = getattr(function, "__module__", module.__name__)
            if home == module.__name__ or isinstance(value, launch_plan.LaunchPlan):
                found[name] = value
    return found


def load_trees(paths: Iterable[pathlib.Path]) -> dict[pathlib.Path, list[entity.Entity]]:
    """The entities of files, and of all files below folders, by the folders that are on the path for them.

    What cannot be imported is told for all files together.
    """
    found: dict[str, tuple[pathlib.Path, entity.Entity]] = {}
    failures: list[str] = []
    count = 0
    for path in paths:
        for file in _files(path):
            count += 1
            try:
                defined = entities_of(load_file(file))
            except errors.VolantError as cause:
                failures.append(str(cause))
                continue
            for one in defined.values():
                found[f"{kind_of(one)} {one.name}"] = (naming.root_of_file(file), one)
    if failures:
        several = f"\n\n{len(failures)} of {count} files could not be imported; nothing was registered"
        raise errors.DefinitionError("\n\n".join(failures) + (several if count > 1 else ""))
    if not found:
        raise errors.DefinitionError(f"no tasks, workflows or launch plans in {', '.join(map(str, paths))}")
    grouped: dict[pathlib.Path, list[entity.Entity]] = {}
    # Launch plans last: their workflows bring the default ones.
    for root, one in sorted(found.values(), key=lambda pair: isinstance(pair[1], launch_plan.LaunchPlan)):
        grouped.setdefault(root, []).append(one)
    return grouped


def kind_of(one: entity.Entity) -> str:
    """What an entity is called."""
    if isinstance(one, launch_plan.LaunchPlan):
        return "launch plan"
    return "task" if isinstance(one, task.Task) else "workflow"


def _files(path: pathlib.Path) -> list[pathlib.Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise errors.DefinitionError(f"there is nothing at {path}")
    return [
        file
        for file in packaging.all_files(path)
        if file.suffix == ".py"
        and file.name not in _NOT_IMPORTED
        and not file.name.startswith("test_")
        and not file.name.endswith("_test.py")
    ]
