"""What is on the server before the fuzzing: projects, entities, executions in several states, signals, artifacts."""

import dataclasses
import hashlib
import itertools
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import grpc
from google.protobuf import timestamp_pb2

from volant_core.model import driver_tokens
from volantidl.admin import (
    description_entity_pb2,
    event_pb2,
    execution_pb2,
    launch_plan_pb2,
    matchable_resource_pb2,
    project_pb2,
    signal_pb2,
    task_pb2,
    workflow_attributes_pb2,
    workflow_pb2,
)
from volantidl.core import compiler_pb2, identifier_pb2, interface_pb2, literals_pb2, tasks_pb2, types_pb2
from volantidl.core import execution_pb2 as phases
from volantidl.core import workflow_pb2 as graph
from volantidl.datacatalog import datacatalog_pb2, datacatalog_pb2_grpc
from volantidl.dispatch import dispatch_pb2, dispatch_pb2_grpc
from volantidl.service import admin_pb2_grpc, dataproxy_pb2, dataproxy_pb2_grpc, signal_pb2_grpc

PROJECTS = ("flytesnacks", "other")
DOMAIN = "development"
TASK = "fuzz.echo"
OTHER_TASK = "fuzz.echo2"
WORKFLOW = "fuzz.wf"
SLEEPER = "fuzz.sleeper"
VERSIONS = ("v1", "v2")
SETTING = matchable_resource_pb2.MatchingAttributes(workflow_execution_config={"max_parallelism": 5})
INTEGER = types_pb2.LiteralType(simple=types_pb2.INTEGER)
DECK = "deck-node"
DECKS = (DECK, "deck-node2", "deck-node3")
FINISHED = ("done", "done2")
PATIENCE_S = 60.0
PEER_TOKEN = "fuzz"
PROOF = (("volant-peer-token-bin", PEER_TOKEN.encode()),)


def now() -> timestamp_pb2.Timestamp:
    moment = timestamp_pb2.Timestamp()
    moment.GetCurrentTime()
    return moment


def identifier(kind: int, name: str, version: str = "v1", project: str = PROJECTS[0]) -> identifier_pb2.Identifier:
    return identifier_pb2.Identifier(resource_type=kind, project=project, domain=DOMAIN, name=name, version=version)


def task(name: str, version: str, project: str = PROJECTS[0]) -> task_pb2.TaskCreateRequest:
    """An echo task: the engine itself runs it, without a process."""
    number = interface_pb2.Variable(type=INTEGER)
    template = tasks_pb2.TaskTemplate(
        id=identifier(identifier_pb2.TASK, name, version, project),
        type="echo",
        metadata=tasks_pb2.TaskMetadata(
            runtime=tasks_pb2.RuntimeMetadata(type=tasks_pb2.RuntimeMetadata.FLYTE_SDK, version="1", flavor="python"),
            retries=literals_pb2.RetryStrategy(retries=1),
        ),
        interface=interface_pb2.TypedInterface(
            inputs=interface_pb2.VariableMap(variables={"a": number}),
            outputs=interface_pb2.VariableMap(variables={"o0": number}),
        ),
    )
    text = description_entity_pb2.Description(value="Gives back what it gets.")
    description = description_entity_pb2.DescriptionEntity(short_description="Echo", long_description=text)
    return task_pb2.TaskCreateRequest(
        id=template.id, spec=task_pb2.TaskSpec(template=template, description=description)
    )


def workflow(name: str, version: str, project: str = PROJECTS[0], task_version: str = "v1") -> Any:
    """One echo node; `SLEEPER` first waits for a day."""
    interface = task(TASK, version).spec.template.interface
    promise = types_pb2.OutputReference(node_id="", var="a")
    echo = graph.Node(
        id="n0",
        inputs=[literals_pb2.Binding(var="a", binding=literals_pb2.BindingData(promise=promise))],
        task_node=graph.TaskNode(reference_id=identifier(identifier_pb2.TASK, TASK, task_version, project)),
    )
    nodes = [echo]
    if name == SLEEPER:
        sleep = graph.SleepCondition()
        sleep.duration.seconds = 86_400
        nodes.append(graph.Node(id="n1", gate_node=graph.GateNode(sleep=sleep)))
        echo.upstream_node_ids.append("n1")
    made = literals_pb2.BindingData(promise=types_pb2.OutputReference(node_id="n0", var="o0"))
    template = graph.WorkflowTemplate(
        id=identifier(identifier_pb2.WORKFLOW, name, version, project),
        metadata=graph.WorkflowMetadata(),
        metadata_defaults=graph.WorkflowMetadataDefaults(),
        interface=interface,
        nodes=nodes,
        outputs=[literals_pb2.Binding(var="o0", binding=made)],
    )
    return workflow_pb2.WorkflowCreateRequest(id=template.id, spec=workflow_pb2.WorkflowSpec(template=template))


