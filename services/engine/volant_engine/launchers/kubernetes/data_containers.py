"""The containers that bring a pod's inputs as files and take its outputs (`data_config`). Pure.

The one that takes outputs is a companion that Kubernetes starts before all others and ends after them (a native
sidecar); being told to end is what it waits for. The one that brings inputs ends only when the other listens. Both, and
the main container by folders of it, have one volume.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from volant_core import errors
from volant_engine.launchers import copilot, port
from volant_engine.launchers.kubernetes import settings as kubernetes_settings

DOWNLOADER, UPLOADER = "volant-download", "volant-upload"
STOP_SECONDS = "volant/stop-seconds"
"""The annotation with the seconds that the task's own containers have to end: the pod's are the upload's."""
_FOLDER = "/volant"
_VOLUME = "volant-data"
OWN_GRACE = 30
"""Seconds that containers have to end where nobody says anything else."""


def add(
    spec: dict[str, Any],
    attempt: port.Attempt,
    files: copilot.Wanted,
    primary: str,
    settings: kubernetes_settings.KubernetesSettings,
    sources: Sequence[Mapping[str, Any]],
) -> None:
    """Add them to a pod spec.

    Raises:
        InvalidArgumentError: the platform has no image for them.
    """
    if not settings.copilot_image:
        raise errors.InvalidArgumentError(
            f"the task {attempt.task.id.name} wants its inputs and outputs as files (data_config), for which the "
            "platform needs an image with Volant's SDK: an operator has to name one in the setting "
            "kubernetes.copilot_image"
        )
    before = copilot.download(attempt, files, _FOLDER)
    own = spec.get("initContainers") or []
    if files.has_outputs:
        before.append("--await-upload")
        uploader = _container(UPLOADER, copilot.upload(attempt, files, _FOLDER), settings, sources)
        uploader["restartPolicy"] = "Always"
        spec["terminationGracePeriodSeconds"] = max(stop_seconds(spec), settings.copilot_seconds)
        own = [uploader, *own]
    spec["initContainers"] = [*own, _container(DOWNLOADER, before, settings, sources)]
    spec["volumes"] = [*(spec.get("volumes") or []), {"name": _VOLUME, "emptyDir": {}}]
    main = next(one for one in spec["containers"] if one.get("name") == primary)
    main["volumeMounts"] = [*(main.get("volumeMounts") or []), *_mounts(files)]


def stop_seconds(spec: Mapping[str, Any]) -> int:
    """How long a pod's containers have to end, as its author says."""
    told = spec.get("terminationGracePeriodSeconds")
    return OWN_GRACE if told is None else int(told)


def _mounts(files: copilot.Wanted) -> list[dict[str, str]]:
    places = {}
    if files.has_outputs:
        places[files.output_path] = "outputs"
    if files.has_inputs or files.input_path == files.output_path:
        places[files.input_path] = "inputs"
    return [{"name": _VOLUME, "mountPath": path, "subPath": folder} for path, folder in sorted(places.items())]


def _container(
    name: str,
    words: Sequence[str],
    settings: kubernetes_settings.KubernetesSettings,
    sources: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    container: dict[str, Any] = {
        "name": name,
        "image": settings.copilot_image,
        "command": ["python3", "-m", copilot.MODULE],
        "args": list(words),
        "env": [{"name": variable, "value": value} for variable, value in settings.environment.items()],
        "envFrom": [dict(one) for one in sources],
        "imagePullPolicy": settings.image_pull_policy or "IfNotPresent",
        "resources": dict(settings.copilot_resources),
        "securityContext": dict(settings.copilot_security_context),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [{"name": _VOLUME, "mountPath": _FOLDER}],
    }
    return {key: value for key, value in container.items() if value}
