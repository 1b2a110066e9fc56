"""Secrets of this installation: a file that only its owner can read, and what a task is given of it.

`volant secret set|list|delete` stands on `SecretStore`; the launcher asks it for what a task requests.
"""

import contextlib
import dataclasses
import fcntl
import json
import os
import pathlib
from collections.abc import Iterable, Iterator

from volant_core import errors
from volantidl.core import security_pb2

_ENV_PREFIX = "_FSEC_"
_MOUNT = security_pb2.Secret.MountType


@dataclasses.dataclass(frozen=True, slots=True)
class Granted:
    """What an attempt gets of the secrets that its task requests."""

    environment: dict[str, str]
    """Variables."""
    files: dict[str, str]
    """Paths and contents."""


class SecretStore:
    """Secrets by group and key, in one 0600 file. All calls block."""

    def __init__(self, path: pathlib.Path) -> None:
        """Keep them in `path`, which need not exist yet."""
        self._path = path

    def set(self, group: str, key: str, value: str) -> None:
        """Store a secret, replacing what was there."""
        for part in (group, key):
            if not part or "/" in part or "\0" in part or part in (".", ".."):
                raise errors.InvalidArgumentError(
                    f"{part!r} can't name a secret's group or key: it is empty or holds a character that paths can't"
                )
        if "\0" in value:
            raise errors.InvalidArgumentError("a secret's value can't hold a NUL character")
        with self._changing() as secrets:
            secrets.setdefault(group, {})[key] = value

    def delete(self, group: str, key: str) -> None:
        """Remove a secret. NotFoundError when there is none."""
        with self._changing() as secrets:
            if key not in secrets.get(group, {}):
                raise errors.NotFoundError(f"there is no secret {group}/{key}; see: volant secret list")
            del secrets[group][key]
            if not secrets[group]:
                del secrets[group]

    def list(self) -> list[tuple[str, str]]:
        """Groups and keys, sorted; never values."""
        return sorted((group, key) for group, keys in self._read().items() for key in keys)

    def grant(self, requested: Iterable[security_pb2.Secret], folder: str) -> Granted:
        """What a task gets that requests these; files go below `folder`. NotFoundError names what is missing."""
        secrets = self._read()
        environment: dict[str, str] = {}
        files: dict[str, str] = {}
        for secret in requested:
            for key, value in _values(secrets, secret):
                parts = [part for part in (secret.group, secret.group_version, key) if part]
                if secret.mount_requirement == _MOUNT.ENV_VAR:
                    environment[_ENV_PREFIX + "_".join(parts).upper()] = value
                    told = value
                else:
                    told = f"{folder}/{'/'.join(parts).lower()}"
                    files[told] = value
                if secret.env_var:
                    environment[secret.env_var] = told
        if environment or files:
            environment["FLYTE_SECRETS_ENV_PREFIX"] = _ENV_PREFIX
            environment["FLYTE_SECRETS_DEFAULT_DIR"] = folder
            environment["FLYTE_SECRETS_FILE_PREFIX"] = ""
        return Granted(environment, files)

    def _read(self) -> dict[str, dict[str, str]]:
        try:
            stored = json.loads(self._path.read_text())
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise errors.FailedPreconditionError(
                f"{self._path} is not the secrets file that it should be ({error}); restore or remove it"
            ) from error
        return dict(stored)

    @contextlib.contextmanager
    def _changing(self) -> Iterator[dict[str, dict[str, str]]]:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(self._path.with_name(self._path.name + ".lock"), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            secrets = self._read()
            yield secrets
            draft = self._path.with_name(f"{self._path.name}.{os.getpid()}")
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "w") as file:
                json.dump(secrets, file)
                file.flush()
                os.fsync(file.fileno())
            draft.rename(self._path)
        finally:
            os.close(lock)


def _values(secrets: dict[str, dict[str, str]], secret: security_pb2.Secret) -> list[tuple[str, str]]:
    """Keys and values that a request means: one, or a whole group."""
    group = secrets.get(secret.group, {})
    if secret.key in group:
        return [(secret.key, group[secret.key])]
    if not secret.key and group:
        return sorted(group.items())
    raise errors.NotFoundError(
        f"the task requests the secret {secret.group}/{secret.key}, which is not set here; "
        f"set it with: volant secret set {secret.group or 'GROUP'} {secret.key or 'KEY'}"
    )
