"""Ray tasks as RayJobs of KubeRay (contract rows 3.021 to 3.023). Pure."""

import base64
import binascii
import json
import shlex

from volant_core import errors
from volant_engine.launchers import port
from volant_engine.launchers.kubernetes import kind as kind_port
from volant_engine.launchers.kubernetes.operators import roles, status
from volantidl.core import tasks_pb2
from volantidl.plugins import ray_pb2

_Phase = port.AttemptPhase
_SUBMITTER = "ray-submit"
_PORTS: list[roles.Object] = [
    {"name": "redis", "containerPort": 6379},
    {"name": "head", "containerPort": 10001},
    {"name": "dashboard", "containerPort": 8265},
]
_POD_IP: roles.Object = {"name": "MY_POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
_MODES = {
    ray_pb2.AutoscalerOptions.UPSCALING_MODE_DEFAULT: "Default",
    ray_pb2.AutoscalerOptions.UPSCALING_MODE_AGGRESSIVE: "Aggressive",
    ray_pb2.AutoscalerOptions.UPSCALING_MODE_CONSERVATIVE: "Conservative",
}
_KEPT_SECONDS = 3600
"""How long a finished cluster's record stays where the task does not say."""


def build(job: roles.Job) -> roles.Object:
    """The spec of a RayJob."""
    told = roles.details(job.attempt.task, ray_pb2.RayJob)
    submitter = roles.role(job, _SUBMITTER)
    # A job's entry point is a line for a shell.
    words = [*(submitter.container.get("command") or []), *(submitter.container.get("args") or [])]
    cluster = told.ray_cluster
    spec = {
        "headGroupSpec": {
            "template": _head(job, cluster.head_group_spec),
            "serviceType": "NodePort",
            "rayStartParams": {
                "include-dashboard": "true",
                "node-ip-address": "$MY_POD_IP",
                "dashboard-host": "0.0.0.0",
                "disable-usage-stats": "true",
                **cluster.head_group_spec.ray_start_params,
            },
        },
        "workerGroupSpecs": [_workers(job, group) for group in cluster.worker_group_spec],
        "enableInTreeAutoscaling": cluster.enable_autoscaling,
    }
    if cluster.HasField("autoscaler_options"):
        spec["autoscalerOptions"] = _autoscaler(cluster.autoscaler_options)
    shuts_down = told.shutdown_after_job_finishes
    submitter.spec["containers"] = [{**submitter.container, "args": None, "command": None}]
    submitter.spec["containers"] = [roles.without_empty(one) for one in submitter.spec["containers"]]
    return roles.without_empty(
        {
            "rayClusterSpec": spec,
            "entrypoint": shlex.join(words),
            "shutdownAfterJobFinishes": True,
            "ttlSecondsAfterFinished": told.ttl_seconds_after_finished if shuts_down else _KEPT_SECONDS,
            "runtimeEnvYAML": told.runtime_env_yaml or _runtime_env(told.runtime_env),
            "submitterPodTemplate": submitter.pod,
        }
    )


def _overlay(told: ray_pb2.HeadGroupSpec | ray_pb2.WorkerGroupSpec) -> tasks_pb2.K8sPod | None:
    return told.k8s_pod if told.HasField("k8s_pod") else None


def _head(job: roles.Job, told: ray_pb2.HeadGroupSpec) -> roles.Object:
    head = roles.role(job, "ray-head", arguments=[], overlay=_overlay(told))
    head.container.pop("command", None)
    _extend(head.container, "env", [_POD_IP])
    _extend(head.container, "ports", _PORTS)
    return head.pod


def _workers(job: roles.Job, told: ray_pb2.WorkerGroupSpec) -> roles.Object:
    worker = roles.role(job, "ray-worker", arguments=[], overlay=_overlay(told))
    worker.container.pop("command", None)

    def of_resource(resource: str) -> roles.Object:
        return {"resourceFieldRef": {"containerName": worker.name, "resource": resource}}

    env: list[roles.Object] = [
        {"name": "RAY_DISABLE_DOCKER_CPU_WARNING", "value": "1"},
        {"name": "TYPE", "value": "worker"},
        {"name": "CPU_REQUEST", "valueFrom": of_resource("requests.cpu")},
        {"name": "CPU_LIMITS", "valueFrom": of_resource("limits.cpu")},
        # Flyte gives the amounts of cores here.
        {"name": "MEMORY_REQUESTS", "valueFrom": of_resource("requests.memory")},
        {"name": "MEMORY_LIMITS", "valueFrom": of_resource("limits.memory")},
        {"name": "MY_POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        _POD_IP,
    ]
    _extend(worker.container, "env", env)
    _extend(worker.container, "ports", _PORTS)
    worker.container["lifecycle"] = {"preStop": {"exec": {"command": ["/bin/sh", "-c", "ray stop"]}}}
    return {
        "groupName": told.group_name,
        "replicas": told.replicas,
        "minReplicas": min(told.min_replicas, told.replicas),
        "maxReplicas": max(told.max_replicas, told.replicas),
        "rayStartParams": {
            "node-ip-address": "$MY_POD_IP",
            "disable-usage-stats": "true",
            **told.ray_start_params,
        },
        "template": worker.pod,
    }


def _extend(container: roles.Object, key: str, more: list[roles.Object]) -> None:
    named = {one["name"] for one in container.get(key) or []}
    container[key] = [*(container.get(key) or []), *(one for one in more if one["name"] not in named)]


def _autoscaler(told: ray_pb2.AutoscalerOptions) -> roles.Object:
    return roles.without_empty(
        {
            "idleTimeoutSeconds": told.idle_timeout_seconds or None,
            "upscalingMode": _MODES.get(told.upscaling_mode),
            "image": told.image,
            "env": [{"name": pair.key, "value": pair.value} for pair in told.env],
        }
    )


def _runtime_env(text: str) -> str:
    """The older form: JSON in base 64. JSON is YAML too."""
    if not text:
        return ""
    try:
        return json.dumps(json.loads(base64.b64decode(text, validate=True)))
    except (binascii.Error, ValueError) as wrong:
        raise errors.InvalidArgumentError(
            f"the runtime environment of a ray task is no JSON in base 64: {wrong}"
        ) from wrong


def judge(told: status.Status) -> status.Said:
    """What the status of a RayJob says."""
    match told.get("jobDeploymentStatus", ""):
        case "":
            return status.Said(_Phase.QUEUED, status.UNSEEN)
        case "Initializing" | "Waiting":
            return status.Said(_Phase.INITIALIZING, "cluster is creating")
        case "Complete":
            return status.Said(_Phase.SUCCEEDED)
        case "Suspended" | "Suspending" as state:
            return status.Said(_Phase.QUEUED, state)
        case "ValidationFailed":
            return status.failed(
                f"the Ray operator refuses the job: {told.get('message', '')}", "BadTaskSpecification", retryable=False
            )
        case "Failed":
            why = f"[{told.get('reason', '')}] {told.get('message', '')}"
            return status.failed(
                f"Failed to run Ray job {told.get('jobId', '')} with error: {why}",
                "TaskFailedWithError",
                is_system=True,
            )
        case _:
            page = told.get("dashboardURL", "")
            links = (status.link("Ray Dashboard", f"http://{page}"),) if page else ()
            return status.Said(_Phase.RUNNING, links=links)


def log(name: str, _: status.Status) -> kind_port.LogPlace:
    """The submitter's, which tells what the driver writes. Its pod is a Kubernetes job's, and named by chance."""
    return kind_port.LogPlace("", _SUBMITTER, f"job-name={name}")
