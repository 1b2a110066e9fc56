"""The real definitions of operators' custom resources, for the cluster of KUBECONFIG.

They come out of the operators' own Go modules, by `go mod download`; or from the folder VOLANT_TEST_CRDS, whose files are
called `<plural>.<group>.yaml`, where it has them.
"""

import dataclasses
import functools
import json
import os
import pathlib
import subprocess
import tempfile

from kubernetes_world import kubectl


@dataclasses.dataclass(frozen=True)
class Source:
    """Where a definition is."""

    module: str
    version: str
    file: str


_KUBEFLOW = ("github.com/kubeflow/training-operator", "v1.8.1")
_DASK = "dask_kubernetes/operator/deployment/helm/dask-kubernetes-operator/crds/daskjob.yaml"
SOURCES = {
    "sparkapplications.sparkoperator.k8s.io": Source(
        "github.com/GoogleCloudPlatform/spark-on-k8s-operator",
        "v0.0.0-20221025152940-c261df66a006",  # v1beta2-1.3.8-3.1.1
        "manifest/crds/sparkoperator.k8s.io_sparkapplications.yaml",
    ),
    "rayjobs.ray.io": Source(
        "github.com/ray-project/kuberay/ray-operator", "v1.5.1", "config/crd/bases/ray.io_rayjobs.yaml"
    ),
    "daskjobs.kubernetes.dask.org": Source(
        "github.com/dask/dask-kubernetes/v2023", "v2023.0.0-20230626103304-abd02cd17b26", _DASK
    ),
    "pytorchjobs.kubeflow.org": Source(*_KUBEFLOW, "manifests/base/crds/kubeflow.org_pytorchjobs.yaml"),
    "tfjobs.kubeflow.org": Source(*_KUBEFLOW, "manifests/base/crds/kubeflow.org_tfjobs.yaml"),
    "mpijobs.kubeflow.org": Source(*_KUBEFLOW, "manifests/base/crds/kubeflow.org_mpijobs.yaml"),
}


class MissingError(Exception):
    """A definition can't be had here."""


def install(name: str) -> bool:
    """See to it that the cluster has a definition; whether it had not. MissingError says why it can't be had."""
    if kubectl("get", "crd", name, "--ignore-not-found", "-o", "name"):
        return False
    kubectl("create", "-f", str(_file(name)))  # `apply` would note it as a whole in an annotation, which is too small
    wait = ("wait", "--for=condition=Established", f"crd/{name}", "--timeout=60s")
    # Some files say that there are no conditions, which kubectl can't wait for until the API server has set one.
    while "condition met" not in kubectl(*wait, check=False):
        kubectl("get", "crd", name)
    return True


def remove(name: str) -> None:
    """Take away what was installed. It is gone only when all of its objects are, and could not be told from one there."""
    kubectl("delete", "crd", name, "--timeout=120s")


def _file(name: str) -> pathlib.Path:
    given = pathlib.Path(os.environ.get("VOLANT_TEST_CRDS", "/nonexistent")) / f"{name}.yaml"
    source = SOURCES[name]
    return given if given.exists() else _module(source.module, source.version) / source.file


@functools.cache
def _module(module: str, version: str) -> pathlib.Path:
    with tempfile.TemporaryDirectory() as elsewhere:  # not in a module of someone else's
        try:
            done = subprocess.run(
                ["go", "mod", "download", "-json", f"{module}@{version}"],
                check=False,
                capture_output=True,
                text=True,
                cwd=elsewhere,
                timeout=300,
            )
        except (FileNotFoundError, subprocess.TimeoutExpired) as wrong:
            raise MissingError(f"Go can't get {module}: {wrong!r}") from wrong
    told = json.loads(done.stdout or "{}")
    if "Dir" not in told:
        raise MissingError(f"Go can't get {module}: {told.get('Error') or done.stderr}")
    return pathlib.Path(told["Dir"])
