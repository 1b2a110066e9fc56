"""Map tasks on the platform: one process runs one element."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from volant import errors
from volant.authoring import interface, task
from volant.runtime import resolver
from volant.storage import router
from volantidl.core import literals_pb2


def element_index(environ: Mapping[str, str]) -> int:
    """Which element this process runs."""
    offset = int(environ.get("BATCH_JOB_ARRAY_INDEX_OFFSET") or 0)
    variable = environ.get("BATCH_JOB_ARRAY_INDEX_VAR_NAME")
    if not variable:
        return offset
    if variable not in environ:
        raise errors.DefinitionError(
            f"the environment variable {variable}, which should hold the map's index, is not set"
        )
    return offset + int(environ[variable])


LOCATION = "volant.runtime.mapped.map_task_resolver"
"""What `--resolver` says for map tasks."""


class ElementTask(task.Task):
    """The inner task of a map, given whole lists, for one element."""

    def __init__(self, inner: task.Task, bound: Sequence[str]) -> None:
        signature = interface.Interface(
            inputs=inner.interface.inputs,
            outputs=inner.interface.outputs,
            defaults=inner.interface.defaults,
            output_class=inner.interface.output_class,
        )
        super().__init__(inner.name, signature, inner.settings)
        self._inner = inner
        self._bound = set(bound)

    def decode_inputs(self, literals: Mapping[str, literals_pb2.Literal]) -> dict[str, Any]:
        """The element's inputs: its item of each list, and all of what was bound."""
        index = element_index(os.environ)
        chosen = {}
        for name, literal in literals.items():
            if name in self._bound:
                chosen[name] = literal
                continue
            whole = _whole(literal)
            if whole.WhichOneof("value") != "collection" or not 0 <= index < len(whole.collection.literals):
                raise errors.TypeMismatchError(f"{self.name}: the list {name!r} has no element {index}")
            chosen[name] = whole.collection.literals[index]
        return self._inner.decode_inputs(chosen)

    def execute(self, inputs: Mapping[str, Any]) -> Any:
        """Do the inner task's work."""
        return self._inner.execute(inputs)

    def encode_outputs(self, result: Any) -> dict[str, literals_pb2.Literal]:
        """The inner task's outputs."""
        return self._inner.encode_outputs(result)


def _whole(literal: literals_pb2.Literal) -> literals_pb2.Literal:
    if literal.WhichOneof("value") == "offloaded_metadata":
        return literals_pb2.Literal.FromString(router.read(literal.offloaded_metadata.uri))
    return literal


class MapResolver:
    """`vars "a,b" resolver R …`: the inner task's own resolver does the rest."""

    def load_task(self, loader_args: Sequence[str]) -> task.Task:
        """The inner task, for one element."""
        if len(loader_args) < 5 or loader_args[0] != "vars" or loader_args[2] != "resolver":
            raise errors.DefinitionError(f"expected 'vars V resolver R …', found {' '.join(loader_args)!r}")
        inner = resolver.load_resolver(loader_args[3]).load_task(loader_args[4:])
        bound = [name for name in loader_args[1].split(",") if name]
        return ElementTask(inner, bound)


map_task_resolver: MapResolver = MapResolver()
