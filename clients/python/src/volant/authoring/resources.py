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
