"""All kinds of objects that attempts can be in a cluster, and which of them an attempt is. Pure."""

from collections.abc import Collection, Mapping
from typing import Any

from volant_engine.launchers import port, refusals
from volant_engine.launchers.kubernetes import kind as kind_port
from volant_engine.launchers.kubernetes.operators import jobs

Kind = kind_port.Kind
LogPlace = kind_port.LogPlace
PODS = kind_port.Pods()
_BY_NAME: Mapping[str, kind_port.Kind] = {one.name: one for one in (PODS, *jobs.JOBS.values())}


def of(told: Mapping[str, Any]) -> kind_port.Kind:
    """The kind of an object."""
    return _BY_NAME[told["kind"]]


def of_attempt(attempt: port.Attempt, operators: Collection[str]) -> kind_port.Kind:
    """What an attempt becomes where these operators are. InvalidArgumentError when its task needs another."""
    job = jobs.JOBS.get(attempt.task.type)
    if job is None:
        return PODS
    if job.task_type not in operators:
        raise refusals.not_operated(attempt.task, job.name, job.group)
    return job


def of_operators(operators: Collection[str]) -> tuple[kind_port.Kind, ...]:
    """All that attempts can be where these operators are."""
    return (PODS, *(jobs.JOBS[one] for one in operators))
