"""What a launch plan can be given: its defaults, and what its workflow wants beyond them."""

from volant_core import compiler, errors
from volantidl.core import interface_pb2, literals_pb2, types_pb2


def check_fixed(fixed: literals_pb2.LiteralMap) -> None:
    """Refuse fixed inputs without a name or a value."""
    for name in sorted(fixed.literals):
        if not name:
            raise errors.InvalidArgumentError("missing key in fixed_inputs")
        if fixed.literals[name].WhichOneof("value") is None:
            raise errors.InvalidArgumentError(f"missing valid literal in fixed_inputs {name}")


def check_defaults(defaults: interface_pb2.ParameterMap) -> None:
    """Refuse defaults that are not of their own declared type, and those that this platform does not know."""
    for name in sorted(defaults.parameters):
        parameter = defaults.parameters[name]
        if not name:
            raise errors.InvalidArgumentError("missing key in default_inputs")
        behavior = parameter.WhichOneof("behavior")
        if behavior in {"artifact_query", "artifact_id"}:
            raise errors.InvalidArgumentError(f"artifact mode not enabled but query found default_inputs {name}")
        if not parameter.var.HasField("type"):
            raise errors.InvalidArgumentError(
                f"The Variable component of the Parameter {name} in default_inputs either is missing, or has a missing"
                " Type"
            )
        if behavior is None or (behavior == "required" and not parameter.required):
            raise errors.InvalidArgumentError(
                f"Invalid variable {name} in default_inputs - variable has neither default, nor is required. One must"
                " be specified"
            )
        if behavior == "default":
            found = _type_of(name, parameter.default)
            if not compiler.castable(found, parameter.var.type):
                raise errors.InvalidArgumentError(
                    f"Type mismatch for Parameter {name} in default_inputs has type"
                    f" {compiler.describe(parameter.var.type)}, expected {compiler.describe(found)}"
                )


def expected_inputs(
    variables: interface_pb2.VariableMap,
    fixed: literals_pb2.LiteralMap,
    defaults: interface_pb2.ParameterMap,
) -> interface_pb2.ParameterMap:
    """What an execution can be given: the defaults, and as required what neither they nor the fixed inputs name.

    Raises:
        InvalidArgumentError: A default or a fixed input is unknown to the workflow, or of another type there.
    """
    if not variables.variables:
        for given, what in ((defaults.parameters, "default"), (fixed.literals, "fixed")):
            if given:
                raise errors.InvalidArgumentError(
                    f"invalid launch plan {what} inputs, expected none but found {len(given)}"
                )
        return interface_pb2.ParameterMap()
    for name in sorted(defaults.parameters):
        if name not in variables.variables:
            raise errors.InvalidArgumentError(f"unexpected default_input {name}")
        _check_type("default_input", name, defaults.parameters[name].var.type, variables.variables[name].type)
    for name in sorted(fixed.literals):
        if name not in variables.variables:
            raise errors.InvalidArgumentError(f"unexpected fixed_input {name}")
        _check_type("fixed_input", name, _type_of(name, fixed.literals[name]), variables.variables[name].type)
    expected = interface_pb2.ParameterMap()
    for name in sorted(variables.variables):
        if name in defaults.parameters:
            expected.parameters[name].CopyFrom(defaults.parameters[name])
        elif name not in fixed.literals:
            variable = variables.variables[name]
            expected.parameters[name].var.type.CopyFrom(variable.type)
            expected.parameters[name].var.description = variable.description
            expected.parameters[name].required = True
    return expected


def _check_type(what: str, name: str, found: types_pb2.LiteralType, expected: types_pb2.LiteralType) -> None:
    if not compiler.castable(found, expected):
        raise errors.InvalidArgumentError(
            f"invalid {what} wrong type {name}, expected {compiler.describe(expected)}, got"
            f" {compiler.describe(found)} instead"
        )


def _type_of(name: str, literal: literals_pb2.Literal) -> types_pb2.LiteralType:
    found = compiler.type_of_literal(literal)
    if found is None:
        raise errors.InvalidArgumentError(
            f"Failed to validate literal type for [{name}] with err: the value is of a kind that this version does not"
            " know"
        )
    return found
