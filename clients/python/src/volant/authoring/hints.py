"""What the author of a workflow may want to know, though nothing is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from volant.authoring import conditional, entity, launch_plan, mapping, task, workflow
from volant.types import annotated, engine, transformer


def hints_for(one: entity.Entity) -> Iterator[str]:
    """Hints about an entity and what it calls, each once."""
    if isinstance(one, workflow.PythonWorkflow) and one.is_eager and one.eager_reason != "@eager":
        yield f"{one.name} is run eagerly, without a fixed graph: {one.eager_reason}"
    yield from _pickles(one)
    for called in _called_by(one, {id(one)}):
        yield from _pickles(called)


def _pickles(one: entity.Entity) -> Iterator[str]:
    """Inputs and outputs that nobody checks, because their types are not known."""
    if not isinstance(one, task.PythonTask):
        return
    for what, places in (("input", one.interface.inputs), ("output", one.interface.outputs)):
        for name, kind in places.items():
            bare = annotated.bare(kind)
            if bare is Any:
                yield (
                    f"{one.source}: {one.name}: the {what} {name!r} has no type, so it travels as a pickle and nothing "
                    f"checks it; annotate it"
                )
            elif engine.is_pickled(bare) and getattr(bare, "__module__", "builtins") not in {"builtins", "typing"}:
                yield (
                    f"{one.source}: {one.name}: the {what} {name!r} travels as a pickle, because "
                    f"{transformer.describe(bare)} is not known; a dataclass, or a volant.types.Transformer for it, "
                    f"travels better"
                )


def _called_by(one: entity.Entity, seen: set[int]) -> Iterator[entity.Entity]:
    if isinstance(one, launch_plan.LaunchPlan):
        one = one.workflow
    if isinstance(one, mapping.MapTask):
        below: list[entity.Entity] = [one.target]
    elif isinstance(one, conditional.Branch):
        below = [made.entity for made in one.targets]
    elif isinstance(one, workflow.Workflow) and not one.is_eager:
        below = [made.entity for made in one.graph.nodes]
    else:
        return
    for called in below:
        if id(called) not in seen:
            seen.add(id(called))
            yield called
            yield from _called_by(called, seen)
