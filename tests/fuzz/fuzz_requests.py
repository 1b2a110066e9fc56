"""A valid request for every method: what most of the cases change one field of."""

from collections.abc import Callable
from typing import Any

import fuzz_seeds as planted
from fuzz_seeds import DECK, DOMAIN, INTEGER, PROJECTS, SLEEPER, TASK, WORKFLOW, Seeds
from google.protobuf.message import Message

from volantidl.admin import (
    common_pb2,
    description_entity_pb2,
    event_pb2,
    execution_pb2,
    launch_plan_pb2,
    node_execution_pb2,
    project_attributes_pb2,
    project_domain_attributes_pb2,
    project_pb2,
    signal_pb2,
    task_execution_pb2,
    version_pb2,
    workflow_attributes_pb2,
)
from volantidl.admin import matchable_resource_pb2 as matchable
from volantidl.catalog import catalog_pb2
from volantidl.core import execution_pb2 as phases
from volantidl.core import identifier_pb2, literals_pb2
from volantidl.datacatalog import datacatalog_pb2 as catalog
from volantidl.dispatch import dispatch_pb2
from volantidl.driver import driver_pb2
from volantidl.service import admin_pb2, auth_pb2, dataproxy_pb2
from volantidl.service import signal_pb2 as service_signal_pb2

Make = Callable[[Seeds], Message]

_IN = {"project": PROJECTS[0], "domain": DOMAIN}
_PAGE = {"limit": 10, "sort_by": {"key": "created_at", "direction": 1}}
_CONFIG = matchable.WORKFLOW_EXECUTION_CONFIG


def _get(kind: int, name: str) -> Make:
    return lambda _: common_pb2.ObjectGetRequest(id=planted.identifier(kind, name))


def _names(seeds: Seeds) -> Message:
    return common_pb2.NamedEntityIdentifierListRequest(**_IN, limit=10, sort_by={"key": "name"})


def _versions(name: str) -> Make:
    return lambda _: common_pb2.ResourceListRequest(id={**_IN, "name": name}, **_PAGE)


def _setting(scope: Any, **more: Any) -> dict[str, Any]:
    return {**scope, **more, "matching_attributes": planted.SETTING}


def _node_event(seeds: Seeds) -> Message:
    return event_pb2.NodeExecutionEventRequest(
        event={
            "id": seeds.node_id("runs", seeds.fresh("fuzz-n")),
            "producer_id": "propeller",
            "phase": phases.NodeExecution.RUNNING,
            "occurred_at": planted.now(),
            "input_uri": "s3://volant/x",
            "spec_node_id": "n0",
            "event_version": 1,
        }
    )


def _task_event(seeds: Seeds) -> Message:
    node = _node_event(seeds)
    seeds.admin.CreateNodeEvent(node)
    return event_pb2.TaskExecutionEventRequest(
        event={
            "task_id": planted.identifier(identifier_pb2.TASK, TASK),
            "parent_node_execution_id": node.event.id,
            "phase": phases.TaskExecution.RUNNING,
            "producer_id": "propeller",
            "occurred_at": planted.now(),
            "task_type": "echo",
        }
    )


def _workflow_event(seeds: Seeds) -> Message:
    return event_pb2.WorkflowExecutionEventRequest(
        event={
            "execution_id": seeds.sleeping(),
            "producer_id": "propeller",
            "phase": phases.WorkflowExecution.FAILING,
            "occurred_at": planted.now(),
        }
    )


def _report(seeds: Seeds) -> Message:
    node = dispatch_pb2.NodeRecord(node_id="n0", phase=phases.NodeExecution.RUNNING, updated_at=planted.now())
    part = dispatch_pb2.ExecutionReport(execution=1, epoch=1, nodes=[node])
    return dispatch_pb2.ReportRequest(session="fuzz", executions=[part])


def _described(kind: int, name: str) -> Make:
    return lambda _: description_entity_pb2.DescriptionEntityListRequest(
        resource_type=kind, id={**_IN, "name": name}, **_PAGE
    )


_NAMED = {"resource_type": identifier_pb2.WORKFLOW, "id": {**_IN, "name": WORKFLOW}}
_TASK, _WORKFLOW, _PLAN = identifier_pb2.TASK, identifier_pb2.WORKFLOW, identifier_pb2.LAUNCH_PLAN

