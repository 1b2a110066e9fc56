"""Bindings: what a node's inputs are bound to, whether the types fit, and which nodes it thereby depends on."""

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from volant_core.compiler import castability
from volant_core.compiler.describe import describe, describe_binding
from volant_core.compiler.interfaces import START_NODE, Types
from volant_core.compiler.report import Code, Report
from volantidl.core import literals_pb2, types_pb2

_VARIABLE = re.compile(r"(?:\[(\d+)\]\.)?(\w+)", re.ASCII)
_NONE = types_pb2.LiteralType(simple=types_pb2.NONE)


class Outputs(Protocol):
    """Who knows the nodes of the graph."""

    def outputs_of(self, node_id: str) -> Types | None:
        """The effective outputs of a node; None when there is no such node."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class Resolved:
    """What bindings come to."""

    types: dict[str, types_pb2.LiteralType]
    upstream: set[str]
    """The nodes whose outputs are bound."""


class Bindings:
    """Checks the bindings of one node."""

    def __init__(self, graph: Outputs, node_id: str, report: Report, *, infer: bool = False) -> None:
        """Prepare for a node.

        Args:
            graph: Where promises are looked up.
            node_id: The node whose inputs are bound.
            report: Where errors go.
            infer: Take what is bound as it is (branch nodes and approvals declare no inputs).
        """
        self._graph = graph
        self._node_id = node_id
        self._report = report
        self._infer = infer
        self._upstream: set[str] = set()

    def resolve(self, bindings: Iterable[literals_pb2.Binding], inputs: Types) -> Resolved:
        """Check all bindings against the inputs. Promises without a node are made to name the start node."""
        types: dict[str, types_pb2.LiteralType] = {}
        seen: set[str] = set()
        for binding in bindings:
            var = binding.var
            if var not in inputs and not self._infer:
                self._report.add(
                    Code.VARIABLE_NAME_NOT_FOUND,
                    self._node_id,
                    f"Variable [{var}] not found on node [{self._node_id}].",
                )
            elif not binding.HasField("binding"):
                self._report.add(Code.VALUE_REQUIRED, self._node_id, f"Value required [Binding] of input [{var}].")
            elif var in seen:
                self._report.add(
                    Code.PARAMETER_BOUND_MORE_THAN_ONCE, self._node_id, f"Input [{var}] is bound more than once."
                )
            else:
                seen.add(var)
                found = self._resolve(var, binding.binding, None if self._infer else inputs[var], self._report)
                if found is not None:
                    types[var] = found
        for name, type_ in inputs.items():
            if name not in seen and not castability.is_optional(type_):
                self._not_bound(name, self._report, f" It expects [{describe(type_)}].")
        return Resolved(types, self._upstream)

    def _resolve(
        self, var: str, data: literals_pb2.BindingData, expected: types_pb2.LiteralType | None, report: Report
    ) -> types_pb2.LiteralType | None:
        """The type that is bound; None after an error. `expected` is None when anything will do."""
        kind = data.WhichOneof("value")
        if kind == "promise":
            return self._promise(var, data.promise, expected, report)
        if kind == "scalar":
            return self._scalar(var, data.scalar, expected, report)
        if expected is not None and expected.HasField("union_type"):
            return self._variant(var, data, expected, report)
        if kind == "collection" and (expected is None or expected.HasField("collection_type")):
            inner = None if expected is None else expected.collection_type
            found = self._all(var, data.collection.bindings, inner, report)
            return None if found is None else types_pb2.LiteralType(collection_type=found)
        if kind == "map" and (expected is None or expected.HasField("map_value_type")):
            inner = None if expected is None else expected.map_value_type
            bound = data.map.bindings
            found = self._all(var, [bound[key] for key in sorted(bound)], inner, report)
            return None if found is None else types_pb2.LiteralType(map_value_type=found)
        report.add(
            Code.MISMATCHING_BINDINGS,
            self._node_id,
            f"Input [{var}] on node [{self._node_id}] expects bindings of type"
            f" [{describe(expected) if expected else 'any'}]. Received [{describe_binding(data)}].",
        )
        return None

    def _all(
        self,
        var: str,
        parts: Iterable[literals_pb2.BindingData],
        expected: types_pb2.LiteralType | None,
        report: Report,
    ) -> types_pb2.LiteralType | None:
        """The type of the parts of a list or map: that of the last, as far as anybody asks."""
        before = report.count
        found: types_pb2.LiteralType | None = None
        for part in parts:
            found = self._resolve(var, part, expected, report) or found
        return None if report.count > before else found or _NONE

    def _variant(
        self, var: str, data: literals_pb2.BindingData, expected: types_pb2.LiteralType, report: Report
    ) -> types_pb2.LiteralType | None:
        """A list or map where a union is expected: it must fit exactly one variant."""
        matches: list[tuple[types_pb2.LiteralType, types_pb2.LiteralType]] = []
        for variant in expected.union_type.variants:
            found = self._resolve(var, data, variant, Report())
            if found is not None:
                matches.append((variant, found))
        if len(matches) == 1:
            return matches[0][1]
        what = f"Input [{var}] on node [{self._node_id}] expects bindings of union type [{describe(expected)}]."
        received = f"Received [{describe_binding(data)}]"
        if matches:
            both = " and ".join(f"[{describe(variant)}]" for variant, _ in matches[:2])
            report.add(
                Code.AMBIGUOUS_BINDING_UNION_VALUE,
                self._node_id,
                f"{what} {received} which is ambiguous as both variants {both} match.",
            )
        else:
            report.add(
                Code.INCOMPATIBLE_BINDING_UNION_VALUE,
                self._node_id,
                f"{what} {received} which does not match any of the variants.",
            )
        return None

    def _scalar(
        self, var: str, scalar: literals_pb2.Scalar, expected: types_pb2.LiteralType | None, report: Report
    ) -> types_pb2.LiteralType | None:
        found = castability.type_of_scalar(scalar)
        if found is None:
            report.add(
                Code.UNRECOGNIZED_VALUE,
                self._node_id,
                f"Unrecognized value [{scalar.WhichOneof('value') or 'empty scalar'}] of input [{var}].",
            )
            return None
        if expected is None:
            return found
        if not castability.castable(found, expected):
            report.add(
                Code.MISMATCHING_TYPES,
                self._node_id,
                f"Variable [{var}] (type [{describe(found)}]) doesn't match expected type [{describe(expected)}].",
            )
            return None
        if expected.HasField("enum_type"):
            legal = list(expected.enum_type.values)
            if scalar.primitive.string_value not in legal:
                report.add(
                    Code.ILLEGAL_ENUM_VALUE,
                    self._node_id,
                    f"Input [{var}] on node [{self._node_id}] is an Enum and expects value to be one of"
                    f" {legal}. Received [{scalar.primitive.string_value}].",
                )
                return None
        return found

    def _promise(
        self,
        var: str,
        promise: types_pb2.OutputReference,
        expected: types_pb2.LiteralType | None,
        report: Report,
    ) -> types_pb2.LiteralType | None:
        node_id = promise.node_id or START_NODE
        outputs = self._graph.outputs_of(node_id)
        if outputs is None:
            report.add(
                Code.NODE_REFERENCE_NOT_FOUND,
                self._node_id,
                f"Referenced node [{node_id}] not found: input [{var}] is bound to its output [{promise.var}].",
            )
            return None
        name, indexed = _variable(promise.var)
        if not name:
            report.add(Code.SYNTAX_ERROR, self._node_id, f"Failed to parse element [{promise.var}] of input [{var}].")
            return None
        if name not in outputs:
            report.add(Code.VARIABLE_NAME_NOT_FOUND, node_id, f"Variable [{name}] not found on node [{node_id}].")
            self._not_bound(var, report, f" Node [{node_id}] has no output [{name}].")
            return None
        found = self._attribute(promise, outputs[name], indexed, report)
        if found is None:
            return None
        # At the end of a path, or of a node about which an error is told already, the type may be unknown.
        unknown = found.WhichOneof("type") is None and (promise.attr_path or not outputs)
        if expected is not None and not unknown and not castability.castable(found, expected):
            report.add(
                Code.MISMATCHING_TYPES,
                self._node_id,
                f"The output variable '{node_id}.{_path(promise)}' has type [{describe(found)}], but it's assigned to"
                f" the input variable '{self._node_id}.{var}' which has type [{describe(expected)}].",
            )
            return None
        if not promise.node_id:
            promise.node_id = START_NODE
        self._upstream.add(node_id)
        return found

    def _attribute(
        self, promise: types_pb2.OutputReference, type_: types_pb2.LiteralType, indexed: bool, report: Report
    ) -> types_pb2.LiteralType | None:
        """The type at the end of a promise's path; an empty type where only running will tell; None after an error."""
        if indexed:
            if not type_.HasField("collection_type"):
                self._no_field(promise, type_, "an index", report)
                return None
            type_ = type_.collection_type
        for attribute in promise.attr_path:
            inner = _step(type_, attribute)
            if inner is None:
                self._no_field(promise, type_, f"[{_attribute_text(attribute)}]", report)
                return None
            type_ = inner
        return type_

    def _no_field(
        self, promise: types_pb2.OutputReference, type_: types_pb2.LiteralType, what: str, report: Report
    ) -> None:
        report.add(
            Code.FIELD_NOT_FOUND,
            self._node_id,
            f"Variable [{promise.node_id or START_NODE}.{_path(promise)}]: type [{describe(type_)}] doesn't have"
            f" field {what}.",
        )

    def _not_bound(self, var: str, report: Report, more: str) -> None:
        report.add(Code.PARAMETER_NOT_BOUND, self._node_id, f"Parameter not bound [{var}].{more}")


