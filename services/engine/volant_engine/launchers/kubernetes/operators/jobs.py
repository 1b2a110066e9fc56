"""The kinds of custom resources, by the task types that they are for. Pure."""

import dataclasses
import datetime
from collections.abc import Callable, Mapping
from typing import Any

from volant_engine.launchers import port
from volant_engine.launchers.kubernetes import kind as kind_port
from volant_engine.launchers.kubernetes import pod_spec, pod_status
from volant_engine.launchers.kubernetes import settings as kubernetes_settings
from volant_engine.launchers.kubernetes.operators import dask, kubeflow, ray, roles, spark, status
from volantidl.core import execution_pb2


@dataclasses.dataclass(frozen=True, slots=True)
class Job(kind_port.Kind):
    """An attempt is a custom resource, of which an operator makes pods."""

    task_type: str
    name: str
    api: str
    plural: str
    spec: Callable[[roles.Job], roles.Object]
    """What an attempt becomes."""
    says: Callable[[status.Status], status.Said]
    """What a status says of its attempt."""
    log: Callable[[str, status.Status], kind_port.LogPlace]
    """Whose log is the job's, by its name and status."""
    longest_name: int = 63

    def build(
        self,
        attempt: port.Attempt,
        settings: kubernetes_settings.KubernetesSettings,
        template: Mapping[str, Any] | None,
        memory: str,
    ) -> kind_port.Object:
        """The attempt's custom resource."""
        job = roles.Job(attempt, settings, self.name_of(attempt.name), template)
        metadata = pod_spec.build(attempt, settings, template, memory)["metadata"]
        annotations = {key: value for key, value in metadata["annotations"].items() if key != pod_spec.PRIMARY}
        return {
            "apiVersion": self.api,
            "kind": self.name,
            "metadata": {**metadata, "name": job.name, "annotations": annotations},
            "spec": self.spec(job),
        }

    def judge(
        self, told: Mapping[str, Any], now: datetime.datetime, settings: kubernetes_settings.KubernetesSettings
    ) -> pod_status.Verdict:
        """What its operator says, bounded by the same patience as pods have."""
        metadata = told["metadata"]
        said = self.says(told.get("status") or {})
        at = pod_status.moment_of(told.get("changed")) or now
        verdict = pod_status.Verdict(
            said.phase,
            at,
            said.reason,
            started_at=_started_at(told) if said.is_end and not said.goes_on else None,
            error=said.error,
            retryable=said.retryable,
            is_mute=said.error is not None,
        )
        if said.phase in {port.AttemptPhase.QUEUED, port.AttemptPhase.INITIALIZING}:
            since = pod_status.moment_of(metadata.get("creationTimestamp")) or now
            verdict = pod_status.limited(verdict, since, now, settings)
        if metadata.get("deletionTimestamp") and verdict.phase is not port.AttemptPhase.SUCCEEDED:
            return pod_status.when_leaving(told, verdict, now, settings)
        return verdict

    def is_over(self, told: Mapping[str, Any]) -> bool:
        """Whether its operator is done with it."""
        said = self.says(told.get("status") or {})
        return said.is_end and not said.goes_on

    def log_place(self, attempt: port.Attempt, told: Mapping[str, Any] | None) -> kind_port.LogPlace:
        """The log of the pod in which the task's own code begins."""
        return self.log(self.name_of(attempt.name), (told or {}).get("status") or {})

    def links(self, told: Mapping[str, Any]) -> tuple[execution_pb2.TaskLog, ...]:
        """The pages that its operator names."""
        return self.says(told.get("status") or {}).links


def _started_at(told: Mapping[str, Any]) -> datetime.datetime | None:
    """When what has ended began, as far as its operator says; for pages and durations only."""
    status_ = told.get("status") or {}
    text = status_.get("startTime") or status_.get("lastSubmissionAttemptTime")
    return pod_status.moment_of(text or told["metadata"].get("creationTimestamp"))


_TRAINING = "kubeflow.org/v1"

JOBS: Mapping[str, Job] = {
    job.task_type: job
    for job in (
        Job(
            "spark",
            "SparkApplication",
            "sparkoperator.k8s.io/v1beta2",
            "sparkapplications",
            spark.build,
            spark.judge,
            spark.log,
        ),
        # KubeRay makes longer names of a job's, and refuses it where they get too long.
        Job("ray", "RayJob", "ray.io/v1", "rayjobs", ray.build, ray.judge, ray.log, longest_name=47),
        Job("dask", "DaskJob", "kubernetes.dask.org/v1", "daskjobs", dask.build, dask.judge, dask.log),
        Job("pytorch", "PyTorchJob", _TRAINING, "pytorchjobs", kubeflow.pytorch, kubeflow.judge, kubeflow.pytorch_log),
        Job("tensorflow", "TFJob", _TRAINING, "tfjobs", kubeflow.tensorflow, kubeflow.judge, kubeflow.tensorflow_log),
        Job("mpi", "MPIJob", _TRAINING, "mpijobs", kubeflow.mpi, kubeflow.judge, kubeflow.mpi_log),
    )
}
