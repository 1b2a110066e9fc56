"""Which case of a branch is taken (contract rows 2.067, 2.068)."""

from typing import Any

from volantidl.core import condition_pb2, literals_pb2, workflow_pb2

_Operator = condition_pb2.ComparisonExpression
_NAMES = {
    _Operator.EQ: "EQ",
    _Operator.NEQ: "NEQ",
    _Operator.GT: "GT",
    _Operator.GTE: "GTE",
    _Operator.LT: "LT",
    _Operator.LTE: "LTE",
}


class MalformedError(Exception):
    """The condition cannot be evaluated, by fault of the workflow's author."""


def taken(block: workflow_pb2.IfElseBlock, inputs: literals_pb2.LiteralMap) -> workflow_pb2.Node | None:
    """The case whose condition holds, else the default; None when there is no default either."""
    for case in (block.case, *block.other):
        if holds(case.condition, inputs):
            return case.then_node
    return block.else_node if block.WhichOneof("default") == "else_node" else None


def holds(expression: condition_pb2.BooleanExpression, inputs: literals_pb2.LiteralMap) -> bool:
    """Whether an expression is true. Both sides of AND and OR are looked at always, so that errors show."""
    kind = expression.WhichOneof("expr")
    if kind == "comparison":
        return _compare(expression.comparison, inputs)
    if kind != "conjunction":
        raise MalformedError("No Comparison or Conjunction found in Branch node expression.")
    left = holds(expression.conjunction.left_expression, inputs)
    right = holds(expression.conjunction.right_expression, inputs)
    if expression.conjunction.operator == condition_pb2.ConjunctionExpression.OR:
        return left or right
    return left and right


def _compare(comparison: condition_pb2.ComparisonExpression, inputs: literals_pb2.LiteralMap) -> bool:
    left_kind, left = _operand(comparison.left_value, inputs, "LHS")
    right_kind, right = _operand(comparison.right_value, inputs, "RHS")
    operator = comparison.operator
    if left_kind != right_kind:
        if "none" in {left_kind, right_kind} and operator in {_Operator.EQ, _Operator.NEQ}:
            return operator == _Operator.NEQ
        raise MalformedError(f"Comparison between different primitives types. lVal[{left_kind}]:rVal[{right_kind}]")
    if operator == _Operator.EQ:
        return bool(left == right)
    if operator == _Operator.NEQ:
        return bool(left != right)
    if left_kind in {"boolean", "none"}:
        raise MalformedError(f"[{_NAMES.get(operator, operator)}] not defined for {left_kind} operands.")
    if operator == _Operator.GT:
        return bool(left > right)
    if operator == _Operator.GTE:
        return bool(left >= right)
    if operator == _Operator.LT:
        return bool(left < right)
    if operator == _Operator.LTE:
        return bool(left <= right)
    raise MalformedError(f"Unsupported operator [{operator}] in a comparison.")


def _operand(operand: condition_pb2.Operand, inputs: literals_pb2.LiteralMap, side: str) -> tuple[str, Any]:
    kind = operand.WhichOneof("val")
    if kind == "primitive":
        return _value(operand.primitive)
    if kind == "scalar":
        return _scalar(operand.scalar, side)
    literal = inputs.literals.get(operand.var)
    if literal is None:
        raise MalformedError(f"Failed to find Value for Variable [{operand.var}]")
    if literal.WhichOneof("value") != "scalar":
        raise MalformedError(f"Only primitives can be compared. {side} Variable is non primitive.")
    return _scalar(literal.scalar, side)


def _scalar(scalar: literals_pb2.Scalar, side: str) -> tuple[str, Any]:
    kind = scalar.WhichOneof("value")
    if kind == "union":
        return _scalar(scalar.union.value.scalar, side)
    if kind == "none_type":
        return ("none", None)
    if kind != "primitive":
        raise MalformedError(f"Only primitives can be compared. {side} Variable is non primitive.")
    return _value(scalar.primitive)


def _value(primitive: literals_pb2.Primitive) -> tuple[str, Any]:
    """Points and lengths of time compare by whole seconds, as in Flyte."""
    kind = primitive.WhichOneof("value") or "none"
    if kind == "datetime":
        return (kind, primitive.datetime.seconds)
    if kind == "duration":
        return (kind, primitive.duration.seconds)
    return (kind, getattr(primitive, kind) if kind != "none" else None)
