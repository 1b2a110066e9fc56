"""What a task asks of the machine."""

from __future__ import annotations

import dataclasses
import re

from volant import errors, user_code

_QUANTITY = re.compile(r"^[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+|m|[kKMGTPE]|[KMGTPE]i)?$")

Amount = str | int | float


@dataclasses.dataclass(frozen=True)
class Resources:
    """Amounts in Kubernetes' notation: `Resources(cpu="500m", mem="2Gi", gpu="1")`.

    A tuple or list of two means request and limit, where a task takes `resources=`.
    """

    cpu: Amount | tuple[Amount, Amount] | list[Amount] | None = None
    mem: Amount | tuple[Amount, Amount] | list[Amount] | None = None
    gpu: Amount | tuple[Amount, Amount] | list[Amount] | None = None
    ephemeral_storage: Amount | tuple[Amount, Amount] | list[Amount] | None = None

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            for amount in value if isinstance(value, (tuple, list)) else (value,):
                if amount is not None and (isinstance(amount, bool) or not _QUANTITY.match(str(amount))):
                    raise errors.DefinitionError(
                        f"{user_code.caller_line()}: Resources({field.name}={amount!r}): not an amount. "
                        f"Write a number with an optional unit, such as '500m', '2' or '4Gi'"
                    )
            if isinstance(value, (tuple, list)) and len(value) != 2:
                raise errors.DefinitionError(
                    f"{user_code.caller_line()}: Resources({field.name}={value!r}): give one "
                    f"amount, or request and limit"
                )

    def pairs(self) -> list[tuple[str, str]]:
        """The contract's names and the amounts, in its order."""
        named = (
            ("CPU", self.cpu),
            ("MEMORY", self.mem),
            ("GPU", self.gpu),
            ("EPHEMERAL_STORAGE", self.ephemeral_storage),
        )
        return [(name, str(value)) for name, value in named if value is not None]

    def part(self, index: int) -> Resources:
        """The requests (0) or the limits (1) of amounts that may be pairs."""

        def pick(value: Amount | tuple[Amount, Amount] | list[Amount] | None) -> Amount | None:
            if isinstance(value, (tuple, list)):
                return value[index]
            return value

        return Resources(*(pick(getattr(self, field.name)) for field in dataclasses.fields(self)))


_UNITS = {"m": 1e-3, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}


def quantity(amount: Amount) -> float:
    """An amount as a number."""
    text = str(amount)
    if text.endswith("i"):
        return float(text[:-2]) * 1024.0 ** (1 + "KMGTPE".index(text[-2].upper()))
    if text[-1] in _UNITS:
        return float(text[:-1]) * _UNITS[text[-1]]
    return float(text)


def check_order(requests: Resources | None, limits: Resources | None, owner: str) -> None:
    """Refuse requests above their limits: no machine could give that."""
    if requests is None or limits is None:
        return
    for field in dataclasses.fields(Resources):
        least, most = getattr(requests, field.name), getattr(limits, field.name)
        if least is not None and most is not None and quantity(least) > quantity(most):
            raise errors.DefinitionError(
                f"{owner}: the request {field.name}={least!r} is above the limit {field.name}={most!r}. Raise the limit"
            )
