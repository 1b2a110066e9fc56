"""Laying one Kubernetes object over another, as pod templates are documented to be merged. Pure.

What stands above wins; lists are joined, the lower one's first; maps are merged key by key. Containers are matched by
name, and a template's containers `default` and `primary` stand for all and for the main one.
"""

from collections.abc import Mapping, Sequence
from typing import Any

_KINDS = {"containers": ("default", "primary"), "initContainers": ("default-init", "primary-init")}

Object = Mapping[str, Any]


def merged(base: Object, over: Object) -> dict[str, Any]:
    """`over` laid over `base`; neither is changed."""
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            result[key] = merged(below, value)
        elif isinstance(below, list) and isinstance(value, list):
            result[key] = [*below, *value]
        elif value is not None:
            result[key] = value
    return result


def on_template(template: Object, spec: Object, primary: str) -> dict[str, Any]:
    """The pod spec laid over a template's. Containers are the spec's: a template adds to them, but brings none."""
    result = merged(template, spec)
    for kind, magic in _KINDS.items():
        templates = template.get(kind) or []
        containers = [_contained(templates, magic, container, primary) for container in spec.get(kind) or []]
        if containers:
            result[kind] = containers
        else:
            result.pop(kind, None)
    return result


def template_for(templates: Sequence[Object], magic: tuple[str, str], name: str, primary: str) -> dict[str, Any]:
    """What a template says of the container `name`: of all, of the main one, of those of its name."""
    result: dict[str, Any] = {}
    wanted = [magic[0]]
    if name == primary:
        wanted.append(magic[1])
    if name not in magic:
        wanted.append(name)
    for one in wanted:
        for template in templates:
            if template.get("name") == one:
                result = merged(result, template)
    return result


def resources_of(template: Object | None, kind: str, name: str, primary: str) -> dict[str, Any]:
    """The resources that a template gives the container `name`."""
    if template is None:
        return {}
    found = template_for(template.get(kind) or [], _KINDS[kind], name, primary)
    return dict(found.get("resources") or {})


def _contained(templates: Sequence[Object], magic: tuple[str, str], container: Object, primary: str) -> dict[str, Any]:
    return merged(template_for(templates, magic, str(container.get("name", "")), primary), container)
