"""Entities from files and folders of code."""

from __future__ import annotations

import importlib
import pathlib
import sys
import types

import click

from volant import errors
from volant.authoring import entity, launch_plan, naming, task, workflow
from volant.client import packaging


def load_file(path: pathlib.Path) -> types.ModuleType:
    """Import a file by the name that a task process will import it by."""
    if not path.is_file():
        raise errors.DefinitionError(f"there is no file {path}")
    root = str(naming.root_of_file(path))
    if root not in sys.path:
        sys.path.insert(0, root)
    name = naming.module_of_file(path)
    module = importlib.import_module(name)
    found = getattr(module, "__file__", None)
    if found and pathlib.Path(found).resolve() != path.resolve():
        raise errors.DefinitionError(f"{path}: another module of the name {name!r} comes first: {found}")
    return module


def find(module: types.ModuleType, name: str) -> entity.Entity:
    """A module's entity by the name of its variable, or of a launch plan."""
    found = getattr(module, name, None)
    if isinstance(found, entity.Entity):
        return found
    for value in vars(module).values():
        if isinstance(value, launch_plan.LaunchPlan) and value.name == name:
            return value
    names = ", ".join(sorted(entities_of(module))) or "none"
    raise errors.DefinitionError(f"{module.__name__} has no task, workflow or launch plan {name!r}; it has {names}")


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


def load_tree(path: pathlib.Path) -> dict[str, entity.Entity]:
    """The entities of a file, or of all files below a folder, by their registered names."""
    if path.is_file():
        files = [path]
    elif path.is_dir():
        files = [file for file in packaging.all_files(path) if file.suffix == ".py"]
    else:
        raise errors.DefinitionError(f"there is nothing at {path}")
    found: dict[str, entity.Entity] = {}
    for file in files:
        if file.name in {"setup.py", "conftest.py"} or file.name.startswith("test_"):
            continue
        for one in entities_of(load_file(file)).values():
            kind = type(one).__name__ if not isinstance(one, task.Task) else "task"
            found[f"{kind} {one.name}"] = one
    if not found:
        raise click.ClickException(f"no tasks, workflows or launch plans below {path}")
    return found
