"""A task's secrets as references to Kubernetes secrets of the pod's namespace (contract rows 2.142 and 2.143). Pure.

The group is the secret's name, the key its key. The values never pass through the engine.
"""

import base64
from collections.abc import Iterable
from typing import Any

from volant_core import errors
from volantidl.core import security_pb2

FOLDER = "/etc/flyte/secrets"
_PREFIX = "_FSEC_"
_MOUNT = security_pb2.Secret.MountType


def inject(requested: Iterable[security_pb2.Secret], pod: dict[str, Any]) -> None:
    """Give every container of a pod spec what the task requests.

    Raises:
        InvalidArgumentError: a request names no group or no key.
    """
    for secret in requested:
        if not secret.group or not secret.key:
            raise errors.InvalidArgumentError(
                f"the task requests a secret of group {secret.group!r} and key {secret.key!r}: on Kubernetes both are "
                "needed, the name of a Secret and a key in it"
            )
        if secret.mount_requirement == _MOUNT.ENV_VAR:
            _as_variable(secret, pod)
        else:
            _as_file(secret, pod)


def _as_variable(secret: security_pb2.Secret, pod: dict[str, Any]) -> None:
    source = {"secretKeyRef": {"name": secret.group, "key": secret.key, "optional": True}}
    _add(pod, {"name": f"{_PREFIX}{secret.group}_{secret.key}".upper(), "valueFrom": source})
    if secret.env_var:
        _add(pod, {"name": secret.env_var, "valueFrom": source})
    _add(pod, {"name": "FLYTE_SECRETS_ENV_PREFIX", "value": _PREFIX})


def _as_file(secret: security_pb2.Secret, pod: dict[str, Any]) -> None:
    volumes: list[dict[str, Any]] = pod.setdefault("volumes", [])
    item = {"key": secret.key, "path": secret.key.lower()}
    known = next((one for one in volumes if one.get("secret", {}).get("secretName") == secret.group), None)
    if known is None:
        name = _volume_name(secret)
        volumes.append({"name": name, "secret": {"secretName": secret.group, "items": [item], "optional": True}})
        mount = {"name": name, "readOnly": True, "mountPath": f"{FOLDER}/{secret.group.lower()}"}
        for container in _containers(pod):
            container.setdefault("volumeMounts", []).append(mount)
    elif item not in known["secret"].setdefault("items", []):
        known["secret"]["items"].append(item)
    _add(pod, {"name": "FLYTE_SECRETS_DEFAULT_DIR", "value": FOLDER})
    _add(pod, {"name": "FLYTE_SECRETS_FILE_PREFIX", "value": ""})
    if secret.env_var:
        path = f"{FOLDER}/{secret.group.lower()}/{secret.key.lower()}"
        _add(pod, {"name": secret.env_var, "value": path})


def _volume_name(secret: security_pb2.Secret) -> str:
    """Flyte's: base32 of group and version, in small letters and digits."""
    text = base64.b32encode(f"{secret.group}_{secret.group_version}".encode()).decode().rstrip("=")
    return text.translate(str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", "abcdefghijklmnopqrstuvwxyz123456"))[:63]


def _containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return [*(pod.get("initContainers") or []), *pod["containers"]]


def _add(pod: dict[str, Any], variable: dict[str, Any]) -> None:
    for container in _containers(pod):
        known = container.setdefault("env", [])
        if all(one["name"] != variable["name"] for one in known):
            known.append(variable)
