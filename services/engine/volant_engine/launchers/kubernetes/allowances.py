"""What projects give their tasks and allow them: admin's TASK_RESOURCE attributes, kept for a few seconds.

The most specific count, of a workflow, a domain or a project; where there are none, the launcher's own settings do.
"""

from collections.abc import Mapping

import grpc.aio

from volant_core import clock, errors
from volant_core.rpc import client
from volant_engine.launchers import port
from volantidl.admin import matchable_resource_pb2, workflow_attributes_pb2
from volantidl.service import admin_pb2_grpc

_MOST = 10_000
_FIELDS = {"cpu": "cpu", "memory": "memory", "gpu": "gpu", "ephemeral_storage": "ephemeral-storage"}
Amounts = Mapping[str, str]


class Allowances:
    """Asks admin, once in a while for each workflow."""

    def __init__(
        self, admin: grpc.aio.Channel, time: clock.Clock, *, seconds: float = 10.0, call_seconds: float = 30.0
    ) -> None:
        """An answer counts for `seconds`; a call takes up to `call_seconds`."""
        self._stub = admin_pb2_grpc.AdminServiceStub(admin)
        self._clock = time
        self._seconds = seconds
        self._call_seconds = call_seconds
        self._known: dict[tuple[str, str, str], tuple[float, tuple[Amounts, Amounts]]] = {}

    async def of(self, attempt: port.Attempt) -> tuple[Amounts, Amounts]:
        """Defaults and limits, by the names that Kubernetes has for resources. UnavailableError when admin is away."""
        execution = attempt.execution
        key = (execution.project, execution.domain, attempt.workflow_name)
        now = self._clock.monotonic()
        known = self._known.get(key)
        if known is not None and now - known[0] < self._seconds:
            return known[1]
        if len(self._known) >= _MOST:
            self._known.clear()
        found = await self._ask(*key)
        self._known[key] = now, found
        return found

    async def _ask(self, project: str, domain: str, workflow: str) -> tuple[Amounts, Amounts]:
        request = workflow_attributes_pb2.WorkflowAttributesGetRequest(
            project=project,
            domain=domain,
            workflow=workflow,
            resource_type=matchable_resource_pb2.MatchableResource.TASK_RESOURCE,
        )
        try:
            with client.peer_errors():
                answer = await self._stub.GetWorkflowAttributes(request, timeout=self._call_seconds)
        except (errors.NotFoundError, errors.InvalidArgumentError):
            return {}, {}
        told = answer.attributes.matching_attributes.task_resource_attributes
        return _amounts(told.defaults), _amounts(told.limits)


def _amounts(told: matchable_resource_pb2.TaskResourceSpec) -> Amounts:
    return {name: value for field, name in _FIELDS.items() if (value := getattr(told, field))}
