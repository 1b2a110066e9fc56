"""Amounts of resources as Kubernetes writes them: `500m`, `1.5`, `2Gi`, `1e3`."""

import decimal
import re

_QUANTITY = re.compile(
    r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?[0-9]+))?", re.ASCII
)
_LONGEST = 64
_LARGEST_EXPONENT = 30
_FACTORS = {
    "n": decimal.Decimal("1e-9"),
    "u": decimal.Decimal("1e-6"),
    "m": decimal.Decimal("1e-3"),
    **{unit: decimal.Decimal(1000) ** power for power, unit in enumerate("kMGTPE", start=1)},
    **{f"{unit}i": decimal.Decimal(1024) ** power for power, unit in enumerate("KMGTPE", start=1)},
}


def parse_quantity(text: str) -> decimal.Decimal:
    """The amount. Raises ValueError for anything else."""
    found = _QUANTITY.fullmatch(text) if len(text) <= _LONGEST else None
    if not found:
        raise ValueError(f"{text[:_LONGEST]!r} is not a quantity such as 500m, 1.5 or 2Gi")
    number, unit, exponent = found.groups()
    if exponent and abs(int(exponent)) > _LARGEST_EXPONENT:
        raise ValueError(f"{text!r} is out of range")
    return decimal.Decimal(number) * _FACTORS.get(unit or "", decimal.Decimal(1)).scaleb(int(exponent or 0))