def _variable(text: str) -> tuple[str, bool]:
    """The name in a promise's variable, and whether it is of an element (`[3].name`); no name when it is malformed."""
    if text.isidentifier():
        return text, False
    found = list(_VARIABLE.finditer(text))
    return (found[0][2], found[0][1] is not None) if len(found) == 1 else ("", False)


def _step(type_: types_pb2.LiteralType, attribute: types_pb2.PromiseAttribute) -> types_pb2.LiteralType | None:
    """One step into a type; an empty type where it can't be known; None where there is no such thing."""
    kind = attribute.WhichOneof("value")
    match type_.WhichOneof("type"):
        case "collection_type":
            return type_.collection_type if kind == "int_value" else None
        case "map_value_type":
            return type_.map_value_type if kind == "string_value" else None
        case "union_type":
            some = [variant for variant in type_.union_type.variants if not castability.is_none(variant)]
            return _step(some[0], attribute) if len(some) == 1 else types_pb2.LiteralType()
        case "simple" if type_.simple in {types_pb2.STRUCT, types_pb2.BINARY}:
            return _field(type_.structure.dataclass_type, attribute)
        case None:
            return type_
        case _:
            return None


def _field(
    fields: Mapping[str, types_pb2.LiteralType], attribute: types_pb2.PromiseAttribute
) -> types_pb2.LiteralType | None:
    if not fields:
        return types_pb2.LiteralType()  # a dict without declared fields: only running will tell
    return fields.get(attribute.string_value)


def _attribute_text(attribute: types_pb2.PromiseAttribute) -> str:
    return attribute.string_value if attribute.WhichOneof("value") == "string_value" else str(attribute.int_value)


def _path(promise: types_pb2.OutputReference) -> str:
    return promise.var + "".join(f"[{_attribute_text(attribute)}]" for attribute in promise.attr_path)


def effective_outputs(node_id: str, outputs: Types, aliases: Sequence[tuple[str, str]], report: Report) -> Types:
    """Outputs by the names that other nodes use for them.

    Args:
        node_id: The node.
        outputs: By the names of what it refers to.
        aliases: (name, alias) pairs.
        report: Where errors go.
    """
    if not aliases:
        return outputs
    effective = dict(outputs)
    seen: set[str] = set()
    for name, alias in aliases:
        if name in seen:
            report.add(Code.DUPLICATE_ALIAS, node_id, f"Duplicate alias [{alias}] of output [{name}].")
        elif name not in outputs:
            report.add(Code.PARAMETER_NOT_BOUND, node_id, f"Parameter not bound [{alias}]: no output [{name}].")
        else:
            seen.add(name)
            effective.pop(name, None)
    effective.update({alias: outputs[name] for name, alias in aliases if name in outputs})
    return effective
