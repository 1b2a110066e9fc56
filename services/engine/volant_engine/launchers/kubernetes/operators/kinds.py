"""The kinds of custom resources, by the task types that they are for. Pure."""

import dataclasses
import hashlib
from collections.abc import Callable

from volant_engine.launchers.kubernetes import pod_spec
from volant_engine.launchers.kubernetes.operators import dask, kubeflow, ray, roles, spark, status


@dataclasses.dataclass(frozen=True, slots=True)
class Kind:
    """One kind of custom resource."""

    task_type: str
    group: str
    version: str
    plural: str
    kind: str
    spec: Callable[[roles.Job], roles.Object]
    judge: Callable[[status.Status], status.Said]
    """What a status says of its attempt."""
    longest_name: int = 63
    """Characters that the operator lets a name have: it makes other names of it."""

    def name_of(self, attempt: str) -> str:
        """The custom resource's name, made of the attempt's."""
        if len(attempt) <= self.longest_name:
            return attempt
        digest = hashlib.sha256(attempt.encode()).hexdigest()[:_DIGEST]
        return f"{attempt[: self.longest_name - _DIGEST - 1].rstrip('-')}-{digest}"

    def path(self, namespace: str = "") -> str:
        """Where the API server has them; in all namespaces without one."""
        within = f"/namespaces/{namespace}" if namespace else ""
        return f"/apis/{self.group}/{self.version}{within}/{self.plural}"

    def build(self, job: roles.Job) -> roles.Object:
        """The custom resource of an attempt. InvalidArgumentError where the task cannot be one."""
        attempt = job.attempt
        metadata = pod_spec.build(attempt, job.settings, job.template)["metadata"]
        return {
            "apiVersion": f"{self.group}/{self.version}",
            "kind": self.kind,
            "metadata": {**metadata, "name": self.name_of(attempt.name)},
            "spec": self.spec(job),
        }


_DIGEST = 8
_TRAINING = ("kubeflow.org", "v1")

KINDS = {
    kind.task_type: kind
    for kind in (
        Kind(
            "spark",
            "sparkoperator.k8s.io",
            "v1beta2",
            "sparkapplications",
            "SparkApplication",
            spark.build,
            spark.judge,
        ),
        Kind("ray", "ray.io", "v1", "rayjobs", "RayJob", ray.build, ray.judge, longest_name=47),
        Kind("dask", "kubernetes.dask.org", "v1", "daskjobs", "DaskJob", dask.build, dask.judge),
        Kind("pytorch", *_TRAINING, "pytorchjobs", "PyTorchJob", kubeflow.pytorch, kubeflow.judge),
        Kind("tensorflow", *_TRAINING, "tfjobs", "TFJob", kubeflow.tensorflow, kubeflow.judge),
        Kind("mpi", *_TRAINING, "mpijobs", "MPIJob", kubeflow.mpi, kubeflow.judge),
    )
}
