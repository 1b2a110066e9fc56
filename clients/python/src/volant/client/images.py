"""The images that code asks for by ImageSpecs: no part of the code, but of what it is, so versions tell of them too."""

from __future__ import annotations

import collections
import pathlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from volant.authoring import conditional, entity, image, mapping, naming, task, workflow
from volant.authoring import node as graphs


def named_in(
    files: Iterable[pathlib.Path], file_of: Callable[[entity.Entity], pathlib.Path | None]
) -> Mapping[pathlib.Path, set[str]]:
    """The names of the images of what each file defines: tasks' own ones, and those that nodes anywhere give them."""
    found: dict[pathlib.Path, set[str]] = collections.defaultdict(set)
    for file in files:
        module = sys.modules.get(naming.module_of_file(file)) if file.suffix == ".py" else None
        for value in list(vars(module).values()) if module is not None else ():
            if isinstance(value, task.Task):
                _note(found, file, value.settings.container_image)
            elif isinstance(value, workflow.Workflow):
                for made in _nodes(value.graph.nodes):
                    target = made.entity.target if isinstance(made.entity, mapping.MapTask) else made.entity
                    home = file_of(target)
                    if home is not None:
                        _note(found, home, made.overrides.container_image)
    return found


def _note(found: dict[pathlib.Path, set[str]], file: pathlib.Path, wanted: Any) -> None:
    if isinstance(wanted, image.ImageSpec):
        found[file].add(wanted.image_name())


def _nodes(made: Iterable[graphs.Node]) -> Iterator[graphs.Node]:
    for one in made:
        yield one
        if isinstance(one.entity, conditional.Branch):
            yield from _nodes(one.entity.targets)
