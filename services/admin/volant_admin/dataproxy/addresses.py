"""flyte:// addresses of inputs, outputs and decks."""

import dataclasses
import re

from volant_core import errors
from volantidl.core import identifier_pb2

_PART = "[a-zA-Z0-9_-]+"
_BASE = rf"flyte://v1/(?P<project>{_PART})/(?P<domain>{_PART})/(?P<name>{_PART})/(?P<node>{_PART})"
_WHOLE = re.compile(rf"{_BASE}(?:/(?P<attempt>[0-9]+))?/(?P<kind>[iod])")
_ONE = re.compile(rf"{_BASE}(?:/(?P<attempt>[0-9]+))?/(?P<kind>[io])/(?P<literal>{_PART})")
_LARGEST_ATTEMPT = 2**32 - 1


@dataclasses.dataclass(frozen=True, slots=True)
class Address:
    """What an address names."""

    node: identifier_pb2.NodeExecutionIdentifier
    attempt: int | None
    kind: str
    """i, o or d."""
    literal: str
    """The name of one input or output; empty for all."""


def parse(url: str) -> Address:
    """Take an address apart. Raises InvalidArgumentError."""
    if not url:
        raise errors.InvalidArgumentError(
            "failed to validate resolve artifact request. Error: source is required. Provided empty string"
        )
    if not url.startswith("flyte://"):
        raise errors.InvalidArgumentError(
            "failed to validate resolve artifact request. Error: request does not start with the correct prefix"
        )
    found = _WHOLE.fullmatch(url) or _ONE.fullmatch(url)
    attempt = int(found["attempt"]) if found and found["attempt"] and len(found["attempt"]) <= 10 else None
    if found is None or (found["attempt"] and (attempt is None or attempt > _LARGEST_ATTEMPT)):
        raise errors.InvalidArgumentError(
            f"failed to parse artifact url Error: failed to parse [{url}]: expected"
            " flyte://v1/project/domain/execution/node[/attempt]/i|o|d[/name]"
        )
    return Address(
        node=identifier_pb2.NodeExecutionIdentifier(
            node_id=found["node"],
            execution_id=identifier_pb2.WorkflowExecutionIdentifier(
                project=found["project"], domain=found["domain"], name=found["name"]
            ),
        ),
        attempt=attempt,
        kind=found["kind"],
        literal=found.groupdict().get("literal") or "",
    )
