"""The inputs of a new execution: checked against what its launch plan expects, defaults and fixed ones put in."""

from collections.abc import Mapping

from volant_core import compiler, errors
from volantidl.core import interface_pb2, literals_pb2

_LATEST_SECOND = 253_402_300_799
_EARLIEST_SECOND = -62_135_596_800
_DEEPEST = 60


def effective(
    given: literals_pb2.LiteralMap, expected: interface_pb2.ParameterMap, fixed: literals_pb2.LiteralMap
) -> literals_pb2.LiteralMap:
    """All inputs. Raises InvalidArgumentError with the texts that clients know."""
    check_literals(given, "inputs")
    result = literals_pb2.LiteralMap()
    for name, literal in given.literals.items():
        parameter = expected.parameters.get(name)
        if parameter is None:
            known = f": expected one of {', '.join(sorted(expected.parameters))}" if expected.parameters else ""
            raise errors.InvalidArgumentError(f"invalid input {name}{known}")
        _check_type(name, literal, parameter)
        result.literals[name].CopyFrom(literal)
    for name, parameter in expected.parameters.items():
        if name in given.literals:
            continue
        if parameter.required:
            raise errors.InvalidArgumentError(f"expected_inputs {name} missing")
        result.literals[name].CopyFrom(parameter.default)
    for name, literal in fixed.literals.items():
        if name in result.literals:
            raise errors.InvalidArgumentError(f"fixed_inputs {name} cannot be overridden")
        result.literals[name].CopyFrom(literal)
    return result


def _check_type(name: str, literal: literals_pb2.Literal, parameter: interface_pb2.Parameter) -> None:
    type_ = compiler.type_of_literal(literal)
    if type_ is None:
        raise errors.InvalidArgumentError(
            f"invalid {name} input wrong type. Expected {compiler.describe(parameter.var.type)},"
            " but its type can't be told"
        )
    if not compiler.castable(type_, parameter.var.type):
        raise errors.InvalidArgumentError(
            f"invalid {name} input wrong type. Expected {compiler.describe(parameter.var.type)},"
            f" but got {compiler.describe(type_)}"
        )


def check_literals(literals: literals_pb2.LiteralMap, field: str) -> None:
    """Refuse literals without a name or a value, and times that no calendar has."""
    check_named(literals.literals, field)


def check_named(literals: Mapping[str, literals_pb2.Literal], field: str) -> None:
    """As `check_literals`, for the map itself."""
    for name, literal in literals.items():
        if not name:
            raise errors.InvalidArgumentError(f"missing key in {field}")
        check_literal(literal, f"{field} {name}")


def check_literal(literal: literals_pb2.Literal, field: str, depth: int = 0) -> None:
    """Refuse a literal without a value, nested too deep, or with a time that no calendar has."""
    if depth > _DEEPEST:
        raise errors.InvalidArgumentError(f"{field} is nested deeper than {_DEEPEST} levels")
    match literal.WhichOneof("value"):
        case None:
            raise errors.InvalidArgumentError(
                f"missing valid literal in {field}: its type is unknown, for it has no value"
            )
        case "collection":
            for item in literal.collection.literals:
                check_literal(item, field, depth + 1)
        case "map":
            for item in literal.map.literals.values():
                check_literal(item, field, depth + 1)
        case "scalar":
            _check_scalar(literal.scalar, field, depth)
        case _:
            pass


def _check_scalar(scalar: literals_pb2.Scalar, field: str, depth: int) -> None:
    kind = scalar.WhichOneof("value")
    if kind is None:
        raise errors.InvalidArgumentError(f"missing value of {field}: a scalar without one")
    if kind == "union":
        check_literal(scalar.union.value, field, depth + 1)
    elif kind == "primitive":
        primitive = scalar.primitive.WhichOneof("value")
        if primitive is None:
            raise errors.InvalidArgumentError(f"missing value of {field}: a primitive without one")
        moment = scalar.primitive.datetime
        if primitive == "datetime" and not (
            _EARLIEST_SECOND <= moment.seconds <= _LATEST_SECOND and 0 <= moment.nanos < 1_000_000_000
        ):
            raise errors.InvalidArgumentError(f"invalid value for {field}: {moment.seconds} s is no valid datetime")