def launch_plan(name: str, version: str, project: str = PROJECTS[0], workflow_name: str = WORKFLOW) -> Any:
    spec = launch_plan_pb2.LaunchPlanSpec(
        workflow_id=identifier(identifier_pb2.WORKFLOW, workflow_name, "v1", project),
        entity_metadata=launch_plan_pb2.LaunchPlanMetadata(),
    )
    id_ = identifier(identifier_pb2.LAUNCH_PLAN, name, version, project)
    return launch_plan_pb2.LaunchPlanCreateRequest(id=id_, spec=spec)


def number(value: int) -> literals_pb2.Literal:
    return literals_pb2.Literal(scalar=literals_pb2.Scalar(primitive=literals_pb2.Primitive(integer=value)))


def execution(name: str, project: str = PROJECTS[0], plan: str = WORKFLOW) -> execution_pb2.ExecutionCreateRequest:
    spec = execution_pb2.ExecutionSpec(
        launch_plan=identifier(identifier_pb2.LAUNCH_PLAN, plan, "v1", project),
        metadata=execution_pb2.ExecutionMetadata(mode=execution_pb2.ExecutionMetadata.MANUAL),
    )
    inputs = literals_pb2.LiteralMap(literals={"a": number(5)})
    return execution_pb2.ExecutionCreateRequest(project=project, domain=DOMAIN, name=name, spec=spec, inputs=inputs)


def execution_id(name: str, project: str = PROJECTS[0]) -> identifier_pb2.WorkflowExecutionIdentifier:
    return identifier_pb2.WorkflowExecutionIdentifier(project=project, domain=DOMAIN, name=name)


def dataset(version: str = "v1", project: str = PROJECTS[0]) -> datacatalog_pb2.DatasetID:
    return datacatalog_pb2.DatasetID(project=project, domain=DOMAIN, name="fuzz-set", version=version)


def artifact(artifact_id: str, version: str = "v1", project: str = PROJECTS[0]) -> datacatalog_pb2.Artifact:
    data = [datacatalog_pb2.ArtifactData(name="o0", value=number(1))]
    metadata = datacatalog_pb2.Metadata(key_map={"execution-name": "done"})
    return datacatalog_pb2.Artifact(id=artifact_id, dataset=dataset(version, project), data=data, metadata=metadata)


