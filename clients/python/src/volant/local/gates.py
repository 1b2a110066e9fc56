"""Gates in local runs: a person is asked on the terminal, time is not really waited for."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Mapping
from typing import Any

from volant import errors
from volant.authoring import gate
from volant.types import plain, transformer


def wait(one: gate.Gate, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Pass a gate; gives its outputs."""
    if one.duration is not None:
        sys.stderr.write(f"[{one.name}] locally, the wait of {one.duration} is skipped\n")
        return {}
    if one.approves:
        ((var, value),) = inputs.items()
        answer = _ask(f"[{one.name}] approve {transformer.excerpt(value)}? [y/n] ")
        if answer.strip().lower() not in {"y", "yes"}:
            raise errors.TaskFailedError(f"{one.name} was not approved")
        return {var: value}
    text = _ask(f"[{one.name}] a value of type {transformer.describe(one.expected_type)}: ")
    return {"o0": parse(text, one.expected_type)}


_asking = threading.Lock()


def _ask(question: str) -> str:
    with _asking:  # gates of one run may wait side by side, but a person answers one question after the other
        sys.stderr.write(question)
        sys.stderr.flush()
        line = sys.stdin.readline()
    if not line:
        raise errors.TaskFailedError(f"{question.strip()} nobody answered: the standard input is closed")
    return line.rstrip("\n")


def parse(text: str, python_type: Any) -> Any:
    """A typed value from a line of text: the text itself for str, else JSON."""
    if python_type is str:
        return text
    try:
        return plain.from_plain(json.loads(text), python_type)
    except ValueError:
        return plain.from_plain(text, python_type)
