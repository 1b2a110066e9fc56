"""Children as nodes below the driver's own: what a driver does on our platform, which told it how."""

from __future__ import annotations

import concurrent.futures
import contextvars
import functools
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from volant.authoring import entity, gate, launch_plan, mapping, node, reference, task, workflow
from volant.runtime import failure
from volant.serialization import settings as serialization_settings
from volant.serialization import specs, tasks
from volant.storage import router
from volantidl.core import execution_pb2, identifier_pb2, literals_pb2, workflow_pb2
from volantidl.driver import driver_pb2

ENDPOINT = "VOLANT_DRIVER_ENDPOINT"
"""Environment variable: where the platform's DriverService answers."""
TOKEN = "VOLANT_DRIVER_TOKEN"  # noqa: S105 - the variable's name
"""Environment variable: proves which attempt of which node this is."""
_GOOD = {execution_pb2.NodeExecution.SUCCEEDED, execution_pb2.NodeExecution.RECOVERED}

Outputs = Callable[[], Mapping[str, literals_pb2.Literal]]


def available() -> bool:
    """Whether the platform lets this process add nodes."""
    return bool(os.environ.get(ENDPOINT) and os.environ.get(TOKEN))


class Nodes:
    """Runs each child as a node, with its own attempts, cache and place in the execution's tree.

    The platform ends them with the driver's node, so nothing has to be ended here.
    """

    def __init__(self, settings: serialization_settings.SerializationSettings) -> None:
        from volant.client import driving  # noqa: PLC0415 - only eager tasks talk to the platform

        self._settings = settings
        self._context = contextvars.copy_context()
        self._line = driving.Driving(os.environ[ENDPOINT], os.environ[TOKEN], self._told, self._prepare)
        self._open: dict[str, tuple[entity.Entity, concurrent.futures.Future[Outputs]]] = {}
        self._registered: set[tuple[type, str]] = set()
        self._messages: dict[tuple[type, str], workflow_pb2.Node] = {}
        self._lock = threading.Lock()

    def takes(self, called: entity.Entity) -> bool:
        """Whether it can be a node."""
        kinds = (task.Task, workflow.Workflow, launch_plan.LaunchPlan, reference.Reference, mapping.MapTask, gate.Gate)
        return isinstance(called, kinds)

    def start(
        self, called: entity.Entity, inputs: Mapping[str, literals_pb2.Literal], key: str
    ) -> concurrent.futures.Future[Outputs]:
        """Start a child, or find the one of that key."""
        child = driver_pb2.Child(key=key, node=self._node_of(called), inputs=literals_pb2.LiteralMap(literals=inputs))
        future: concurrent.futures.Future[Outputs] = concurrent.futures.Future()
        self._open[key] = called, future
        self._line.add(child)
        return future

    def _node_of(self, called: entity.Entity) -> workflow_pb2.Node:
        """The message of a node that runs it."""
        # Map tasks of one name may differ in how they are run; gates are made anew for each call.
        known = (type(called), called.name)
        with self._lock:
            found = self._messages.get(known)
            if found is None:
                found = self._message(called)
                if not isinstance(called, (mapping.MapTask, gate.Gate)):
                    self._messages[known] = found
            return found

    def _message(self, called: entity.Entity) -> workflow_pb2.Node:
        if isinstance(called, reference.Reference) and called.kind is reference.ResourceKind.WORKFLOW:
            target = identifier_pb2.Identifier(
                resource_type=called.kind.message,
                project=called.project,
                domain=called.domain,
                name=called.name,
                version=called.version,
            )
            return workflow_pb2.Node(
                metadata=workflow_pb2.NodeMetadata(name=called.short_name),
                workflow_node=workflow_pb2.WorkflowNode(sub_workflow_ref=target),
            )
        if isinstance(called, workflow.Workflow):
            # By its identifier alone: its graph may be large, and the platform will know it.
            made = workflow_pb2.Node(metadata=specs.node_metadata(node.Node("", called, {}, called.source)))
            made.workflow_node.sub_workflow_ref.CopyFrom(
                tasks.identifier(identifier_pb2.WORKFLOW, called.name, self._settings)
            )
            return made
        return specs.Translator(self._settings).node(node.Node("", called, {}, called.name), {})

    def _prepare(self, keys: Sequence[str]) -> None:
        """Register what these children run: the platform knows it from the second driver of a version on."""
        from volant.client import remote  # noqa: PLC0415 - as above

        settings = self._settings
        platform = remote.Remote(os.environ[ENDPOINT], insecure=True, project=settings.project, domain=settings.domain)
        for key in keys:
            called, _ = self._open[key]
            known = (type(called), called.name)
            if known not in self._registered and not isinstance(called, (reference.Reference, gate.Gate)):
                self._context.run(platform.register_with, settings, called)
                self._registered.add(known)

    def _told(self, key: str, what: Any) -> None:
        """A child has ended, or cannot be had."""
        _, future = self._open.pop(key)
        if isinstance(what, Exception):
            future.set_exception(what)
        elif what.phase in _GOOD:
            future.set_result(functools.partial(_outputs_of, what))
        else:
            future.set_exception(failure.exception_of(key, what.error))

    def close(self, *, failed: bool) -> None:  # noqa: ARG002 - the platform sees how the driver ended
        """Leave."""
        self._line.close()


def _outputs_of(result: driver_pb2.ChildResult) -> Mapping[str, literals_pb2.Literal]:
    content = result.outputs if not result.output_uri else router.read(result.output_uri)
    return dict(literals_pb2.LiteralMap.FromString(content).literals)
