"""The filter language: `function(field,value)` terms, joined with `+`; several values are separated by `;`."""

import dataclasses

from volant_core import errors

SEPARATOR = "+"
_VALUES = ";"

PREFIXES = frozenset(
    {
        "task",
        "workflow",
        "launch_plan",
        "execution",
        "node_execution",
        "task_execution",
        "entities",
        "named_entity_metadata",
        "project",
        "signal",
        "admin_tag",
        "execution_admin_tag",
        "execution_tag",
    }
)
"""What may stand before the dot of a field."""


@dataclasses.dataclass(frozen=True, slots=True)
class Function:
    """An operator."""

    sql: str
    many: bool = False
    pattern: str = ""
    """For LIKE: how the value becomes a pattern."""


FUNCTIONS = {
    "contains": Function("{column} LIKE {value}", pattern="%{}%"),
    "not_like": Function("{column} NOT LIKE {value}", pattern="{}"),
    "gt": Function("{column} > {value}"),
    "gte": Function("{column} >= {value}"),
    "lt": Function("{column} < {value}"),
    "lte": Function("{column} <= {value}"),
    "eq": Function("{column} = {value}"),
    "ne": Function("{column} <> {value}"),
    "value_in": Function("{column} = ANY({value})", many=True),
    "value_not_in": Function("{column} <> ALL({value})", many=True),
}


@dataclasses.dataclass(frozen=True, slots=True)
class Term:
    """One term, its field not yet looked up."""

    function: Function
    field: str
    values: tuple[str, ...]


def parse(text: str) -> Term:
    r"""One term. Raises InvalidArgumentError.

    The same reading as Flyte's greedy `(.+)\((.+),\s?(.+)\)`, found by hand: that expression takes cubic time on
    hostile text.
    """
    end = text.rfind(")")
    comma = text.rfind(",", 0, max(end - 1, 0))
    opening = text.rfind("(", 1, max(comma - 1, 0))
    if min(end, comma, opening) < 0:
        raise errors.InvalidArgumentError(
            f"invalid value for filters: '{text[:200]}' is not of the form function(field,value)"
        )
    name, field, value = text[:opening].strip(), text[opening + 1 : comma], text[comma + 1 : end]
    if value[0].isspace() and len(value) > 1:
        value = value[1:]
    function = FUNCTIONS.get(name)
    if function is None:
        raise errors.InvalidArgumentError(f"unrecognized filter function: {name[:200]}")
    values = tuple(value.split(_VALUES)) if function.many else (value,)
    if _VALUES in value and not function.many and not function.pattern:
        raise errors.InvalidArgumentError(
            f"invalid value for filters: {name} takes one value, not {value.count(_VALUES) + 1}; value_in takes several"
        )
    return Term(function, field, values)