ADMIN: dict[str, Make] = {
    "CreateTask": lambda s: planted.task(TASK, s.fresh("v")),
    "GetTask": _get(_TASK, TASK),
    "ListTaskIds": _names,
    "ListTasks": _versions(TASK),
    "CreateWorkflow": lambda s: planted.workflow(WORKFLOW, s.fresh("v")),
    "GetWorkflow": _get(_WORKFLOW, WORKFLOW),
    "ListWorkflowIds": _names,
    "ListWorkflows": _versions(WORKFLOW),
    "CreateLaunchPlan": lambda s: planted.launch_plan(WORKFLOW, s.fresh("v")),
    "GetLaunchPlan": _get(_PLAN, WORKFLOW),
    "GetActiveLaunchPlan": lambda s: launch_plan_pb2.ActiveLaunchPlanRequest(id={**_IN, "name": WORKFLOW}),
    "ListActiveLaunchPlans": lambda s: launch_plan_pb2.ActiveLaunchPlanListRequest(**_IN, **_PAGE),
    "ListLaunchPlanIds": _names,
    "ListLaunchPlans": _versions(WORKFLOW),
    "UpdateLaunchPlan": lambda s: launch_plan_pb2.LaunchPlanUpdateRequest(
        id=planted.identifier(_PLAN, SLEEPER), state=launch_plan_pb2.ACTIVE
    ),
    "CreateExecution": lambda s: planted.execution(s.fresh("e")),
    "RelaunchExecution": lambda s: execution_pb2.ExecutionRelaunchRequest(
        id=planted.execution_id("done"), name=s.fresh("r")
    ),
    "RecoverExecution": lambda s: execution_pb2.ExecutionRecoverRequest(
        id=planted.execution_id("ended"), name=s.fresh("r")
    ),
    "GetExecution": lambda s: execution_pb2.WorkflowExecutionGetRequest(id=planted.execution_id("done")),
    "UpdateExecution": lambda s: execution_pb2.ExecutionUpdateRequest(
        id=planted.execution_id("done"), state=execution_pb2.EXECUTION_ARCHIVED
    ),
    "GetExecutionData": lambda s: execution_pb2.WorkflowExecutionGetDataRequest(id=planted.execution_id("done")),
    "ListExecutions": _versions(""),
    "TerminateExecution": lambda s: execution_pb2.ExecutionTerminateRequest(id=s.sleeping(), cause="fuzz"),
    "GetNodeExecution": lambda s: node_execution_pb2.NodeExecutionGetRequest(id=s.node_id()),
    "GetDynamicNodeWorkflow": lambda s: node_execution_pb2.GetDynamicNodeWorkflowRequest(id=s.node_id("runs", DECK)),
    "ListNodeExecutions": lambda s: node_execution_pb2.NodeExecutionListRequest(
        workflow_execution_id=planted.execution_id("done"), **_PAGE
    ),
    "ListNodeExecutionsForTask": lambda s: node_execution_pb2.NodeExecutionForTaskListRequest(
        task_execution_id=s.attempt_id(), **_PAGE
    ),
    "GetNodeExecutionData": lambda s: node_execution_pb2.NodeExecutionGetDataRequest(id=s.node_id()),
    "RegisterProject": lambda s: project_pb2.ProjectRegisterRequest(project={"id": s.fresh("p"), "name": "P"}),
    "UpdateProject": lambda s: project_pb2.Project(id=PROJECTS[1], name="Other", description="d"),
    "GetProject": lambda s: project_pb2.ProjectGetRequest(id=PROJECTS[0]),
    "ListProjects": lambda s: project_pb2.ProjectListRequest(limit=10),
    "GetDomains": lambda s: project_pb2.GetDomainRequest(),
    "CreateWorkflowEvent": _workflow_event,
    "CreateNodeEvent": _node_event,
    "CreateTaskEvent": _task_event,
    "GetTaskExecution": lambda s: task_execution_pb2.TaskExecutionGetRequest(id=s.attempt_id()),
    "ListTaskExecutions": lambda s: task_execution_pb2.TaskExecutionListRequest(node_execution_id=s.node_id(), **_PAGE),
    "GetTaskExecutionData": lambda s: task_execution_pb2.TaskExecutionGetDataRequest(id=s.attempt_id()),
    "UpdateProjectDomainAttributes": lambda s: project_domain_attributes_pb2.ProjectDomainAttributesUpdateRequest(
        attributes=_setting(_IN)
    ),
    "GetProjectDomainAttributes": lambda s: project_domain_attributes_pb2.ProjectDomainAttributesGetRequest(
        **_IN, resource_type=_CONFIG
    ),
    "DeleteProjectDomainAttributes": lambda s: project_domain_attributes_pb2.ProjectDomainAttributesDeleteRequest(
        **_IN, resource_type=_CONFIG
    ),
    "UpdateProjectAttributes": lambda s: project_attributes_pb2.ProjectAttributesUpdateRequest(
        attributes=_setting({"project": PROJECTS[0]})
    ),
    "GetProjectAttributes": lambda s: project_attributes_pb2.ProjectAttributesGetRequest(
        project=PROJECTS[0], resource_type=_CONFIG
    ),
    "DeleteProjectAttributes": lambda s: project_attributes_pb2.ProjectAttributesDeleteRequest(
        project=PROJECTS[0], resource_type=_CONFIG
    ),
    "UpdateWorkflowAttributes": lambda s: workflow_attributes_pb2.WorkflowAttributesUpdateRequest(
        attributes=_setting(_IN, workflow=WORKFLOW)
    ),
    "GetWorkflowAttributes": lambda s: workflow_attributes_pb2.WorkflowAttributesGetRequest(
        **_IN, workflow=WORKFLOW, resource_type=_CONFIG
    ),
    "DeleteWorkflowAttributes": lambda s: workflow_attributes_pb2.WorkflowAttributesDeleteRequest(
        **_IN, workflow=WORKFLOW, resource_type=_CONFIG
    ),
    "ListMatchableAttributes": lambda s: matchable.ListMatchableAttributesRequest(resource_type=_CONFIG),
    "ListNamedEntities": lambda s: common_pb2.NamedEntityListRequest(
        resource_type=_WORKFLOW, **_IN, limit=10, sort_by={"key": "name"}
    ),
    "GetNamedEntity": lambda s: common_pb2.NamedEntityGetRequest(**_NAMED),
    "UpdateNamedEntity": lambda s: common_pb2.NamedEntityUpdateRequest(**_NAMED, metadata={"description": "d"}),
    "GetVersion": lambda s: version_pb2.GetVersionRequest(),
    "GetDescriptionEntity": _get(_TASK, TASK),
    "ListDescriptionEntities": _described(_TASK, TASK),
    "GetExecutionMetrics": lambda s: execution_pb2.WorkflowExecutionGetMetricsRequest(
        id=planted.execution_id("done"), depth=3
    ),
}

