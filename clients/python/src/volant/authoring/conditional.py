"""`conditional`: a branch of the graph that is chosen when the workflow runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from volant import errors, user_code
from volant.authoring import calls, entity, interface, node, tracing
from volant.authoring import promise as promises
from volant.types import transformer


@dataclasses.dataclass(frozen=True)
class Case:
    """A condition and the node that runs if it holds."""

    condition: promises.Expression
    then: node.Node


class Branch(entity.Entity):
    """The finished conditional, as an entity of its node."""

    def __init__(
        self,
        name: str,
        signature: interface.Interface,
        cases: Sequence[Case],
        else_node: node.Node | None,
        failure: str | None,
    ) -> None:
        super().__init__(name, signature)
        self.cases: list[Case] = list(cases)
        self.else_node = else_node
        self.failure = failure
        """The message of `.fail(…)`; None where there's an else node."""

    @property
    def targets(self) -> list[node.Node]:
        """The nodes that can be chosen."""
        return [*(case.then for case in self.cases), *([self.else_node] if self.else_node is not None else [])]

    def run(self, inputs: Mapping[str, Any]) -> Any:  # noqa: ARG002 - the interface's
        """Refused: a branch lives inside a graph."""
        raise errors.DefinitionError("a conditional runs only inside a workflow")


class ConditionalSection:
    """`conditional("name")`: continue with `.if_(…)`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._line = user_code.caller_line()
        caller = calls.current()
        if caller is None:
            raise errors.DefinitionError(f"{self._line}: conditional() belongs inside a workflow; elsewhere use 'if'")
        self._tracer = caller if isinstance(caller, tracing.Tracer) else None
        self._cases: list[tuple[promises.Expression, node.Node]] = []
        self._chosen: list[Any] = []

    def if_(self, condition: Any) -> Then:
        """The first condition."""
        return Then(self, condition)

    # ---- used by the parts of the chain

    def begin(self, condition: Any) -> Any:
        """Open the scope of a case; in an eager body, decide whether its calls are made."""
        if self._tracer is not None:
            if condition is not None and not isinstance(condition, promises.Expression):
                hint = ". Use .is_true()" if isinstance(condition, promises.Promise) else ""
                raise errors.DefinitionError(
                    f"{user_code.caller_line()}: conditional({self._name!r}): expected a comparison, "
                    f"found {condition!r}{hint}"
                )
            self._tracer.open_scope()
            return None
        holds = not self._chosen and (condition is None or bool(condition))
        skipping = calls.made_by(calls.current() if holds else _Skipper())
        skipping.__enter__()
        return holds, skipping

    def end(self, state: Any, condition: Any, value: Any, failure: str | None) -> Any:
        """Close the scope; after the else, make the node and give its outputs."""
        if self._tracer is None:
            holds, skipping = state
            skipping.__exit__(None, None, None)
            if holds:
                if failure is not None:
                    raise ValueError(failure)
                self._chosen.append(value)
            return self._chosen[0] if condition is None and self._chosen else Condition(self)
        made = self._tracer.close_scope()
        target = self._target(made, value) if failure is None else None
        if condition is not None:
            if target is None:
                raise errors.DefinitionError(f"{user_code.caller_line()}: only else_() can .fail(…)")
            self._cases.append((condition, target))
            return Condition(self)
        return self._finish(target, failure)

    def _target(self, made: list[node.Node], value: Any) -> node.Node:
        found = getattr(value, "node", None)
        if not made or found is not made[-1]:
            raise errors.DefinitionError(
                f"{user_code.caller_line()}: conditional({self._name!r}): .then(…) needs a call of a task or workflow, "
                f"found {value!r}"
            )
        if len(made) > 1:
            others = ", ".join(one.entity.short_name for one in made[:-1])
            raise errors.DefinitionError(
                f"{user_code.caller_line()}: conditional({self._name!r}): .then(…) takes one call, "
                f"but {others} is called "
                f"in it too. Put them into a workflow of their own and call that"
            )
        return made[0]

    def _finish(self, else_node: node.Node | None, failure: str | None) -> Any:
        assert self._tracer is not None
        cases = [Case(condition, target) for condition, target in self._cases]
        targets = [*(case.then for case in cases), *([else_node] if else_node is not None else [])]
        for number, target in enumerate(targets):
            if target.id == self._tracer.id_at(0):
                target.id = self._tracer.id_at(number)
        branch = Branch(self._name, _common_interface(self._name, targets, self._line), cases, else_node, failure)
        made = node.Node(self._tracer.next_id(), branch, operands(cases), self._line)
        for target in targets:
            for upstream in target.upstream():
                made.ordered_after.setdefault(upstream, self._line)
        self._tracer.append(made)
        return promises.make_outputs(made)


class Then:
    """A condition that was given: continue with `.then(…)`."""

    def __init__(self, section: ConditionalSection, condition: Any) -> None:
        self._section = section
        self._condition = condition
        self._state = section.begin(condition)

    def then(self, value: Any) -> Any:
        """What runs if the condition holds: a call."""
        return self._section.end(self._state, self._condition, value, None)

    def fail(self, message: str) -> Any:
        """Fail with a message."""
        return self._section.end(self._state, self._condition, None, message)


class Condition:
    """A case that is complete: continue with `.elif_(…)` or `.else_()`."""

    is_unfinished_conditional = True

    def __init__(self, section: ConditionalSection) -> None:
        self._section = section

    def elif_(self, condition: Any) -> Then:
        """Another condition."""
        return Then(self._section, condition)

    def else_(self) -> Then:
        """What happens when no condition holds."""
        return Then(self._section, None)


class _Skipper:
    """Takes the calls of a case that isn't chosen, and makes none."""

    def call(self, called: entity.Entity, inputs: Mapping[str, Any]) -> Any:  # noqa: ARG002
        return None


def conditional(name: str) -> ConditionalSection:
    """Begin a conditional: `conditional("size").if_(n > 3).then(big(n=n)).else_().then(small(n=n))`.

    Args:
        name: The name of its node, for people.
    """
    return ConditionalSection(name)


def operands(cases: Sequence[Case]) -> dict[str, Any]:
    """The inputs of a branch node: what its conditions compare. Their names change when a node's id does."""
    found: dict[str, Any] = {}
    for case in cases:
        for promise in case.condition.promises():
            found[operand_name(promise)] = promise
    return dict(sorted(found.items()))


def operand_name(promise: promises.Promise) -> str:
    """The input of a branch node that carries a promise that is compared."""
    path = "".join(f".{part}" for part in promise._path)  # noqa: SLF001 - a promise's own names must not hide the value's
    source = promise.node.id if promise.node is not None else ""
    return f"{source}.{promise._var}{path}"  # noqa: SLF001


def _common_interface(name: str, targets: Sequence[node.Node], line: str) -> interface.Interface:
    """The outputs that all targets have."""
    outputs: dict[str, Any] | None = None
    for target in targets:
        found = dict(target.entity.interface.outputs)
        if outputs is None:
            outputs = found
            continue
        outputs = {key: kind for key, kind in outputs.items() if key in found}
        for key, kind in outputs.items():
            if found[key] != kind:
                raise errors.TypeMismatchError(
                    f"{line}: conditional({name!r}): output {key!r} is {transformer.describe(kind)} in one case and "
                    f"{transformer.describe(found[key])} in another. Give it one type in all cases"
                )
    return interface.Interface(inputs={}, outputs=outputs or {})
