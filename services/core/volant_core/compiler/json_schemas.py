"""Whether values of one JSON schema can be read as values of another.

Only the part of JSON Schema that dataclass libraries write: object, array, enum, anyOf, $ref and the simple types. A
schema can be read as another when it has at least the other's properties, with types that can be read as the other's: a
child class as its parent.
"""

from typing import Any

from google.protobuf import json_format, struct_pb2

_UNTYPED: dict[str, Any] = {}


def readable_as(source: struct_pb2.Struct, target: struct_pb2.Struct) -> bool:
    """Whether what `source` describes can be read by who expects `target`."""
    if source == target:
        return True
    try:
        left, right = json_format.MessageToDict(source), json_format.MessageToDict(target)
    except (json_format.Error, ValueError):  # infinite numbers
        return False
    return _Comparison(left, right).readable(left, right)


class _Comparison:
    """One comparison of two documents; `$ref`s are looked up in their own document."""

    def __init__(self, source: dict[str, Any], target: dict[str, Any]) -> None:
        self._source = source
        self._target = target
        self._assumed: set[tuple[str, str]] = set()

    def readable(self, source: Any, target: Any) -> bool:
        """Whether a part of the source can be read as a part of the target."""
        if not isinstance(source, dict) or not isinstance(target, dict):
            return bool(source == target)
        names = (str(source.get("$ref", "")), str(target.get("$ref", "")))
        if any(names):
            # Types may contain themselves: what is being compared already is taken to fit.
            if names in self._assumed:
                return True
            self._assumed.add(names)
        source = _resolved(source, self._source)
        target = _resolved(target, self._target)
        if source == target:
            return True
        if "anyOf" in source:
            return all(self.readable(variant, target) for variant in _list(source["anyOf"]))
        if "anyOf" in target:
            return any(self.readable(source, variant) for variant in _list(target["anyOf"]))
        if "type" not in source or "type" not in target:
            return True
        if source["type"] != target["type"]:
            return False
        return self._same_kind(source, target)

    def _same_kind(self, source: dict[str, Any], target: dict[str, Any]) -> bool:
        if "enum" in target and not all(value in _list(target["enum"]) for value in _list(source.get("enum"))):
            return False
        match target["type"]:
            case "object":
                ours, theirs = _dict(source.get("properties")), _dict(target.get("properties"))
                if not all(name in ours and self.readable(ours[name], theirs[name]) for name in theirs):
                    return False
                inner = (source.get("additionalProperties"), target.get("additionalProperties"))
                return not all(isinstance(one, dict) for one in inner) or self.readable(*inner)
            case "array":
                return self.readable(source.get("items", _UNTYPED), target.get("items", _UNTYPED))
            case _:
                return True


def _resolved(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    for _ in range(len(document) + 10):
        reference = schema.get("$ref")
        if not isinstance(reference, str) or not reference.startswith("#"):
            return schema
        found: Any = document
        for part in reference.removeprefix("#").strip("/").split("/"):
            if part:
                found = found.get(part) if isinstance(found, dict) else None
        if not isinstance(found, dict) or found is schema:
            return _UNTYPED
        schema = found
    return schema


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
