"""Takes scenarios' steps at an endpoint and records what it then says."""

import dataclasses
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import grpc
from flyteidl.admin import execution_pb2, matchable_resource_pb2, signal_pb2, version_pb2, workflow_attributes_pb2
from flyteidl.core import identifier_pb2, literals_pb2
from flyteidl.service import admin_pb2_grpc, signal_pb2_grpc
from flytekit.configuration import (
    Config,
    FastSerializationSettings,
    Image,
    ImageConfig,
    PlatformConfig,
    SerializationSettings,
)
from flytekit.core.base_task import PythonTask
from flytekit.core.context_manager import FlyteContextManager
from flytekit.core.launch_plan import LaunchPlan
from flytekit.core.type_engine import TypeEngine
from flytekit.core.workflow import WorkflowBase
from flytekit.remote import FlyteRemote
from flytekit.tools import translator
from google.protobuf import json_format

from recorder import observe, recordings, steps

IMAGE = "localhost/flytekit:1"


@dataclasses.dataclass(frozen=True, slots=True)
class Endpoint:
    """Where, and as what, scenarios run."""

    grpc: str
    """HOST:PORT."""
    version: str
    """Under which the scenarios' entities are registered."""
    image: str = IMAGE
    project: str = "flytesnacks"
    domain: str = "development"
    pause: float = 0.5
    """Seconds between two looks at what is waited for."""
    limit: float = 400.0
    """Seconds for one execution at most."""


