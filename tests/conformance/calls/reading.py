"""What is asked: the groups of calls in `groups/*.yaml`, read and filled with names.

A group is a list of calls in the order in which they are played, on names of its own:

    about: what the group is about
    project: false                        # unless it is to begin with the registration of the group's own project
    bases: any YAML; what several calls send is given an anchor here and used by an alias
    calls:
    - name: what this call shows          # unique in its group: the recording is kept under it
      call: AdminService.CreateTask       # service and method; DataCatalog.… is Flyte's data catalog
      send: {id: {project: <p>}}          # the request as proto3 JSON, proto field names
      but: {id.version: v2, id.name: ~}   # changed in what is sent, by dotted path; ~ takes the field away
      hex: fa7f0161                       # bytes put behind the request, such as a field nobody knows
      until: {closure.phase: RUNNING}     # asked again until the reply says so; a list: one of these
      only: configurations                # of this list in the reply, only the entries that name this run
      unordered: overrides                # this list in the reply is sorted: Flyte's order is random

In strings `<run>` is a word that is new in each run, `<p>` the group's own project, `<call>` the call's name with hyphens,
and `<x*300>` 300 times x.
"""

import copy
import dataclasses
import re
from pathlib import Path
from typing import Any

import yaml

GROUPS = Path(__file__).parent / "groups"
OWN_PROJECT = "the group's project"
_PROJECT = {
    "name": OWN_PROJECT,
    "call": "AdminService.RegisterProject",
    "send": {"project": {"id": "<p>", "name": "<p>"}},
}
_KEYS = {"name", "call", "send", "but", "hex", "until", "only", "unordered"}
_NO_WORD = re.compile(r"[^a-z0-9]+")
_REPEATED = re.compile(r"<(.)\*(\d+)>")


@dataclasses.dataclass(frozen=True)
class Call:
    """One call, its request still with placeholders."""

    name: str
    service: str
    method: str
    request: dict[str, Any]
    hex: str = ""
    until: dict[str, Any] = dataclasses.field(default_factory=dict)
    only: str = ""
    unordered: str = ""


@dataclasses.dataclass(frozen=True)
class Group:
    """Calls that are played one after another."""

    name: str
    about: str
    calls: tuple[Call, ...]


def load_all() -> list[Group]:
    """Every group, by name."""
    return [load(path) for path in sorted(GROUPS.glob("*.yaml"))]


def load(path: Path) -> Group:
    """One group's file. Raises ValueError when it is not written as the head of this module says."""
    # The C loader where it is there: 4,000 lines take a second less.
    told = yaml.load(path.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    calls = [_PROJECT, *told["calls"]] if told.get("project", True) else told["calls"]
    made = tuple(_call(one) for one in calls)
    names = [one.name for one in made]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f"{path.name}: two calls of one name: {sorted(twice)}")
    return Group(path.stem.replace("_", "-"), told["about"], made)


def _call(told: dict[str, Any]) -> Call:
    unknown = set(told) - _KEYS
    if unknown:
        raise ValueError(f"{told.get('name')}: unknown keys {sorted(unknown)}")
    service, _, method = told["call"].rpartition(".")
    request = _named(changed(told.get("send") or {}, told.get("but") or {}), _NO_WORD.sub("-", told["name"]))
    return Call(
        told["name"], service, method, request, told.get("hex", ""), told.get("until") or {}, told.get("only", "")
    )


def changed(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """A copy of `base` with other values at dotted paths; None takes away."""
    made = copy.deepcopy(base)
    for path, value in changes.items():
        *steps, last = path.split(".")
        where: Any = made
        for step in steps:
            where = where[int(step)] if isinstance(where, list) else where.setdefault(step, {})
        key = int(last) if isinstance(where, list) else last
        if value is None:
            del where[key]
        else:
            where[key] = copy.deepcopy(value)
    return made


def _named(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        return {key: _named(one, name) for key, one in value.items()}
    if isinstance(value, list):
        return [_named(one, name) for one in value]
    return value.replace("<call>", name) if isinstance(value, str) else value


def filled(value: Any, group: str, run: str) -> Any:
    """The value with names in place of placeholders."""
    if isinstance(value, dict):
        return {filled(key, group, run): filled(one, group, run) for key, one in value.items()}
    if isinstance(value, list):
        return [filled(one, group, run) for one in value]
    if not isinstance(value, str):
        return value
    named = value.replace("<p>", f"{group}-{run}").replace("<run>", run)
    return _REPEATED.sub(lambda found: found[1] * int(found[2]), named)
