"""What a column holds, and how a filter's text becomes a value of it."""

import dataclasses
import datetime
import decimal
import enum
import re
from collections.abc import Mapping
from typing import Any

from volant_core import errors


class Kind(enum.Enum):
    """The type of a column, as far as filters care. The value is the SQL type of a parameter."""

    TEXT = "text"
    INTEGER = "bigint"
    BOOLEAN = "boolean"
    TIMESTAMP = "timestamptz"
    DURATION = "interval"
    BYTES = "bytea"


_LARGEST = 2**63 - 1
_RFC3339 = re.compile(
    r"^(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?([Zz]|[+-]\d\d:\d\d)?)?$",
    re.ASCII,
)
_DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_UNITS = {"ns": "1e-9", "us": "1e-6", "µs": "1e-6", "μs": "1e-6", "ms": "1e-3", "s": "1", "m": "60", "h": "3600"}
_LONGEST_SECONDS = decimal.Decimal(2) ** 63 / 10**9  # what a Go duration holds, some 292 years


@dataclasses.dataclass(frozen=True, slots=True)
class Column:
    """A column that requests may filter by and sort by."""

    sql: str
    """The SQL expression, with the alias that the base statement gives its table: `t.name`."""
    kind: Kind = Kind.TEXT
    names: Mapping[str, int] = dataclasses.field(default_factory=dict)
    """Of enums, which are kept and compared as integers: what to tell who writes a name."""

    def value(self, text: str) -> Any:
        """The parameter that a filter's text stands for. Raises InvalidArgumentError."""
        if "\x00" in text:
            raise errors.InvalidArgumentError("filters must not contain NUL characters")
        match self.kind:
            case Kind.TEXT:
                return text
            case Kind.INTEGER:
                return self._integer(text)
            case Kind.BOOLEAN:
                if text.lower() not in {"true", "false", "t", "f", "1", "0"}:
                    raise errors.InvalidArgumentError(f"'{text}' is not a boolean: write true or false")
                return text.lower() in {"true", "t", "1"}
            case Kind.TIMESTAMP:
                return parse_timestamp(text)
            case Kind.DURATION:
                return parse_duration(text)
            case Kind.BYTES:
                return self._bytes(text)

    def _integer(self, text: str) -> int:
        if not re.fullmatch(r"[+-]?[0-9]{1,19}", text) or abs(int(text)) > _LARGEST:
            known = f": {', '.join(f'{number} is {name}' for name, number in self.names.items())}" if self.names else ""
            raise errors.InvalidArgumentError(f"'{text}' is not a valid filter value: expected an integer{known}")
        return int(text)

    @staticmethod
    def _bytes(text: str) -> bytes:
        try:
            return bytes.fromhex(text.removeprefix("\\x"))
        except ValueError:
            raise errors.InvalidArgumentError(f"'{text}' is not a valid filter value: expected hex digits") from None


def registered(alias: str) -> dict[str, Column]:
    """The columns that everything registered has, for a table with this alias."""
    return {
        "id": Column(f"{alias}.id", Kind.INTEGER),
        "project": Column(f"{alias}.project"),
        "domain": Column(f"{alias}.domain"),
        "name": Column(f"{alias}.name"),
        "version": Column(f"{alias}.version"),
        "created_at": Column(f"{alias}.created_at", Kind.TIMESTAMP),
        "updated_at": Column(f"{alias}.created_at", Kind.TIMESTAMP),
        "deleted_at": Column("NULL::timestamptz", Kind.TIMESTAMP),
    }


def parse_timestamp(text: str) -> datetime.datetime:
    """An RFC 3339 time, or a part of one: midnight where there is only a day, UTC where there is no zone.

    Raises:
        InvalidArgumentError: It is none.
    """
    found = _RFC3339.match(text)
    refusal = errors.InvalidArgumentError(f"Timestamp {text} must conform to RFC3339 Nano spec")
    if not found:
        raise refusal
    day, clock, fraction, zone = found.groups()
    micros = f"{(fraction or '0')[:6]:0<6}"  # PostgreSQL keeps microseconds
    try:
        moment = datetime.datetime.fromisoformat(f"{day}T{clock or '00:00:00'}.{micros}{(zone or 'Z').upper()}")
        return moment.astimezone(datetime.UTC)
    except (ValueError, OverflowError):
        raise refusal from None


def parse_duration(text: str) -> datetime.timedelta:
    """Seconds as a number, or Go's notation: 1h2m3.5s. Raises InvalidArgumentError."""
    refusal = errors.InvalidArgumentError(f"Failed to parse duration [{text}]")
    body = text.removeprefix("-").removeprefix("+")
    if re.fullmatch(r"\d+(\.\d*)?|\.\d+", body, re.ASCII):
        seconds = decimal.Decimal(body)
    else:
        parts = list(_DURATION.finditer(body))
        if not parts or "".join(part[0] for part in parts) != body:
            raise refusal
        seconds = sum(
            (decimal.Decimal(part[1]) * decimal.Decimal(_UNITS[part[2]]) for part in parts), decimal.Decimal(0)
        )
    if seconds > _LONGEST_SECONDS:
        raise refusal
    length = datetime.timedelta(seconds=float(seconds))
    return -length if text.startswith("-") else length