@dataclasses.dataclass
class Seeds:
    """The names of what is there, and calls to make more of it."""

    channel: grpc.Channel
    numbers: Iterator[int] = dataclasses.field(default_factory=itertools.count)
    uploaded: str = ""
    uploaded_too: str = ""
    driver_token: str = ""

    def __post_init__(self) -> None:
        self.admin = admin_pb2_grpc.AdminServiceStub(self.channel)
        self.signals = signal_pb2_grpc.SignalServiceStub(self.channel)
        self.catalog = datacatalog_pb2_grpc.DataCatalogStub(self.channel)
        self.proxy = dataproxy_pb2_grpc.DataProxyServiceStub(self.channel)

    def fresh(self, prefix: str) -> str:
        """A name that is not taken."""
        return f"{prefix}{next(self.numbers)}"

    def plant(self) -> None:
        """Make all of it, and wait until the executions are where they should be."""
        self.admin.RegisterProject(project_pb2.ProjectRegisterRequest(project={"id": PROJECTS[1], "name": "Other"}))
        for project, version in itertools.product(PROJECTS, VERSIONS):
            for name in (TASK, OTHER_TASK):
                self.admin.CreateTask(task(name, version, project))
            self.admin.CreateWorkflow(workflow(WORKFLOW, version, project))
            self.admin.CreateWorkflow(workflow(SLEEPER, version, project))
            self.admin.CreateLaunchPlan(launch_plan(WORKFLOW, version, project))
            self.admin.CreateLaunchPlan(launch_plan(SLEEPER, version, project, SLEEPER))
            self.catalog.CreateDataset(datacatalog_pb2.CreateDatasetRequest(dataset={"id": dataset(version, project)}))
            for name in ("art1", "art2"):
                request = datacatalog_pb2.CreateArtifactRequest(artifact=artifact(name, version, project))
                self.catalog.CreateArtifact(request)
            for name in ("tag1", "tag2"):
                tag = datacatalog_pb2.Tag(name=name, artifact_id="art1", dataset=dataset(version, project))
                self.catalog.AddTag(datacatalog_pb2.AddTagRequest(tag=tag))
            for name in (WORKFLOW, SLEEPER):
                attributes = {"project": project, "domain": DOMAIN, "workflow": name, "matching_attributes": SETTING}
                request = workflow_attributes_pb2.WorkflowAttributesUpdateRequest(attributes=attributes)
                self.admin.UpdateWorkflowAttributes(request)
        for project in PROJECTS:
            active = identifier(identifier_pb2.LAUNCH_PLAN, WORKFLOW, "v1", project)
            self.admin.UpdateLaunchPlan(
                launch_plan_pb2.LaunchPlanUpdateRequest(id=active, state=launch_plan_pb2.ACTIVE)
            )
            for name in FINISHED:
                self.admin.CreateExecution(execution(name, project))
            for name in ("runs", "ended"):
                self.admin.CreateExecution(execution(name, project, SLEEPER))
            self.admin.TerminateExecution(execution_pb2.ExecutionTerminateRequest(id=execution_id("ended", project)))
            for name in ("s1", "s2"):
                signal = identifier_pb2.SignalIdentifier(signal_id=name, execution_id=execution_id("runs", project))
                self.signals.GetOrCreateSignal(signal_pb2.SignalGetOrCreateRequest(id=signal, type=INTEGER))
            for name in FINISHED:
                self.await_phase(execution_id(name, project), phases.WorkflowExecution.SUCCEEDED)
            self.await_phase(execution_id("ended", project), phases.WorkflowExecution.ABORTED)
        self.uploaded = self.upload(b"<html></html>")
        self.uploaded_too = self.upload(b"<html>too</html>")
        self.plant_special_node()
        self.driver_token = self.token_of_driver()

    def token_of_driver(self) -> str:
        """The token of an attempt, made with the key of an execution that we are given as an engine for a moment."""
        stub = dispatch_pb2_grpc.DispatchServiceStub(self.channel)
        leave = threading.Event()

        def requests() -> Iterator[dispatch_pb2.AttachRequest]:
            # With room beyond what a claim that is under way reserves: else the execution may go to the other engine.
            hello = {"engine": "fuzz", "session": "fuzz-driver", "capacity": 10_000}
            yield dispatch_pb2.AttachRequest(hello=hello)
            leave.wait(PATIENCE_S)
            yield dispatch_pb2.AttachRequest(detach={})

        answers = stub.Attach(requests(), timeout=PATIENCE_S, metadata=PROOF)
        next(answers)
        # To the engine that drives the fewest: ours.
        self.admin.CreateExecution(execution("driven", plan=SLEEPER))
        given = next(answer.assignment for answer in answers if answer.HasField("assignment"))
        leave.set()
        for _ in answers:
            pass
        return driver_tokens.make(given.driver_key, given.execution, "n0", 0)

    def upload(self, content: bytes) -> str:
        """Put a file where clients put theirs: its address."""
        digest = hashlib.md5(content, usedforsecurity=False).digest()
        answer = self.proxy.CreateUploadLocation(
            dataproxy_pb2.CreateUploadLocationRequest(
                project=PROJECTS[0], domain=DOMAIN, filename="f", content_md5=digest
            )
        )
        headers = {**answer.headers, "Content-Length": str(len(content))}
        put = urllib.request.Request(answer.signed_url, data=content, headers=headers, method="PUT")
        with urllib.request.urlopen(put, timeout=PATIENCE_S):
            return answer.native_url

    def plant_special_node(self) -> None:
        """A node with a deck and a graph of its own, as another engine would report it."""
        closure = compiler_pb2.CompiledWorkflowClosure()
        closure.primary.template.CopyFrom(workflow(WORKFLOW, "v1").spec.template)
        dynamic = {"id": closure.primary.template.id, "compiled_workflow": closure}
        for name, node in itertools.product(("runs", "ended"), DECKS):
            event = {
                "id": self.node_id(name, node),
                "producer_id": "propeller",
                "occurred_at": now(),
                "spec_node_id": node,
                "deck_uri": self.uploaded,
                "is_dynamic": True,
                "event_version": 1,
                "input_uri": self.uploaded,
            }
            for phase in (phases.NodeExecution.DYNAMIC_RUNNING, phases.NodeExecution.SUCCEEDED):
                told = {**event, "phase": phase, "task_node_metadata": {"dynamic_workflow": dynamic}}
                self.admin.CreateNodeEvent(event_pb2.NodeExecutionEventRequest(event=told))

    def await_phase(self, id_: identifier_pb2.WorkflowExecutionIdentifier, phase: int) -> None:
        """Until an execution is in a phase; AssertionError when it takes too long."""
        last = time.monotonic() + PATIENCE_S
        while (
            closure := self.admin.GetExecution(execution_pb2.WorkflowExecutionGetRequest(id=id_)).closure
        ).phase != phase:
            assert time.monotonic() < last, f"{id_.name} did not end as it should: {closure}"
            time.sleep(0.02)

    def sleeping(self) -> identifier_pb2.WorkflowExecutionIdentifier:
        """A new execution that waits for a day."""
        return self.admin.CreateExecution(execution(self.fresh("sleeps"), plan=SLEEPER)).id

    def node_id(self, name: str = "done", node: str = "n0") -> identifier_pb2.NodeExecutionIdentifier:
        return identifier_pb2.NodeExecutionIdentifier(node_id=node, execution_id=execution_id(name))

    def attempt_id(self, name: str = "done") -> identifier_pb2.TaskExecutionIdentifier:
        return identifier_pb2.TaskExecutionIdentifier(
            task_id=identifier(identifier_pb2.TASK, TASK), node_execution_id=self.node_id(name)
        )

    def known(self) -> Mapping[str, Sequence[Sequence[Any]]]:
        """Values that exist, by the name of their field, in groups of those that can stand for one another."""
        addresses = [f"flyte://v1/{PROJECTS[0]}/{DOMAIN}/done/{rest}" for rest in ("n0/i", "n0/o", "n0/o/o0", "n0/0/o")]
        return {
            "project": [PROJECTS],
            "org": [["", "acme", "other"]],
            "name": [
                [TASK, OTHER_TASK],
                [WORKFLOW, SLEEPER],
                [*FINISHED, "ended"],
                ["runs"],
                ["fuzz-set"],
                [""],
                [DECK],
            ],
            "version": [VERSIONS],
            "id": [PROJECTS, ["art1", "art2"]],
            "node_id": [["n0", "start-node", "end-node"], DECKS],
            "signal_id": [["s1", "s2"]],
            "limit": [[1, 2, 100]],
            "key": [["created_at", "name", "version"]],
            "filters": [["", "eq(version,v1)", "ne(version,v2)", "gt(created_at,2020-01-01T00:00:00Z)"]],
            "workflow": [["", WORKFLOW]],
            "artifact_id": [["art1", "art2"]],
            "tag_name": [["tag1", "tag2"]],
            "tag": [["tag1", "tag2"]],
            "native_url": [[self.uploaded, self.uploaded_too]],
            "seconds": [[0, 1, 60, 3600]],
            "nanos": [[0, 1]],
            "producer_id": [["propeller", "other"]],
            "flyte_url": [addresses],
            "token": [["", "0", "1"], [self.driver_token, self.driver_token + "x"]],
        }
