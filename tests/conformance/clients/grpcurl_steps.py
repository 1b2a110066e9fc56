"""What is asked of a platform with grpcurl and reflection alone: no proto file, no Python.

The commands before the reads register and run a workflow of an `echo` task, which needs no container.
"""

import json
from typing import Any

from command_runs import Step

ADMIN, SIGNALS = "flyteidl.service.AdminService", "flyteidl.service.SignalService"
DATA, LOGIN, CATALOG = (
    "flyteidl.service.DataProxyService",
    "flyteidl.service.AuthMetadataService",
    "datacatalog.DataCatalog",
)
SERVICES = (ADMIN, SIGNALS, DATA, LOGIN, CATALOG)

_IN = {"project": "flytesnacks", "domain": "development"}
_NAMED = {**_IN, "name": "by.grpcurl"}
_NUMBER = {"type": {"simple": "INTEGER"}}
_INTERFACE = {"inputs": {"variables": {"a": _NUMBER}}, "outputs": {"variables": {"o0": _NUMBER}}}
_RUN = {**_IN, "name": "bygrpcurl"}
_NODE = {"node_id": "n0", "execution_id": _RUN}


def _id(kind: str, version: str = "v1") -> dict[str, str]:
    return {"resource_type": kind, **_NAMED, "version": version}


_ATTEMPT = {"task_id": _id("TASK"), "node_execution_id": _NODE, "retry_attempt": 0}


def call(service: str, method: str, request: Any, shows: str = "", **more: Any) -> Step:
    """A call with a request as JSON."""
    data = json.dumps(request)
    return Step(f"grpcurl -plaintext -d '{data}' {{endpoint}} {service}/{method}", shows, **more)


MAKE = [
    call(
        ADMIN,
        "CreateTask",
        {
            "id": _id("TASK"),
            "spec": {
                "template": {
                    "id": _id("TASK"),
                    "type": "echo",
                    "metadata": {"runtime": {"version": "1"}},
                    "interface": _INTERFACE,
                },
                "description": {"short_description": "it passes a number on"},
            },
        },
    ),
    call(
        ADMIN,
        "CreateWorkflow",
        {
            "id": _id("WORKFLOW"),
            "spec": {
                "template": {
                    "id": _id("WORKFLOW"),
                    "interface": _INTERFACE,
                    "nodes": [
                        {
                            "id": "n0",
                            "task_node": {"reference_id": _id("TASK")},
                            "inputs": [{"var": "a", "binding": {"promise": {"node_id": "", "var": "a"}}}],
                        }
                    ],
                    "outputs": [{"var": "o0", "binding": {"promise": {"node_id": "n0", "var": "o0"}}}],
                }
            },
        },
    ),
    call(
        ADMIN,
        "CreateLaunchPlan",
        {
            "id": _id("LAUNCH_PLAN"),
            "spec": {
                "workflow_id": _id("WORKFLOW"),
                "default_inputs": {"parameters": {"a": {"var": _NUMBER, "required": True}}},
                "fixed_inputs": {},
            },
        },
    ),
    call(ADMIN, "UpdateLaunchPlan", {"id": _id("LAUNCH_PLAN"), "state": "ACTIVE"}),
    call(
        ADMIN,
        "CreateExecution",
        {
            **_RUN,
            "spec": {
                "launch_plan": _id("LAUNCH_PLAN"),
                "metadata": {"mode": "MANUAL", "principal": "grpcurl"},
                "disable_all": True,
            },
            "inputs": {"literals": {"a": {"scalar": {"primitive": {"integer": "7"}}}}},
        },
        '"name": "bygrpcurl"',
    ),
    call(ADMIN, "GetExecution", {"id": _RUN}, "SUCCEEDED", patience=30),
    call(
        ADMIN,
        "UpdateProjectDomainAttributes",
        {"attributes": {**_IN, "matching_attributes": {"execution_cluster_label": {"value": "gpu"}}}},
    ),
    call(
        ADMIN,
        "UpdateProjectAttributes",
        {
            "attributes": {
                "project": "flytesnacks",
                "matching_attributes": {"execution_cluster_label": {"value": "gpu"}},
            }
        },
    ),
    call(
        ADMIN,
        "UpdateWorkflowAttributes",
        {
            "attributes": {
                **_IN,
                "workflow": "by.grpcurl",
                "matching_attributes": {"execution_cluster_label": {"value": "gpu"}},
            }
        },
    ),
]

