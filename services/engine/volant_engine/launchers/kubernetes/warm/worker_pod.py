"""Which attempts a worker can run, and the worker's pod. Pure: the same attempt and settings give the same pod.

A worker's pod is what the attempt's own would be, less what is the attempt's own: its name, command, variables and
labels. So attempts whose pods are alike share a pool, whose name is the digest of that pod.
"""

import fnmatch
import hashlib
import json
import pathlib
from collections.abc import Mapping
from typing import Any

from volant_core import errors
from volant_engine.launchers import port
from volant_engine.launchers.kubernetes import pod_spec
from volant_engine.launchers.kubernetes import settings as kubernetes_settings
from volant_engine.launchers.process import commands

INSTALLATION = "volant/workers-of"
"""The label by which an installation knows its workers."""
FOLDER = "/var/volant"
"""Where a worker keeps what is on its disk."""
CONTAINER = "worker"
_ROOT = pathlib.Path(__file__).parents[2]
_PROGRAM = (pathlib.Path(__file__).parent / "worker.py").read_text()
_OF_ATTEMPT = ("execution-id", "workflow-name", "node-id", "task-name", pod_spec.INSTALLATION, pod_spec.ATTEMPT)
_VOLUME = "volant-worker"


def fits(attempt: port.Attempt, manifest: Mapping[str, Any], settings: kubernetes_settings.KubernetesSettings) -> bool:
    """Whether a worker can run what this pod would."""
    task, spec = attempt.task, manifest["spec"]
    if not settings.warm_pods or attempt.is_eager or task.WhichOneof("target") != "container":
        return False
    if len(spec["containers"]) != 1 or spec.get("initContainers") or task.type in {"raw-container", "sidecar"}:
        return False
    # A secret may be changed while a worker lives, and a worker's variables are there for good.
    if task.security_context.secrets or (attempt.security_context and attempt.security_context.secrets):
        return False
    image = spec["containers"][0]["image"]
    if settings.warm_images and not any(fnmatch.fnmatchcase(image, wanted) for wanted in settings.warm_images):
        return False
    plan = commands.plan(attempt.arguments)
    return plan.kit is not None and _is_apart(attempt)


def _is_apart(attempt: port.Attempt) -> bool:
    """Whether it has a place of its own for its files, which a worker can have on its disk meanwhile."""
    return attempt.output_prefix.startswith("s3://") and own_prefix(attempt).count("/") > 2


def own_prefix(attempt: port.Attempt) -> str:
    """What begins the URIs of an attempt's own objects: its outputs and, where they lie together, its inputs."""
    above = attempt.input_uri.rpartition("/")[0]
    prefix = attempt.output_prefix.rstrip("/")
    return above if above and prefix.startswith(f"{above}/") else prefix


def build(
    attempt: port.Attempt, manifest: Mapping[str, Any], settings: kubernetes_settings.KubernetesSettings
) -> dict[str, Any]:
    """The pod of a worker for attempts with such pods; `named` makes it one worker's."""
    spec = dict(manifest["spec"])
    container = dict(spec["containers"][0])
    variables = [one for one in container.get("env") or () if one["name"] not in attempt.environment]
    container |= {
        "name": CONTAINER,
        "command": ["python3", "-c", _PROGRAM],
        "env": variables,
        "ports": [*(container.get("ports") or ()), {"containerPort": settings.warm_port}],
        "volumeMounts": [*(container.get("volumeMounts") or ()), {"name": _VOLUME, "mountPath": FOLDER}],
    }
    container.pop("args", None)
    spec["containers"] = [container]
    spec["volumes"] = [*(spec.get("volumes") or ()), {"name": _VOLUME, "emptyDir": {}}]
    metadata = manifest["metadata"]
    labels = {name: value for name, value in metadata["labels"].items() if name not in _OF_ATTEMPT}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "namespace": metadata["namespace"],
            "labels": {**labels, INSTALLATION: settings.installation},
            "annotations": {**metadata["annotations"], pod_spec.PRIMARY: CONTAINER},
        },
        "spec": spec,
    }


def digest(text: str) -> str:
    """A short name for it."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def key(manifest: Mapping[str, Any]) -> str:
    """The name of the pool of such workers."""
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode() + program_digest().encode()).hexdigest()[:16]


def named(
    manifest: Mapping[str, Any], name: str, token: str, settings: kubernetes_settings.KubernetesSettings
) -> dict[str, Any]:
    """One worker's pod."""
    told = {"token": token, "port": settings.warm_port, "idle": settings.warm_idle_seconds, "folder": FOLDER}
    container = dict(manifest["spec"]["containers"][0])
    container["env"] = [*container["env"], {"name": "VOLANT_WORKER", "value": json.dumps(told)}]
    metadata = manifest["metadata"]
    labels = {**metadata["labels"], pod_spec.ATTEMPT: name}
    return {
        **manifest,
        "metadata": {**metadata, "name": name, "labels": labels},
        "spec": {**manifest["spec"], "containers": [container]},
    }


def name_of(pool: str, random: str) -> str:
    """A worker's name."""
    return f"volant-worker-{pool}-{random}"


def pool_of(name: str) -> str:
    """The pool of a worker."""
    return name.split("-")[2]


def token_of(pod: Mapping[str, Any]) -> str:
    """The token that a worker's pod was made with. UnavailableError when it has none."""
    for one in pod["spec"]["containers"][0].get("env") or ():
        if one["name"] == "VOLANT_WORKER":
            token: str = json.loads(one["value"])["token"]
            return token
    raise errors.UnavailableError("the pod is no worker's")


_FILES = {
    path.name: path.read_bytes()
    for path in (
        *(_ROOT / "process" / name for name in ("zygote.py", "attempt.py")),
        *(pathlib.Path(path) for kit in commands.KITS.values() for path in {**kit.files, **kit.rehearsal}.values()),
    )
}


def program() -> Mapping[str, bytes]:
    """The files that a worker's zygotes run, by name."""
    return _FILES


def program_digest() -> str:
    """Of that program."""
    digest = hashlib.sha256()
    for name, content in sorted(_FILES.items()):
        digest.update(name.encode() + b"\0" + content)
    return digest.hexdigest()[:16]