SIGNAL: dict[str, Make] = {
    "GetOrCreateSignal": lambda s: signal_pb2.SignalGetOrCreateRequest(
        id={"signal_id": s.fresh("s"), "execution_id": planted.execution_id("runs")}, type=INTEGER
    ),
    "ListSignals": lambda s: signal_pb2.SignalListRequest(workflow_execution_id=planted.execution_id("runs"), **_PAGE),
    "SetSignal": lambda s: signal_pb2.SignalSetRequest(
        id={"signal_id": "s1", "execution_id": planted.execution_id("runs")}, value=planted.number(3)
    ),
}

DATA_PROXY: dict[str, Make] = {
    "CreateUploadLocation": lambda s: dataproxy_pb2.CreateUploadLocationRequest(
        **_IN, filename=s.fresh("f"), content_md5=b"0123456789abcdef", expires_in={"seconds": 60}
    ),
    "CreateDownloadLocation": lambda s: dataproxy_pb2.CreateDownloadLocationRequest(
        native_url=s.uploaded, expires_in={"seconds": 60}
    ),
    "CreateDownloadLink": lambda s: dataproxy_pb2.CreateDownloadLinkRequest(
        artifact_type=dataproxy_pb2.ARTIFACT_TYPE_DECK, node_execution_id=s.node_id("runs", DECK)
    ),
    "GetData": lambda s: dataproxy_pb2.GetDataRequest(flyte_url=f"flyte://v1/{PROJECTS[0]}/{DOMAIN}/done/n0/o"),
}

_RESERVATION = {"reservation_id": {"dataset_id": planted.dataset(), "tag_name": "tag1"}, "owner_id": "fuzz"}

CATALOG: dict[str, Make] = {
    "CreateDataset": lambda s: catalog.CreateDatasetRequest(dataset={"id": planted.dataset(s.fresh("v"))}),
    "GetDataset": lambda s: catalog.GetDatasetRequest(dataset=planted.dataset()),
    "CreateArtifact": lambda s: catalog.CreateArtifactRequest(artifact=planted.artifact(s.fresh("art"))),
    "GetArtifact": lambda s: catalog.GetArtifactRequest(dataset=planted.dataset(), artifact_id="art1"),
    "AddTag": lambda s: catalog.AddTagRequest(
        tag={"name": s.fresh("tag"), "artifact_id": "art1", "dataset": planted.dataset()}
    ),
    "ListArtifacts": lambda s: catalog.ListArtifactsRequest(dataset=planted.dataset(), pagination={"limit": 10}),
    "ListDatasets": lambda s: catalog.ListDatasetsRequest(pagination={"limit": 10}),
    "UpdateArtifact": lambda s: catalog.UpdateArtifactRequest(
        dataset=planted.dataset(), artifact_id="art2", data=[{"name": "o0", "value": planted.number(2)}]
    ),
    "GetOrExtendReservation": lambda s: catalog.GetOrExtendReservationRequest(
        **_RESERVATION, heartbeat_interval={"seconds": 10}
    ),
    "ReleaseReservation": lambda s: catalog.ReleaseReservationRequest(**_RESERVATION),
}

