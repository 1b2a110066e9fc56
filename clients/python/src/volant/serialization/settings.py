"""Where and how entities are registered; also what a dynamic task needs to know to do it at run time."""

from __future__ import annotations

import base64
import dataclasses
import gzip
import json
import os
import re
import sys
from collections.abc import Mapping
from typing import Any

from volant import errors

ENVIRONMENT_VARIABLE = "_F_SS_C"
"""Carries the settings to dynamic and eager tasks."""
_TEMPLATE = re.compile(r"\{\{\s*\.?images?\.([A-Za-z0-9_-]+)\.(fqn|version|tag)\s*\}\}")


def default_image() -> str:
    """The image for tasks that name none. Launchers that run plain processes ignore it."""
    return os.environ.get("FLYTE_INTERNAL_IMAGE") or f"volant/task:py{sys.version_info.major}.{sys.version_info.minor}"


@dataclasses.dataclass(frozen=True)
class SerializationSettings:
    """Identifiers, image and code of what is being registered."""

    project: str = "flytesnacks"
    domain: str = "development"
    version: str = ""
    image: str = dataclasses.field(default_factory=default_image)
    images: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Named images, for `{{.image.NAME.fqn}}:{{.image.NAME.version}}`."""
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Set for every task."""
    distribution: str = ""
    """URI of the uploaded code; empty when the image has it."""
    destination: str = "."
    """Where the code is unpacked."""

    def to_environment(self) -> str:
        """The settings as text."""
        return base64.b64encode(gzip.compress(json.dumps(dataclasses.asdict(self)).encode(), mtime=0)).decode()

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> SerializationSettings:
        """The settings that a task was given."""
        text = environ.get(ENVIRONMENT_VARIABLE)
        if not text:
            raise errors.DefinitionError(
                f"a dynamic task needs the environment variable {ENVIRONMENT_VARIABLE}; register it again"
            )
        known = {field.name for field in dataclasses.fields(cls)}
        values = json.loads(gzip.decompress(base64.b64decode(text)))
        return cls(**{key: value for key, value in values.items() if key in known})

    def image_for(self, wanted: Any) -> str:
        """The image of a task: its own, with names filled in, or the default one."""
        if wanted is None or wanted == "":
            return self.image
        name = getattr(wanted, "image_name", None)
        if callable(name):
            return str(name())
        return _TEMPLATE.sub(self._part, str(wanted))

    def _part(self, match: re.Match[str]) -> str:
        name, part = match.groups()
        image = self.image if name == "default" else self.images.get(name)
        if image is None:
            raise errors.DefinitionError(f"the image {name!r} is not known; give it with --image {name}=…")
        repository, _, tag = image.rpartition(":")
        if not repository or "/" in tag:
            repository, tag = image, ""
        return repository if part == "fqn" else tag
