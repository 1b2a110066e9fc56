"""What nodes take and give: the interfaces of what they refer to, inferred where nothing declares them."""

import dataclasses
from collections.abc import Mapping

from volant_core.compiler.report import Code, Report
from volantidl.core import identifier_pb2, interface_pb2, types_pb2, workflow_pb2

START_NODE = "start-node"
END_NODE = "end-node"

Types = Mapping[str, types_pb2.LiteralType]


@dataclasses.dataclass(frozen=True, slots=True)
class Interface:
    """The types of the inputs and outputs of a node, by name."""

    inputs: Types
    outputs: Types


@dataclasses.dataclass(frozen=True, slots=True)
class LaunchPlanInterface:
    """What a launch plan node can be given and gives (both are in a launch plan's closure)."""

    expected_inputs: interface_pb2.ParameterMap
    expected_outputs: interface_pb2.VariableMap


def identifier_key(id_: identifier_pb2.Identifier) -> str:
    """What entities are looked up by."""
    return f"{id_.project}:{id_.domain}:{id_.name}:{id_.version}"


def name_of(id_: identifier_pb2.Identifier) -> str:
    """An identifier in error texts."""
    names = identifier_pb2.ResourceType.DESCRIPTOR.values_by_number
    kind = names[id_.resource_type].name.lower() if id_.resource_type in names else str(id_.resource_type)
    return f"{kind} {identifier_key(id_)}"


def types_of(node_id: str, variables: interface_pb2.VariableMap, report: Report) -> Types:
    """The types of variables; each must have a name and a type."""
    types: dict[str, types_pb2.LiteralType] = {}
    for name, variable in variables.variables.items():
        if not name:
            report.add(Code.VALUE_REQUIRED, node_id, "Value required [paramName].")
        if not variable.HasField("type"):
            report.add(Code.VALUE_REQUIRED, node_id, f"Value required [param.Type]: variable [{name}] has no type.")
        types[name] = variable.type
    return types


def interface_of(node_id: str, interface: interface_pb2.TypedInterface, report: Report) -> Interface:
    """An interface that is declared."""
    return Interface(types_of(node_id, interface.inputs, report), types_of(node_id, interface.outputs, report))


def launch_plan_interface(node: workflow_pb2.Node, plan: LaunchPlanInterface, report: Report) -> Interface:
    """What a launch plan node takes: what it must be given, and what it overrides of the rest."""
    bound = {binding.var for binding in node.inputs}
    inputs: dict[str, types_pb2.LiteralType] = {}
    for name, parameter in plan.expected_inputs.parameters.items():
        if parameter.required or name in bound:
            inputs[name] = parameter.var.type
    return Interface(inputs, types_of(node.id, plan.expected_outputs, report))


def mapped(interface: Interface, array: workflow_pb2.ArrayNode) -> Interface:
    """The interface of an array node over something with this interface.

    flytekit's map tasks declare lists themselves; only where the node says that the interface below is the original one
    are they made here.
    """
    if not array.is_original_sub_node_interface.value:
        return interface
    bound = set(array.bound_inputs)
    partial = array.WhichOneof("success_criteria") == "min_successes" or (0 < array.min_success_ratio < 1)
    return Interface(
        {name: type_ if name in bound else _list_of(type_) for name, type_ in interface.inputs.items()},
        {name: _list_of(_optional(type_) if partial else type_) for name, type_ in interface.outputs.items()},
    )


def _list_of(type_: types_pb2.LiteralType) -> types_pb2.LiteralType:
    return types_pb2.LiteralType(collection_type=type_)


def _optional(type_: types_pb2.LiteralType) -> types_pb2.LiteralType:
    none = types_pb2.LiteralType(simple=types_pb2.NONE, structure=types_pb2.TypeStructure(tag="none"))
    return types_pb2.LiteralType(union_type=types_pb2.UnionType(variants=[type_, none]))


def gate_interface(node: workflow_pb2.Node, report: Report) -> Interface | None:
    """The interface of a gate that waits for a signal or sleeps (what an approval gives depends on its bindings)."""
    gate = node.gate_node
    match gate.WhichOneof("condition"):
        case "signal":
            if not gate.signal.HasField("type"):
                report.add(Code.VALUE_REQUIRED, node.id, "Value required [GateNode.Signal.Type].")
            elif not gate.signal.output_variable_name:
                report.add(Code.VALUE_REQUIRED, node.id, "Value required [GateNode.Signal.OutputVariableName].")
            else:
                return Interface({}, {gate.signal.output_variable_name: gate.signal.type})
        case "sleep":
            return Interface({}, {})
        case _:
            report.add(Code.NO_CONDITION_FOUND, node.id, f"Can't find any condition in gate node [{node.id}].")
    return None
