"""Spark tasks as SparkApplications of the Spark operator (contract rows 3.019 and 3.020). Pure."""

import re
from collections.abc import Mapping
from typing import Any

from volant_core import errors
from volant_engine.launchers import port
from volant_engine.launchers.kubernetes import kind as kind_port
from volant_engine.launchers.kubernetes.operators import roles, status
from volantidl.core import tasks_pb2
from volantidl.plugins import spark_pb2

_Phase = port.AttemptPhase
_TYPES = {
    spark_pb2.SparkApplication.PYTHON: "Python",
    spark_pb2.SparkApplication.JAVA: "Java",
    spark_pb2.SparkApplication.SCALA: "Scala",
    spark_pb2.SparkApplication.R: "R",
}
_FEATURE = re.compile(r"spark\.(?:flyteorg|flyte)\.(.+)\.enabled$")
_DRIVER = "spark-kubernetes-driver"
_SUBMISSION_RETRIES = 14
"""As Flyte's: what it cannot submit for want of room, the operator tries again."""


def build(job: roles.Job) -> roles.Object:
    """The spec of a SparkApplication."""
    told = roles.details(job.attempt.task, spark_pb2.SparkJob)
    if not told.mainApplicationFile and not told.mainClass:
        raise errors.InvalidArgumentError(
            f"the spark task {job.attempt.task.id.name} names neither a main application file nor a main class"
        )
    conf = _conf(job, told)
    driver = roles.role(job, _DRIVER, interruptible=False, overlay=_overlay(told, "driverPod"))
    executor = roles.role(job, "spark-kubernetes-executor", overlay=_overlay(told, "executorPod"))
    spec = roles.without_empty(
        {
            "type": _TYPES.get(told.applicationType, "Python"),
            "mode": "cluster",
            "image": executor.container["image"],
            "arguments": executor.container.get("args"),
            "mainApplicationFile": told.mainApplicationFile,
            "mainClass": told.mainClass,
            "sparkConf": conf,
            "hadoopConf": dict(told.hadoopConf),
            "volumes": list(
                {one["name"]: one for role in (driver, executor) for one in role.spec.get("volumes") or []}.values()
            ),
            "batchScheduler": conf.get("spark.batchScheduler"),
            "driver": {**_pod(job, driver), **_sizes(conf, "driver")},
            "executor": {**_pod(job, executor), **_sizes(conf, "executor")},
            "restartPolicy": {"type": "OnFailure", "onSubmissionFailureRetries": _SUBMISSION_RETRIES},
        }
    )
    # The definition wants a version; the operator takes whatever the image has.
    return {**spec, "sparkVersion": ""}


def _overlay(told: spark_pb2.SparkJob, field: str) -> tasks_pb2.K8sPod | None:
    return getattr(told, field) if told.HasField(field) else None  # type: ignore[arg-type]


def _conf(job: roles.Job, told: spark_pb2.SparkJob) -> dict[str, str]:
    conf = dict(job.settings.spark_conf)
    if told.executorPath:
        conf["spark.pyspark.python"] = conf["spark.pyspark.driver.python"] = told.executorPath
    for key, value in told.sparkConf.items():
        asked = _FEATURE.match(key)
        feature = job.settings.spark_features.get(asked[1]) if asked and value.strip().lower() == "true" else None
        conf |= {key: value} if feature is None else feature
    for who in ("driver", "executor"):
        limit = f"spark.kubernetes.{who}.limit.cores"
        cores = conf.get(f"spark.kubernetes.{who}.request.cores") or conf.get(f"spark.{who}.cores")
        if cores and not conf.get(limit):
            conf[limit] = cores
    conf["spark.kubernetes.executor.podNamePrefix"] = job.name
    return conf


def _pod(job: roles.Job, role: roles.Role) -> roles.Object:
    """A pod as this operator writes it: single fields instead of a template."""
    spec, container = role.spec, role.container
    attempts = {"name": "FLYTE_MAX_ATTEMPTS", "value": str(job.attempt.task.metadata.retries.retries + 1)}
    env = [one for one in container.get("env") or [] if one["name"] != attempts["name"]]
    return roles.without_empty(
        {
            "labels": role.pod["metadata"]["labels"],
            "annotations": role.pod["metadata"]["annotations"],
            "env": [*env, attempts],
            "envFrom": container.get("envFrom"),
            "image": container["image"],
            "affinity": spec.get("affinity"),
            "dnsConfig": spec.get("dnsConfig"),
            "hostNetwork": spec.get("hostNetwork"),
            "nodeSelector": spec.get("nodeSelector"),
            "podSecurityContext": spec.get("securityContext"),
            "priorityClassName": spec.get("priorityClassName"),
            "schedulerName": spec.get("schedulerName"),
            "securityContext": container.get("securityContext"),
            "serviceAccount": spec.get("serviceAccountName") or "spark",
            "tolerations": spec.get("tolerations"),
            "volumeMounts": container.get("volumeMounts"),
        }
    )


def _sizes(conf: Mapping[str, str], who: str) -> roles.Object:
    def number(key: str) -> int | None:
        text = conf.get(key, "")
        return int(text) if text.isdecimal() else None

    return roles.without_empty(
        {
            "cores": number(f"spark.{who}.cores"),
            "memory": conf.get(f"spark.{who}.memory"),
            "instances": number("spark.executor.instances") if who == "executor" else None,
        }
    )


def judge(told: status.Status) -> status.Said:
    """What the status of a SparkApplication says."""
    state: Mapping[str, Any] = told.get("applicationState") or {}
    at = state.get("state", "")
    page = (told.get("driverInfo") or {}).get("webUIIngressAddress", "")
    match at:
        case "":
            return status.Said(_Phase.QUEUED, status.UNSEEN)
        case "NEW" | "SUSPENDING" | "SUSPENDED":
            return status.Said(_Phase.QUEUED, f"the job is {at.lower()}")
        case "SUBMITTED" | "PENDING_SUBMISSION" | "RESUMING":
            return status.Said(_Phase.INITIALIZING, "the job is submitted")
        case "SUBMISSION_FAILED":
            # The operator would try on for minutes, unseen; what is to be tried again is the engine's to say.
            return status.failed(
                f"Spark Job Submission Failed with Error: {state.get('errorMessage', '')}", goes_on=True
            )
        case "FAILED":
            return status.failed(f"Spark Job Failed with Error: {state.get('errorMessage', '')}")
        case "COMPLETED":
            return status.Said(_Phase.SUCCEEDED)
        case _:
            uri = page if "://" in page or not page else f"https://{page}"
            links = (status.link("Spark Driver UI", uri),) if uri else ()
            return status.Said(_Phase.RUNNING, at.lower(), links=links)


def log(name: str, told: status.Status) -> kind_port.LogPlace:
    """The driver's."""
    return kind_port.LogPlace((told.get("driverInfo") or {}).get("podName") or f"{name}-driver", _DRIVER)
