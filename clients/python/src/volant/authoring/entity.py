"""What tasks, workflows, launch plans and references to them have in common: a name, an interface, being called."""

from __future__ import annotations

import abc
from collections.abc import Container, Mapping
from typing import Any

from volant import errors, user_code
from volant.authoring import calls, interface
from volant.types import transformer


class Entity(abc.ABC):
    """Something that can be called, be a node, and be registered."""

    replaced = False
    """Whether a test replaces what it does."""

    def __init__(self, name: str, signature: interface.Interface) -> None:
        self.name: str = name
        self.interface: interface.Interface = signature

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run it, or add a node, or start a child: whatever calls mean here."""
        inputs = self.bind(args, kwargs)
        caller = calls.current()
        return self.run(inputs) if caller is None else caller.call(self, inputs)

    @property
    def title(self) -> str:
        """What messages call it."""
        return self.name

    @property
    def short_name(self) -> str:
        """The name without its module."""
        return self.name.rpartition(".")[2]

    @property
    def optional_inputs(self) -> Container[str]:
        """The inputs that a call may leave out."""
        return self.interface.defaults

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments by name. Raises TypeError's kind for what the interface doesn't have."""
        names = self.interface.inputs
        if not args:
            inputs = dict(kwargs)
        else:
            if len(args) > len(names):
                raise errors.TypeMismatchError(
                    f"{user_code.caller_line()}: {self.title} takes {len(names)} inputs ({', '.join(names)}), "
                    f"{len(args)} were given. Leave out what is too much"
                )
            inputs = dict(zip(names, args, strict=False))
            for name, value in kwargs.items():
                if name in inputs:
                    raise errors.TypeMismatchError(
                        f"{user_code.caller_line()}: {self.title} got two values for {name!r}, one by its place and "
                        f"one by its name. Leave one of them out"
                    )
                inputs[name] = value
        unknown = [name for name in inputs if name not in names]
        if unknown:
            raise errors.TypeMismatchError(
                f"{user_code.caller_line()}: {self.title} has no input {unknown[0]!r}; it has "
                f"{', '.join(names) or 'none'}{user_code.near_miss(unknown[0], names)}"
            )
        missing = [name for name in names if name not in inputs and name not in self.optional_inputs]
        if missing:
            wanted = ", ".join(f"{name}: {transformer.describe(names[name])}" for name in missing)
            raise errors.TypeMismatchError(
                f"{user_code.caller_line()}: {self.title} needs {wanted}. Pass {missing[0]}=…, or give it a default"
            )
        return inputs

    @abc.abstractmethod
    def run(self, inputs: Mapping[str, Any]) -> Any:
        """Run it here and now with Python values; defaults are not filled in yet."""

    def __rshift__(self, other: Any) -> Any:
        raise errors.DefinitionError(
            f"{user_code.caller_line()}: '>>' orders nodes; call {self.name} first: {self.short_name}(…) >> …"
        )
