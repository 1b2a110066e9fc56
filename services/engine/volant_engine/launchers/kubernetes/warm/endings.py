"""What an attempt on a worker left: its objects, and its end as that of a container. Pure."""

import datetime
import json
from collections.abc import Iterator, Mapping

from volant_core import errors
from volant_core.blobstore import files as object_files
from volant_core.blobstore import layout
from volant_engine.launchers import port
from volant_engine.launchers.kubernetes import pod_spec, pod_status
from volant_engine.launchers.kubernetes import settings as kubernetes_settings
from volant_engine.launchers.kubernetes.warm import connection, worker_pod
from volantidl.core import execution_pb2

_LAST = 2048
_LAST_LINES = 20
"""As much of its log is the message of a container's end, in bytes and lines."""


def objects(attempt: port.Attempt, files: Mapping[str, bytes]) -> Iterator[tuple[str, bytes, object_files.Attributes]]:
    """The objects that an attempt's files are, in a folder laid out as `volant_core.blobstore.layout` says."""
    own = worker_pod.own_prefix(attempt)
    top = own.removeprefix("s3://") + "/"
    for path, data in files.items():
        if path.startswith(top) and "~" not in path.rpartition("/")[2]:
            yield f"{own}/{layout.key_of(path.removeprefix(top))}", data, _attributes(files.get(f"{path}~m"))


def _attributes(sidecar: bytes | None) -> object_files.Attributes:
    """What lies beside an object's content."""
    if sidecar is None:
        return object_files.DEFAULT
    entry = json.loads(sidecar)["entries"][-1]
    kind = entry.get("content_type", object_files.DEFAULT_CONTENT_TYPE)
    return object_files.Attributes(content_type=kind, metadata=entry.get("metadata", {}))


def verdict(
    attempt: port.Attempt,
    result: connection.Result,
    now: datetime.datetime,
    settings: kubernetes_settings.KubernetesSettings,
) -> pod_status.Verdict:
    """What a fork's end means: the same as that of a container that ends so."""
    reason = "OOMKilled" if result.out_of_memory else "Error" if result.code else "Completed"
    lines = result.log[-_LAST:].decode(errors="replace").strip().splitlines()
    ended = {
        "exitCode": result.code,
        "reason": reason,
        "message": "\n".join(lines[-_LAST_LINES:]),
        "startedAt": moment(result.began).isoformat(),
        "finishedAt": moment(result.at).isoformat(),
    }
    pod = {
        "metadata": {"name": attempt.name, "annotations": {pod_spec.PRIMARY: attempt.name}},
        "status": {
            "phase": "Failed" if result.code else "Succeeded",
            "containerStatuses": [{"name": attempt.name, "state": {"terminated": ended}}],
        },
    }
    return pod_status.judge(pod, now, settings)


def never_ran(name: str, wrong: errors.VolantError, at: datetime.datetime) -> pod_status.Verdict:
    """An attempt that could not be started: the user's fault when what it asks for can't be had."""
    is_users = isinstance(wrong, (errors.InvalidArgumentError, errors.NotFoundError))
    kind = execution_pb2.ExecutionError.USER if is_users else execution_pb2.ExecutionError.SYSTEM
    error = execution_pb2.ExecutionError(code="CannotStart", message=f"[{name}] {wrong.message}", kind=kind)
    return pod_status.Verdict(port.AttemptPhase.FAILED, at, error=error, retryable=not is_users)


def moment(seconds: float) -> datetime.datetime:
    """Of seconds since 1970."""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)