class Driver:
    """Drives one endpoint."""

    def __init__(self, endpoint: Endpoint) -> None:
        """Connect to it."""
        self._endpoint = endpoint
        channel = grpc.insecure_channel(endpoint.grpc, [("grpc.max_receive_message_length", 64 << 20)])
        self._admin = admin_pb2_grpc.AdminServiceStub(channel)
        self._signals = signal_pb2_grpc.SignalServiceStub(channel)
        self._observer = observe.Observer(self._admin, endpoint.pause)

    def register(self, scenarios: tuple[steps.Scenario, ...], code: Path) -> None:
        """Register what the scenarios run, with the code below a folder."""
        at = self._endpoint
        config = Config(platform=PlatformConfig(endpoint=at.grpc, insecure=True))
        remote = FlyteRemote(config, at.project, at.domain)
        _, archive = remote.fast_package(code)
        name, _, tag = at.image.rpartition(":")
        image = Image(name="default", fqn=name, tag=tag)
        settings = SerializationSettings(
            ImageConfig(default_image=image, images=[image]),
            project=at.project,
            domain=at.domain,
            version=at.version,
            fast_serialization_settings=FastSerializationSettings(
                enabled=True, destination_dir="/root", distribution_location=archive
            ),
        )
        known: OrderedDict[Any, Any] = OrderedDict()
        for one in scenarios:
            for entity in (*one.needs, one.entity):
                translator.get_serializable(known, settings, entity)
                if isinstance(entity, WorkflowBase):
                    plan = LaunchPlan.get_default_launch_plan(FlyteContextManager.current_context(), entity)
                    translator.get_serializable(known, settings, plan)
        for entity, serialized in known.items():
            if isinstance(entity, PythonTask | WorkflowBase | LaunchPlan):
                remote.raw_register(serialized, settings, at.version, create_default_launchplan=False)

    def version(self) -> version_pb2.GetVersionResponse:
        """What the endpoint says of itself."""
        return self._admin.GetVersion(version_pb2.GetVersionRequest())

    def record(self, scenario: steps.Scenario) -> recordings.Recording:
        """Take a scenario's steps; all that the endpoint says of the executions afterwards."""
        executions: list[identifier_pb2.WorkflowExecutionIdentifier] = []
        if scenario.memory:
            self._grant(scenario.entity.name, scenario.memory)
        answers: dict[str, recordings.Answer] = {}
        for place, step in enumerate(scenario.steps, 1):
            if isinstance(step, steps.Run | steps.Recover | steps.Relaunch) and executions:
                self._observer.ended(executions[-1], self._endpoint.limit)
            try:
                self._take(step, scenario, executions)
            except grpc.RpcError as error:
                answers[f"step {place}"] = recordings.answer_of(error)
        for number, name in enumerate(executions, 1):
            self._observer.ended(name, self._endpoint.limit)
            answers.update(self._observer.answers(name, str(number)))
            if scenario.orders:
                answers.update(self._observer.orders(name, str(number)))
        return recordings.Recording(self.version(), answers, {self._endpoint.version: "<version>"})

    def _grant(self, workflow: str, memory: str) -> None:
        resources = matchable_resource_pb2.TaskResourceAttributes(
            defaults=matchable_resource_pb2.TaskResourceSpec(cpu="300m", memory=memory),
            limits=matchable_resource_pb2.TaskResourceSpec(cpu="2", memory=memory),
        )
        attributes = workflow_attributes_pb2.WorkflowAttributes(
            project=self._endpoint.project,
            domain=self._endpoint.domain,
            workflow=workflow,
            matching_attributes=matchable_resource_pb2.MatchingAttributes(task_resource_attributes=resources),
        )
        request = workflow_attributes_pb2.WorkflowAttributesUpdateRequest(attributes=attributes)
        self._admin.UpdateWorkflowAttributes(request)

    def _take(
        self, step: steps.Step, scenario: steps.Scenario, executions: list[identifier_pb2.WorkflowExecutionIdentifier]
    ) -> None:
        match step:
            case steps.Run():
                executions.append(self._admin.CreateExecution(self._creation(step, scenario)).id)
            case steps.Recover():
                recover = execution_pb2.ExecutionRecoverRequest(id=executions[-1])
                executions.append(self._admin.RecoverExecution(recover).id)
            case steps.Relaunch():
                relaunch = execution_pb2.ExecutionRelaunchRequest(
                    id=executions[-1], overwrite_cache=step.overwrite_cache
                )
                executions.append(self._admin.RelaunchExecution(relaunch).id)
            case steps.Signal():
                self._signal(executions[-1], step)
            case steps.Abort():
                self._abort(executions[-1], step)

    def _creation(self, step: steps.Run, scenario: steps.Scenario) -> execution_pb2.ExecutionCreateRequest:
        at = self._endpoint
        entity = scenario.entity
        kind = identifier_pb2.TASK if isinstance(entity, PythonTask) else identifier_pb2.LAUNCH_PLAN
        spec = execution_pb2.ExecutionSpec(
            launch_plan=identifier_pb2.Identifier(
                resource_type=kind, project=at.project, domain=at.domain, name=entity.name, version=at.version
            )
        )
        json_format.ParseDict(dict(step.spec), spec)
        return execution_pb2.ExecutionCreateRequest(
            project=at.project, domain=at.domain, spec=spec, inputs=self._inputs(step.inputs, scenario)
        )

    def _inputs(self, inputs: Mapping[str, Any], scenario: steps.Scenario) -> literals_pb2.LiteralMap:
        salt = f"{self._endpoint.version} {scenario.name}"
        values = {
            key: value.replace("{salt}", salt) if isinstance(value, str) else value for key, value in inputs.items()
        }
        types = {key: kind for key, kind in scenario.entity.python_interface.inputs.items() if key in values}
        context = FlyteContextManager.current_context()
        return TypeEngine.dict_to_literal_map(context, values, types).to_flyte_idl()

    def _signal(self, name: identifier_pb2.WorkflowExecutionIdentifier, step: steps.Signal) -> None:
        ask = signal_pb2.SignalListRequest(workflow_execution_id=name, limit=100)
        found = self._observer.until(
            f"signal {step.name}",
            self._endpoint.limit,
            lambda: [one for one in self._signals.ListSignals(ask).signals if one.id.signal_id == step.name],
        )
        context = FlyteContextManager.current_context()
        kind = type(step.value)
        literal = TypeEngine.to_literal(context, step.value, kind, TypeEngine.to_literal_type(kind))
        self._signals.SetSignal(signal_pb2.SignalSetRequest(id=found[0].id, value=literal.to_flyte_idl()))

    def _abort(self, name: identifier_pb2.WorkflowExecutionIdentifier, step: steps.Abort) -> None:
        self._observer.until(
            f"{step.node or name.name} {step.phase}",
            self._endpoint.limit,
            lambda: self._observer.phase(name, step.node) == step.phase,
        )
        self._admin.TerminateExecution(execution_pb2.ExecutionTerminateRequest(id=name, cause=step.cause))