_PAGE = {"limit": 10}
_OF_NAME = {"id": _NAMED, **_PAGE}
READS = [
    call(ADMIN, "GetTask", {"id": _id("TASK")}, "by.grpcurl"),
    call(ADMIN, "ListTaskIds", {**_IN, **_PAGE}, "by.grpcurl"),
    call(ADMIN, "ListTasks", _OF_NAME, "by.grpcurl"),
    call(ADMIN, "GetWorkflow", {"id": _id("WORKFLOW")}, "compiledWorkflow"),
    call(ADMIN, "ListWorkflowIds", {**_IN, **_PAGE}, "by.grpcurl"),
    call(ADMIN, "ListWorkflows", _OF_NAME, "by.grpcurl"),
    call(ADMIN, "GetLaunchPlan", {"id": _id("LAUNCH_PLAN")}, "ACTIVE"),
    call(ADMIN, "GetActiveLaunchPlan", {"id": _NAMED}, "ACTIVE"),
    call(ADMIN, "ListActiveLaunchPlans", {**_IN, **_PAGE}, "by.grpcurl"),
    call(ADMIN, "ListLaunchPlanIds", {**_IN, **_PAGE}, "by.grpcurl"),
    call(ADMIN, "ListLaunchPlans", _OF_NAME, "by.grpcurl"),
    call(ADMIN, "GetExecutionData", {"id": _RUN}, '"integer": "7"'),
    call(ADMIN, "GetExecutionMetrics", {"id": _RUN, "depth": 10}, "span"),
    call(ADMIN, "ListExecutions", {"id": _IN, **_PAGE}, "bygrpcurl"),
    call(ADMIN, "GetNodeExecution", {"id": _NODE}, "SUCCEEDED"),
    call(ADMIN, "GetNodeExecutionData", {"id": _NODE}, '"integer": "7"'),
    call(
        ADMIN,
        "GetDynamicNodeWorkflow",
        {"id": _NODE},
        "NotFound|InvalidArgument|FailedPrecondition",
        exit=69,
        remark="no dynamic node",
    ),
    call(ADMIN, "ListNodeExecutions", {"workflow_execution_id": _RUN, **_PAGE}, "n0"),
    call(ADMIN, "ListNodeExecutionsForTask", {"task_execution_id": _ATTEMPT, **_PAGE}),
    call(ADMIN, "GetTaskExecution", {"id": _ATTEMPT}, "SUCCEEDED"),
    call(ADMIN, "GetTaskExecutionData", {"id": _ATTEMPT}, "full_outputs|fullOutputs|outputs"),
    call(ADMIN, "ListTaskExecutions", {"node_execution_id": _NODE, **_PAGE}, "SUCCEEDED"),
    call(ADMIN, "GetProject", {"id": "flytesnacks"}, "flytesnacks"),
    call(ADMIN, "ListProjects", _PAGE, "flytesnacks"),
    call(ADMIN, "GetDomains", {}, "development"),
    call(ADMIN, "GetProjectAttributes", {"project": "flytesnacks", "resource_type": "EXECUTION_CLUSTER_LABEL"}, "gpu"),
    call(ADMIN, "GetProjectDomainAttributes", {**_IN, "resource_type": "EXECUTION_CLUSTER_LABEL"}, "gpu"),
    call(
        ADMIN,
        "GetWorkflowAttributes",
        {**_IN, "workflow": "by.grpcurl", "resource_type": "EXECUTION_CLUSTER_LABEL"},
        "gpu",
    ),
    call(ADMIN, "ListMatchableAttributes", {"resource_type": "EXECUTION_CLUSTER_LABEL"}, "gpu"),
    call(ADMIN, "ListNamedEntities", {"resource_type": "WORKFLOW", **_IN, **_PAGE}, "by.grpcurl"),
    call(ADMIN, "GetNamedEntity", {"resource_type": "WORKFLOW", "id": _NAMED}, "by.grpcurl"),
    call(ADMIN, "GetVersion", {}, "controlPlaneVersion"),
    call(ADMIN, "GetDescriptionEntity", {"id": _id("TASK")}, "passes a number on"),
    call(ADMIN, "ListDescriptionEntities", {"resource_type": "TASK", **_OF_NAME}),
    call(SIGNALS, "ListSignals", {"workflow_execution_id": _RUN, **_PAGE}),
    call(DATA, "GetData", {"flyte_url": "flyte://v1/flytesnacks/development/bygrpcurl/n0/o"}, "7"),
    call(LOGIN, "GetOAuth2Metadata", {}),
    call(LOGIN, "GetPublicClientConfig", {}),
    call(CATALOG, "ListDatasets", {"pagination": {"limit": 10}}),
]
"""Each method whose name begins with Get or List."""
NOT_READ = {
    (CATALOG, "GetDataset"): "nothing is cached here",
    (CATALOG, "GetArtifact"): "nothing is cached here",
    (CATALOG, "ListArtifacts"): "nothing is cached here",
    (CATALOG, "GetOrExtendReservation"): "it writes",
    (SIGNALS, "GetOrCreateSignal"): "it writes",
}
"""Such methods that are left out, and why."""

STEPS = [
    Step("grpcurl -plaintext {endpoint} list", ADMIN),
    *(Step(f"grpcurl -plaintext {{endpoint}} list {service}", service) for service in SERVICES),
    *(Step(f"grpcurl -plaintext {{endpoint}} describe {service}", "is a service") for service in SERVICES),
    Step("grpcurl -plaintext {endpoint} describe flyteidl.admin.ExecutionSpec", "is a message"),
    *MAKE,
    *READS,
    call(ADMIN, "GetTask", {"id": _id("TASK", "v9")}, "NotFound", exit=69),
    call(ADMIN, "GetTask", {"nonsense": 1}, "nonsense", exit=1),
]
