"""Dask tasks as DaskJobs of the Dask operator (contract rows 3.024 and 3.025). Pure."""

import math

from volant_core import compiler
from volant_engine.launchers import port
from volant_engine.launchers.kubernetes import kind as kind_port
from volant_engine.launchers.kubernetes.operators import roles, status
from volantidl.plugins import dask_pb2

_Phase = port.AttemptPhase
_RUNNER = "job-runner"
_PORTS = (("tcp-comm", 8786), ("dashboard", 8787))


def build(job: roles.Job) -> roles.Object:
    """The spec of a DaskJob."""
    told = roles.details(job.attempt.task, dask_pb2.DaskJob)
    runner = roles.role(job, _RUNNER, interruptible=False)
    runner.spec["restartPolicy"] = "Never"
    return {
        "job": {"spec": runner.spec},
        "cluster": {
            "metadata": runner.pod["metadata"],
            "spec": {"worker": _worker(job, told.workers), "scheduler": _scheduler(job, told.scheduler)},
        },
    }


def _worker(job: roles.Job, told: dask_pb2.DaskWorkerGroup) -> roles.Object:
    worker = roles.role(job, "dask-worker", image=told.image, resources=told.resources)
    limits = worker.container["resources"].get("limits") or {}
    arguments = ["dask-worker", "--name", "$(DASK_WORKER_NAME)"]
    if "cpu" in limits:
        # A part of a core is a thread too.
        arguments += ["--nthreads", str(math.ceil(compiler.parse_quantity(limits["cpu"])))]
    if "memory" in limits:
        arguments += ["--memory-limit", limits["memory"]]
    worker.container["args"] = arguments
    worker.spec["restartPolicy"] = "Always"
    return {"replicas": told.number_of_workers, "spec": worker.spec}


def _scheduler(job: roles.Job, told: dask_pb2.DaskScheduler) -> roles.Object:
    scheduler = roles.role(
        job, "scheduler", image=told.image, resources=told.resources, arguments=["dask-scheduler"], interruptible=False
    )
    scheduler.container["ports"] = [
        {"name": name, "containerPort": number, "protocol": "TCP"} for name, number in _PORTS
    ]
    scheduler.spec["restartPolicy"] = "Always"
    return {
        "spec": scheduler.spec,
        "service": {
            "type": "NodePort",
            "selector": {"dask.org/cluster-name": job.name, "dask.org/component": "scheduler"},
            "ports": [{"name": name, "protocol": "TCP", "port": number, "targetPort": name} for name, number in _PORTS],
        },
    }


def judge(told: status.Status) -> status.Said:
    """What the status of a DaskJob says."""
    match told.get("jobStatus", ""):
        case "":
            return status.Said(_Phase.INITIALIZING, status.UNSEEN)
        case "JobCreated":
            return status.Said(_Phase.INITIALIZING, "job created")
        case "ClusterCreated":
            return status.Said(_Phase.INITIALIZING, "cluster created")
        case "Failed":
            return status.failed("Dask Job failed")
        case "Successful":
            return status.Said(_Phase.SUCCEEDED)
        case _:
            return status.Said(_Phase.RUNNING)


def log(name: str, told: status.Status) -> kind_port.LogPlace:
    """The runner's."""
    return kind_port.LogPlace(told.get("jobRunnerPodName") or f"{name}-runner", _RUNNER)
