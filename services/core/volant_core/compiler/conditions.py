"""The conditions of branch nodes."""

from volant_core.compiler import castability
from volant_core.compiler.describe import describe
from volant_core.compiler.interfaces import Types
from volant_core.compiler.report import Code, Report
from volantidl.core import condition_pb2, types_pb2


def check(node_id: str, expression: condition_pb2.BooleanExpression, inputs: Types, report: Report) -> None:
    """Check that operands exist and that what is compared has one type."""
    open_ = [expression]
    while open_:
        one = open_.pop()
        match one.WhichOneof("expr"):
            case "comparison":
                _check_comparison(node_id, one.comparison, inputs, report)
            case "conjunction":
                for side in ("left_expression", "right_expression"):
                    if one.conjunction.HasField(side):
                        open_.append(getattr(one.conjunction, side))
                    else:
                        no_condition(node_id, report)
            case _:
                report.add(Code.VALUE_REQUIRED, node_id, "Value required [Expr].")


def no_condition(node_id: str, report: Report) -> None:
    """Report that a branch lacks its condition."""
    report.add(Code.BRANCH_NODE_HAS_NO_CONDITION, node_id, "One of the branches on the node doesn't have a condition.")


def _check_comparison(
    node_id: str, comparison: condition_pb2.ComparisonExpression, inputs: Types, report: Report
) -> None:
    right = _operand(node_id, "RightValue", comparison.right_value, inputs, report)
    left = _operand(node_id, "LeftValue", comparison.left_value, inputs, report)
    if left is None or right is None or _comparable(left, right):
        return
    report.add(
        Code.MISMATCHING_TYPES,
        node_id,
        f"Variable [{comparison.right_value.var or 'RightValue'}] (type [{describe(right)}]) doesn't match expected"
        f" type [{describe(left)}].",
    )


def _operand(
    node_id: str, name: str, operand: condition_pb2.Operand, inputs: Types, report: Report
) -> types_pb2.LiteralType | None:
    """The type of an operand; None when it is not known."""
    match operand.WhichOneof("val"):
        case "primitive":
            return castability.type_of_primitive(operand.primitive)
        case "scalar":
            found = castability.type_of_scalar(operand.scalar)
            return None if found is None or castability.is_none(found) else found  # anything may be compared with None
        case "var" if operand.var:
            if operand.var in inputs:
                return inputs[operand.var]
            report.add(
                Code.VARIABLE_NAME_NOT_FOUND, node_id, f"Variable [{operand.var}] not found on node [{node_id}]."
            )
        case _:
            report.add(Code.VALUE_REQUIRED, node_id, f"Value required [{name}.Val].")
    return None


def _comparable(left: types_pb2.LiteralType, right: types_pb2.LiteralType) -> bool:
    """Whether running can compare them: values of one simple type."""
    ours, theirs = _kinds(left), _kinds(right)
    return ours is None or theirs is None or bool(ours & theirs)


def _kinds(type_: types_pb2.LiteralType) -> frozenset[int] | None:
    """The simple types that a value may have; None when only running will tell."""
    match type_.WhichOneof("type"):
        case "simple":
            return frozenset({type_.simple})
        case "enum_type":
            return frozenset({types_pb2.STRING})
        case "union_type":
            found: set[int] = set()
            for variant in type_.union_type.variants:
                kinds = _kinds(variant)
                if kinds is None:
                    return None
                found |= kinds
            return frozenset(found)
        case None:
            return None
        case _:
            return frozenset()
