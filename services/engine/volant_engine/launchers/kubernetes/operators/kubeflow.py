"""PyTorch, TensorFlow and MPI tasks as jobs of Kubeflow's training operator (contract rows 3.026 to 3.029). Pure."""

from collections.abc import Mapping
from typing import Any

from volant_core import errors
from volant_engine.launchers import port
from volant_engine.launchers.kubernetes import kind as kind_port
from volant_engine.launchers.kubernetes.operators import roles, status
from volantidl.plugins import common_pb2 as plugins_pb2
from volantidl.plugins import mpi_pb2, pytorch_pb2, tensorflow_pb2
from volantidl.plugins.kubeflow import common_pb2
from volantidl.plugins.kubeflow import mpi_pb2 as kf_mpi_pb2
from volantidl.plugins.kubeflow import pytorch_pb2 as kf_pytorch_pb2
from volantidl.plugins.kubeflow import tensorflow_pb2 as kf_tensorflow_pb2

_Phase = port.AttemptPhase
_CLEAN = {
    common_pb2.CLEANPOD_POLICY_NONE: "None",
    common_pb2.CLEANPOD_POLICY_RUNNING: "Running",
    common_pb2.CLEANPOD_POLICY_ALL: "All",
}
_RESTART = {
    plugins_pb2.RESTART_POLICY_NEVER: "Never",
    plugins_pb2.RESTART_POLICY_ON_FAILURE: "OnFailure",
    plugins_pb2.RESTART_POLICY_ALWAYS: "Always",
}
_WORKER_NAME: roles.Object = {"name": "_F_WN", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
_WORKER_COMMAND = "worker_spec_command"
_Replicas = Any
"""A replica spec of one of the three plugins: the same fields, but three messages."""


def pytorch(job: roles.Job) -> roles.Object:
    """The spec of a PyTorchJob."""
    _check_version(job)
    if not job.attempt.task.task_type_version:
        old = roles.details(job.attempt.task, pytorch_pb2.DistributedPyTorchTrainingTask)
        elastic: Any = old.elastic_config if old.HasField("elastic_config") else None
        master = _replicas(_plain(job, "pytorch"), 1)
        worker = _replicas(_plain(job, "pytorch"), old.workers)
        policy = common_pb2.RunPolicy()
    else:
        new = roles.details(job.attempt.task, kf_pytorch_pb2.DistributedPyTorchTrainingTask)
        elastic = new.elastic_config if new.HasField("elastic_config") else None
        master = _told_replicas(job, "pytorch", new.master_replicas, count=1)
        worker = _told_replicas(job, "pytorch", new.worker_replicas)
        policy = new.run_policy
    # Where an error comes from is said by the worker itself, which has to know its name.
    for container in worker["template"]["spec"]["containers"]:
        if container["name"] == "pytorch":
            container["env"] = [*(container.get("env") or []), _WORKER_NAME]
    # Elastic training chooses its own master, and a master alone is a training too.
    specs = {} if elastic is not None else {"Master": master}
    if elastic is not None:
        _check_workers(job, worker)
    if worker["replicas"] > 0:
        specs["Worker"] = worker
    spec = {"pytorchReplicaSpecs": specs, "runPolicy": _run_policy(policy)}
    if elastic is not None:
        spec["elasticPolicy"] = {
            "minReplicas": elastic.min_replicas,
            "maxReplicas": elastic.max_replicas,
            "nProcPerNode": elastic.nproc_per_node,
            "maxRestarts": elastic.max_restarts,
            "rdzvBackend": elastic.rdzv_backend or "c10d",
        }
    return spec


def tensorflow(job: roles.Job) -> roles.Object:
    """The spec of a TFJob."""
    _check_version(job)
    if not job.attempt.task.task_type_version:
        old = roles.details(job.attempt.task, tensorflow_pb2.DistributedTensorflowTrainingTask)
        counts = {
            "Chief": old.chief_replicas,
            "Worker": old.workers,
            "PS": old.ps_replicas,
            "Evaluator": old.evaluator_replicas,
        }
        specs = {name: _replicas(_plain(job, "tensorflow"), count) for name, count in counts.items() if count > 0}
        policy = common_pb2.RunPolicy()
    else:
        new = roles.details(job.attempt.task, kf_tensorflow_pb2.DistributedTensorflowTrainingTask)
        told = {
            "Chief": new.chief_replicas,
            "Worker": new.worker_replicas,
            "PS": new.ps_replicas,
            "Evaluator": new.evaluator_replicas,
        }
        specs = {
            name: _told_replicas(job, "tensorflow", one) for name, one in told.items() if _common(one).replicas > 0
        }
        policy = new.run_policy
    _check_workers(job, specs.get("Worker") or {"replicas": 0})
    return {"tfReplicaSpecs": specs, "runPolicy": _run_policy(policy)}


def mpi(job: roles.Job) -> roles.Object:
    """The spec of an MPIJob."""
    _check_version(job)
    slots = 1
    if not job.attempt.task.task_type_version:
        old = roles.details(job.attempt.task, mpi_pb2.DistributedMPITrainingTask)
        launcher = _replicas(_plain(job, "mpi"), max(1, old.num_launcher_replicas))
        worker_role = _plain(job, "mpi")
        worker_role.container.pop("command", None)
        worker_role.container["args"] = job.attempt.task.config.get(_WORKER_COMMAND, "").split()
        worker = _replicas(worker_role, old.num_workers)
        slots = old.slots or 1
        policy = common_pb2.RunPolicy()
    else:
        new = roles.details(job.attempt.task, kf_mpi_pb2.DistributedMPITrainingTask)
        launcher = _told_replicas(job, "mpi", new.launcher_replicas, count=1)
        worker = _told_replicas(job, "mpi", new.worker_replicas)
        # Flyte leaves it at 1 whatever the task says.
        slots = new.slots or 1
        policy = new.run_policy
    _check_workers(job, worker)
    return {
        "slotsPerWorker": slots,
        "runPolicy": _run_policy(policy),
        "mpiReplicaSpecs": {"Launcher": launcher, "Worker": worker},
    }


def _check_version(job: roles.Job) -> None:
    task = job.attempt.task
    if task.task_type_version not in {0, 1}:
        raise errors.InvalidArgumentError(
            f"the {task.type} task {task.id.name} is of the version {task.task_type_version} of its type;"
            " known are 0 and 1"
        )


def _check_workers(job: roles.Job, worker: roles.Object) -> None:
    if worker["replicas"] <= 0:
        task = job.attempt.task
        raise errors.InvalidArgumentError(
            f"the {task.type} task {task.id.name} asks for no workers; the number of workers must be greater than 0"
        )


def _plain(job: roles.Job, container: str) -> roles.Role:
    return roles.role(job, container)


def _replicas(role: roles.Role, count: int) -> roles.Object:
    return {"replicas": count, "template": role.pod, "restartPolicy": "Never"}


def _common(told: _Replicas) -> Any:
    """The common fields, which stand in a message of their own since flytekit 1.12."""
    return told.common if told.HasField("common") else told


def _told_replicas(job: roles.Job, container: str, told: _Replicas, count: int | None = None) -> roles.Object:
    fields = _common(told)
    command = list(getattr(told, "command", ()))
    role = roles.role(job, container, image=fields.image, resources=fields.resources, arguments=command or None)
    return {
        "replicas": fields.replicas if count is None else count,
        "template": role.pod,
        "restartPolicy": _known(_RESTART, fields.restart_policy, "restart policy"),
    }


def _known(names: Mapping[Any, str], value: int, what: str) -> str:
    if value not in names:
        raise errors.InvalidArgumentError(f"{value} is no {what} that is known here")
    return names[value]


def _run_policy(told: common_pb2.RunPolicy) -> roles.Object:
    return roles.without_empty(
        {
            "cleanPodPolicy": _known(_CLEAN, told.clean_pod_policy, "clean pod policy"),
            "ttlSecondsAfterFinished": told.ttl_seconds_after_finished or None,
            "activeDeadlineSeconds": told.active_deadline_seconds or None,
            "backoffLimit": told.backoff_limit or None,
        }
    )


def judge(told: status.Status) -> status.Said:
    """What the status of a job of the training operator says: the latest of its conditions that holds."""
    holding: list[status.Status] = [one for one in told.get("conditions") or [] if one.get("status") == "True"]
    latest: status.Status = {}
    for one in holding:
        # Within one second, the later in the list.
        if one.get("lastTransitionTime", "") >= latest.get("lastTransitionTime", ""):
            latest = one
    match latest.get("type", ""):
        case "":
            return status.Said(_Phase.QUEUED, status.UNSEEN)
        case "Created":
            return status.Said(_Phase.QUEUED, "JobCreated")
        case "Suspended":
            return status.Said(_Phase.QUEUED, "Suspended")
        case "Succeeded":
            return status.Said(_Phase.SUCCEEDED)
        case "Failed":
            return status.failed(f"Job failed:\n\t{latest.get('reason', '')} - {latest.get('message', '')}")
        case _:
            return status.Said(_Phase.RUNNING, latest.get("reason", ""))


def pytorch_log(name: str, told: status.Status) -> kind_port.LogPlace:
    """The master's; of elastic training, which has none, the first worker's."""
    there = told.get("replicaStatuses") or {"Master": {}}
    return kind_port.LogPlace(f"{name}-{'master' if 'Master' in there else 'worker'}-0", "pytorch")


def tensorflow_log(name: str, told: status.Status) -> kind_port.LogPlace:
    """The chief's; where there is none, the first worker's."""
    there = told.get("replicaStatuses") or {}
    return kind_port.LogPlace(f"{name}-{'chief' if 'Chief' in there else 'worker'}-0", "tensorflow")


def mpi_log(name: str, _: status.Status) -> kind_port.LogPlace:
    """The launcher's."""
    return kind_port.LogPlace(f"{name}-launcher", "mpi")
