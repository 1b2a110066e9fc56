"""From a request's filters, order, limit and token to one SQL statement."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from volant_admin.listing import terms
from volant_admin.listing.columns import Column, Kind
from volant_core import errors
from volantidl.admin import common_pb2

_MOST_TERMS = 200
_LARGEST_OFFSET = 2**63 - 1


@dataclasses.dataclass(frozen=True, slots=True)
class Join:
    """Another entity by whose columns a listing can be filtered."""

    columns: Mapping[str, Column]
    exists: str
    """The condition, with `{conditions}` in place of those on the joined row:
    `EXISTS (SELECT FROM admin.workflows w WHERE w.id = e.workflow_id AND {conditions})`."""


@dataclasses.dataclass(frozen=True, slots=True)
class Statement:
    """A statement ready to run, and what its page needs."""

    sql: str
    arguments: tuple[Any, ...]
    limit: int
    offset: int

    def next_token(self, found: int) -> str:
        """The token of the next page: given exactly when this page is full."""
        return str(self.offset + found) if found == self.limit else ""


@dataclasses.dataclass(frozen=True, slots=True)
class Listing:
    """What can be asked of one noun's List methods."""

    entity: str
    """The noun's own prefix in filters: `task` in `task.name`."""
    columns: Mapping[str, Column]
    order: str
    """A unique SQL expression: the order where the request gives none, and the tie-break where it does, so that pages
    neither overlap nor leave anything out."""
    joins: Mapping[str, Join] = dataclasses.field(default_factory=dict)
    """By prefix."""
    ties: tuple[str, ...] = ()
    """SQL expressions for what is equal in the request's order, before `order` settles it."""

    def statement(
        self,
        base: str,
        arguments: Sequence[Any],
        *,
        method: str,
        limit: int,
        token: str = "",
        filters: str = "",
        sort_by: common_pb2.Sort | None = None,
        equal: Mapping[str, str] | None = None,
        unless_filtered: Mapping[str, str] | None = None,
        unlimited: bool = False,
    ) -> Statement:
        """Add the request's conditions, order and page to a base statement.

        Args:
            base: A SELECT that ends in a WHERE clause (`WHERE true`, if need be) and uses the `arguments`.
            arguments: The base statement's parameters.
            method: The RPC's name, for error texts.
            limit: The request's limit. 0 is refused, unless `unlimited`, when it means no limit.
            token: The request's token: an offset.
            filters: The request's filters.
            sort_by: The request's order, if any.
            equal: Values that columns must have; an empty one stands for all.
            unless_filtered: SQL conditions by column, each added when no filter is on that column.
            unlimited: See `limit`.

        Raises:
            InvalidArgumentError: Any of them is malformed.
        """
        if limit < 0 or (limit == 0 and not unlimited):
            raise errors.InvalidArgumentError("invalid value for limit")
        offset = _offset(token, method)
        values = list(arguments)
        parsed = self._parse(filters)
        conditions = [
            f"{self.columns[name].sql} = ${_placed(self.columns[name].value(text), values)}"
            for name, text in (equal or {}).items()
            if text
        ]
        conditions += self._conditions(parsed, values)
        own = {term.column for term in parsed if term.join is None}
        conditions += [sql for column, sql in (unless_filtered or {}).items() if column not in own]
        parts = [base, *(f"AND {condition}" for condition in conditions), f"ORDER BY {self._order(sort_by)}"]
        if limit:
            values.append(limit)
            parts.append(f"LIMIT ${len(values)}::bigint")
        if offset:
            values.append(offset)
            parts.append(f"OFFSET ${len(values)}::bigint")
        return Statement(sql="\n".join(parts), arguments=tuple(values), limit=limit, offset=offset)

    def _parse(self, filters: str) -> list["_Term"]:
        if not filters:
            return []
        texts = filters.split(terms.SEPARATOR)
        if len(texts) > _MOST_TERMS:
            raise errors.InvalidArgumentError(f"invalid value for filters: more than {_MOST_TERMS} terms")
        return [self._term(terms.parse(text)) for text in texts]

    def _term(self, term: terms.Term) -> "_Term":
        entity, dot, field = term.field.partition(".")
        if not dot or entity not in terms.PREFIXES:
            entity, field = self.entity, term.field
        columns = self.columns if entity == self.entity else None
        if columns is None and entity in self.joins:
            columns = self.joins[entity].columns
        if columns is None:
            raise errors.InvalidArgumentError(f"'{entity}' entity is not allowed in filters")
        if field not in columns:
            raise errors.InvalidArgumentError(f"'{entity}.{field}' is invalid filter")
        join = None if entity == self.entity else entity
        return _Term(join, field, columns[field], term.function, term.values)

    def _conditions(self, parsed: Sequence["_Term"], values: list[Any]) -> list[str]:
        own = [term.sql(values) for term in parsed if term.join is None]
        joined: dict[str, list[str]] = {}
        for term in parsed:
            if term.join is not None:
                joined.setdefault(term.join, []).append(term.sql(values))
        # Conditions on one joined entity must hold for the same row of it.
        return own + [
            self.joins[join].exists.replace("{conditions}", " AND ".join(conditions))
            for join, conditions in joined.items()
        ]

    def _order(self, sort_by: common_pb2.Sort | None) -> str:
        if sort_by is None:
            return self.order
        if sort_by.key not in self.columns:
            raise errors.InvalidArgumentError(f"invalid sort key '{sort_by.key}'")
        if sort_by.direction not in {common_pb2.Sort.DESCENDING, common_pb2.Sort.ASCENDING}:
            raise errors.InvalidArgumentError(f"invalid sort order specified: {sort_by.direction} for {sort_by.key}")
        direction = "DESC" if sort_by.direction == common_pb2.Sort.DESCENDING else "ASC"
        parts = (*self.ties, *(part.strip() for part in self.order.split(",")))
        tie_break = ", ".join(f"{part} {direction}" for part in parts)
        return f"{self.columns[sort_by.key].sql} {direction}, {tie_break}"


@dataclasses.dataclass(frozen=True, slots=True)
class _Term:
    """A term whose column is known."""

    join: str | None
    name: str
    column_: Column
    function: terms.Function
    values: tuple[str, ...]

    @property
    def column(self) -> str:
        return self.name

    def sql(self, parameters: list[Any]) -> str:
        """The condition; its parameter is appended to `parameters`."""
        column = self.column_
        place = f"${len(parameters) + 1}"
        if self.function.many:
            parameters.append([column.value(value) for value in self.values])
            return self.function.sql.format(column=column.sql, value=f"{place}::{column.kind.value}[]")
        if self.function.pattern:
            text = column.sql if column.kind is Kind.TEXT else f"({column.sql})::text"
            parameters.append(self.function.pattern.format(Column(text).value(self.values[0])))
            return self.function.sql.format(column=text, value=f"{place}::text")
        parameters.append(column.value(self.values[0]))
        return self.function.sql.format(column=column.sql, value=f"{place}::{column.kind.value}")


def _placed(value: Any, values: list[Any]) -> int:
    """Append a parameter; its number."""
    values.append(value)
    return len(values)


def _offset(token: str, method: str) -> int:
    if not token:
        return 0
    digits = token.removeprefix("+")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 20) or int(digits) > _LARGEST_OFFSET:
        raise errors.InvalidArgumentError(f"invalid pagination token {token} for {method}")
    return int(digits)
