"""Bindings and conditions as messages."""

from __future__ import annotations

from typing import Any

from volant import errors
from volant.authoring import binding as bindings
from volant.authoring import conditional
from volant.authoring import promise as promises
from volant.types import engine
from volantidl.core import condition_pb2, literals_pb2, types_pb2

_OPERATORS = {
    "==": condition_pb2.ComparisonExpression.EQ,
    "!=": condition_pb2.ComparisonExpression.NEQ,
    ">": condition_pb2.ComparisonExpression.GT,
    ">=": condition_pb2.ComparisonExpression.GTE,
    "<": condition_pb2.ComparisonExpression.LT,
    "<=": condition_pb2.ComparisonExpression.LTE,
}


def binding(name: str, bound: bindings.Binding) -> literals_pb2.Binding:
    """A named binding."""
    return literals_pb2.Binding(var=name, binding=data(bound))


def data(bound: bindings.Binding) -> literals_pb2.BindingData:
    """What a binding takes its value from."""
    if isinstance(bound, promises.Promise):
        return literals_pb2.BindingData(promise=reference(bound))
    if isinstance(bound, bindings.BindingList):
        items = [data(item) for item in bound.items]
        return literals_pb2.BindingData(collection=literals_pb2.BindingDataCollection(bindings=items))
    if isinstance(bound, bindings.BindingMap):
        mapped = {key: data(item) for key, item in bound.items.items()}
        return literals_pb2.BindingData(map=literals_pb2.BindingDataMap(bindings=mapped))
    return constant(bound)


def reference(promise: promises.Promise) -> types_pb2.OutputReference:
    """Which output of which node."""
    path = [
        types_pb2.PromiseAttribute(int_value=part)
        if isinstance(part, int)
        else types_pb2.PromiseAttribute(string_value=part)
        for part in promise._path  # noqa: SLF001 - a promise's own names must not hide the value's
    ]
    node_id = promise.node.id if promise.node is not None else ""
    return types_pb2.OutputReference(node_id=node_id, var=promise._var, attr_path=path)  # noqa: SLF001


def constant(literal: literals_pb2.Literal) -> literals_pb2.BindingData:
    """A literal as a binding."""
    kind = literal.WhichOneof("value")
    if kind == "collection":
        items = [constant(item) for item in literal.collection.literals]
        return literals_pb2.BindingData(collection=literals_pb2.BindingDataCollection(bindings=items))
    if kind == "map":
        mapped = {key: constant(item) for key, item in literal.map.literals.items()}
        return literals_pb2.BindingData(map=literals_pb2.BindingDataMap(bindings=mapped))
    return literals_pb2.BindingData(scalar=literal.scalar)


def condition(expression: promises.Expression) -> condition_pb2.BooleanExpression:
    """A condition of a branch."""
    if isinstance(expression, promises.Conjunction):
        operator = condition_pb2.ConjunctionExpression
        return condition_pb2.BooleanExpression(
            conjunction=condition_pb2.ConjunctionExpression(
                operator=operator.AND if expression.operator == "and" else operator.OR,
                left_expression=condition(expression.left),
                right_expression=condition(expression.right),
            )
        )
    assert isinstance(expression, promises.Comparison)
    return condition_pb2.BooleanExpression(
        comparison=condition_pb2.ComparisonExpression(
            operator=_OPERATORS[expression.operator],
            left_value=_operand(expression.left),
            right_value=_operand(expression.right),
        )
    )


def _operand(side: Any) -> condition_pb2.Operand:
    if isinstance(side, promises.Promise):
        return condition_pb2.Operand(var=conditional.operand_name(side))
    literal = engine.to_literal(side, type(side))
    kind = literal.scalar.WhichOneof("value")
    if kind == "primitive":
        return condition_pb2.Operand(primitive=literal.scalar.primitive)
    if kind == "none_type":
        return condition_pb2.Operand(scalar=literal.scalar)
    raise errors.DefinitionError(f"a conditional compares numbers, texts, truth values and times, not {side!r}")
