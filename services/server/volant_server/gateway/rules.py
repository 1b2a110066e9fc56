"""The HTTP rules of the contract: which method and path means which RPC."""

import dataclasses
import re
from collections.abc import Iterable, Iterator

from google.api import annotations_pb2, http_pb2
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor

_VARIABLE = re.compile(r"\{([^{}=]+)\}")


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """One binding of an RPC."""

    method: MethodDescriptor
    verb: str
    """GET, PUT, POST, DELETE or PATCH."""
    path: str
    """As aiohttp writes it: each variable is `{v0}`, `{v1}`…"""
    variables: tuple[str, ...]
    """The field that each variable means, such as `id.project`."""
    body: str
    """The field that the body is; "*" for the whole message, empty for none."""


def of_services(services: Iterable[ServiceDescriptor]) -> list[Rule]:
    """All bindings of all services, those with more fixed parts first: they win where two fit a path."""
    found = [
        rule
        for service in services
        for method in service.methods
        if not (method.client_streaming or method.server_streaming)
        for rule in _of_method(method)
    ]
    return sorted(found, key=lambda rule: (len(rule.variables), rule.path))


def _of_method(method: MethodDescriptor) -> Iterator[Rule]:
    options = method.GetOptions()
    if not options.HasExtension(annotations_pb2.http):
        return
    first = options.Extensions[annotations_pb2.http]
    for rule in (first, *first.additional_bindings):
        yield _translated(method, rule)


def _translated(method: MethodDescriptor, rule: http_pb2.HttpRule) -> Rule:
    verb = rule.WhichOneof("pattern")
    template: str = getattr(rule, verb)
    variables = tuple(_VARIABLE.findall(template))
    path = template
    for index, name in enumerate(variables):
        path = path.replace("{" + name + "}", f"{{v{index}}}")
    return Rule(method, verb.upper(), path, variables, rule.body)
