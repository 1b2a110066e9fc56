"""Secrets: what a task declares, and how it reads them while it runs."""

from __future__ import annotations

import dataclasses
import enum
import os
import pathlib

from volant import errors, user_code

DEFAULT_FOLDER = "/etc/secrets"
ENV_PREFIX = "_FSEC_"


class MountType(enum.Enum):
    """How a secret reaches a task."""

    ANY = 0
    ENV_VAR = 1
    FILE = 2


@dataclasses.dataclass(frozen=True)
class Secret:
    """A secret that a task asks for: `@task(secret_requests=[Secret(group="db", key="password")])`."""

    group: str | None = None
    key: str | None = None
    group_version: str | None = None
    mount_requirement: MountType = MountType.ANY
    env_var: str | None = None
    """The name of the environment variable that is to hold the value (or the file's path)."""

    def __post_init__(self) -> None:
        if not self.group and not self.key:
            raise errors.DefinitionError(f"{user_code.caller_line()}: a Secret needs a group, a key or both")

    MountType = MountType


class Secrets:
    """Reads the secrets that were given to a task."""

    def get(
        self,
        group: str | None = None,
        key: str | None = None,
        group_version: str | None = None,
        encode_mode: str = "r",
    ) -> str | bytes:
        """A secret's value.

        Args:
            group: The secret's group.
            key: Its key in the group.
            group_version: Its version, where the store has several.
            encode_mode: "r" for text, "rb" for bytes.
        """
        name = self.env_name(group, key, group_version)
        candidates = [name]
        if not os.environ.get("FLYTE_INTERNAL_EXECUTION_ID"):
            candidates.append(name[len(self._prefix()) :])
        for candidate in candidates:
            value = os.environ.get(candidate)
            if value is not None:
                return value.strip().encode() if encode_mode == "rb" else value.strip()
        path = self.file_path(group, key, group_version)
        try:
            content = path.read_bytes()
        except OSError as cause:
            raise errors.NotFoundError(
                f"the secret group={group!r} key={key!r} is neither in the environment ({name}) nor in the "
                f"file {path}. Declare it with secret_requests=[Secret(group={group!r}, key={key!r})] and store it "
                f"with `volant secret set`"
            ) from cause
        return content if encode_mode == "rb" else content.decode().strip()

    def _prefix(self) -> str:
        return os.environ.get("FLYTE_SECRETS_ENV_PREFIX", ENV_PREFIX)

    def env_name(self, group: str | None, key: str | None, group_version: str | None = None) -> str:
        """The environment variable that may hold a secret."""
        parts = [part for part in (group, group_version, key) if part]
        return f"{self._prefix()}{'_'.join(parts).upper()}"

    def file_path(self, group: str | None, key: str | None, group_version: str | None = None) -> pathlib.Path:
        """The file that may hold a secret."""
        folder = pathlib.Path(os.environ.get("FLYTE_SECRETS_DEFAULT_DIR", DEFAULT_FOLDER))
        prefix = os.environ.get("FLYTE_SECRETS_FILE_PREFIX", "")
        parts = [part.lower() for part in (group, group_version, key) if part]
        return folder.joinpath(*parts[:-1], f"{prefix}{parts[-1]}")
