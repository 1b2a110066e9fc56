"""The command lines of task processes, read by hand: a parser library would cost more than the task's own work."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from volant import errors

_OPTIONS = {
    "--inputs": "inputs",
    "--output-prefix": "output_prefix",
    "--raw-output-data-prefix": "raw_output_prefix",
    "--checkpoint-path": "checkpoint_path",
    "--prev-checkpoint": "previous_checkpoint",
    "--resolver": "resolver",
    "--dynamic-addl-distro": "distribution",
    "--dynamic-dest-dir": "destination",
    "--max-concurrency": "max_concurrency",
}
_ABSENT = {"", '""', "''"}


@dataclasses.dataclass(frozen=True)
class Arguments:
    """What a task process is told."""

    inputs: str = ""
    output_prefix: str = ""
    raw_output_prefix: str = ""
    checkpoint_path: str = ""
    previous_checkpoint: str = ""
    resolver: str = ""
    distribution: str = ""
    """The code's archive, for tasks that this one makes."""
    destination: str = ""
    max_concurrency: str = ""
    test: bool = False
    loader: tuple[str, ...] = ()
    """The resolver's own arguments."""


def parse(arguments: Sequence[str]) -> Arguments:
    """Read the arguments of `volant-execute` (those after the program's name)."""
    values: dict[str, Any] = {}
    test = False
    position = 0
    while position < len(arguments):
        word = arguments[position]
        if word == "--":
            return Arguments(**values, test=test, loader=tuple(arguments[position + 1 :]))
        if word == "--test":
            test = True
            position += 1
            continue
        option, separator, value = word.partition("=")
        if option not in _OPTIONS:
            if option.startswith("-"):
                raise errors.DefinitionError(f"volant-execute: unknown option {option!r}")
            return Arguments(**values, test=test, loader=tuple(arguments[position:]))
        if not separator:
            position += 1
            if position >= len(arguments):
                raise errors.DefinitionError(f"volant-execute: {option} needs a value")
            value = arguments[position]
        values[_OPTIONS[option]] = "" if value in _ABSENT or value.startswith("{{") else value
        position += 1
    return Arguments(**values, test=test)