LOGIN: dict[str, Make] = {
    "GetOAuth2Metadata": lambda s: auth_pb2.OAuth2MetadataRequest(),
    "GetPublicClientConfig": lambda s: auth_pb2.PublicClientAuthConfigRequest(),
}

DISPATCH: dict[str, Make] = {
    "Attach": lambda s: dispatch_pb2.AttachRequest(hello={"engine": "fuzz", "session": s.fresh("fuzz")}),
    "LoadExecution": lambda s: dispatch_pb2.LoadExecutionRequest(id=planted.execution_id("done")),
    "Report": _report,
}

_CHILD_NODE = {"task_node": {"reference_id": planted.identifier(_TASK, TASK)}}
_CHILD_PLAN = {"workflow_node": {"launchplan_ref": planted.identifier(_PLAN, WORKFLOW)}}
DRIVER: dict[str, Make] = {
    "AddChildren": lambda s: driver_pb2.AddChildrenRequest(
        token=s.driver_token,
        children=[
            {"key": s.fresh("k"), "node": _CHILD_NODE, "inputs": {"literals": {"a": planted.number(1)}}},
            {"key": "same", "node": _CHILD_PLAN, "inputs": {"literals": {"a": planted.number(1)}}},
        ],
    ),
    "WatchChildren": lambda s: driver_pb2.WatchChildrenRequest(token=s.driver_token),
}

_KEY = {**_IN, "dataset_name": "fuzz-set", "dataset_version": "v1", "tag": "tag1"}
_OUTPUTS = literals_pb2.LiteralMap(literals={"o0": planted.number(7)}).SerializeToString()

BATCH: dict[str, Make] = {
    "Lookup": lambda s: catalog_pb2.LookupRequest(queries=[{"key": _KEY}, {"key": {**_KEY, "tag": "other"}}]),
    "Put": lambda s: catalog_pb2.PutRequest(
        entries=[{"key": {**_KEY, "tag": s.fresh("put")}, "outputs": _OUTPUTS, "metadata": {"execution-name": "done"}}]
    ),
    "Reserve": lambda s: catalog_pb2.ReserveRequest(
        claims=[{"key": _KEY, "owner_id": "fuzz", "heartbeat_interval": {"seconds": 10}}]
    ),
    "Release": lambda s: catalog_pb2.ReleaseRequest(releases=[{"key": _KEY, "owner_id": "fuzz"}]),
}

VALID: dict[str, dict[str, Make]] = {
    admin_pb2.DESCRIPTOR.services_by_name["AdminService"].full_name: ADMIN,
    service_signal_pb2.DESCRIPTOR.services_by_name["SignalService"].full_name: SIGNAL,
    dataproxy_pb2.DESCRIPTOR.services_by_name["DataProxyService"].full_name: DATA_PROXY,
    auth_pb2.DESCRIPTOR.services_by_name["AuthMetadataService"].full_name: LOGIN,
    catalog.DESCRIPTOR.services_by_name["DataCatalog"].full_name: CATALOG,
    catalog_pb2.DESCRIPTOR.services_by_name["CacheBatchService"].full_name: BATCH,
    dispatch_pb2.DESCRIPTOR.services_by_name["DispatchService"].full_name: DISPATCH,
    driver_pb2.DESCRIPTOR.services_by_name["DriverService"].full_name: DRIVER,
}

# What follows the first request, for methods that take several.
FOLLOWING: dict[str, list[Message]] = {
    "Attach": [
        dispatch_pb2.AttachRequest(heartbeat=dispatch_pb2.Heartbeat()),
        dispatch_pb2.AttachRequest(detach=dispatch_pb2.Detach()),
    ]
}

# Methods whose answers go on for ever: they are listened to for a moment.
ENDLESS = {"volantidl.driver.DriverService.WatchChildren"}

ONLY_A_SECRET = {"volantidl.driver.DriverService.WatchChildren"}
"""Methods whose request is a token and nothing else: nearly every change of it must be refused."""

# Methods that the server answers with UNIMPLEMENTED, and why.
NOT_OFFERED: dict[str, str] = {}
