"""`ImageSpec`: an image described in Python, as a Dockerfile and a tag made from its content."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import pathlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence

from volant import errors


@dataclasses.dataclass(frozen=True)
class ImageSpec:
    """What an image holds; equal specs have equal tags.

    Args:
        name: The image's name.
        packages: Python packages, in pip's notation.
        requirements: A requirements file.
        apt_packages: Debian packages.
        python_version: major.minor; this interpreter's by default.
        base_image: What it stands on; Debian's slim Python by default.
        registry: Where it is pushed.
        env: Environment variables.
        commands: Further shell commands.
        platform: Such as "linux/amd64".
        pip_index: Another package index.
        source_root: A folder whose content is copied in.
    """

    name: str = "volant"
    packages: Sequence[str] = ()
    requirements: str | None = None
    apt_packages: Sequence[str] = ()
    python_version: str = ""
    base_image: str = ""
    registry: str = ""
    env: Mapping[str, str] = dataclasses.field(default_factory=dict)
    commands: Sequence[str] = ()
    platform: str = "linux/amd64"
    pip_index: str = ""
    source_root: str | None = None

    def dockerfile(self) -> str:
        """The Dockerfile."""
        version = self.python_version or f"{sys.version_info.major}.{sys.version_info.minor}"
        lines = [f"FROM {self.base_image or f'python:{version}-slim-bookworm'}"]
        if self.apt_packages:
            wanted = " ".join(self.apt_packages)
            clean = "rm -rf /var/lib/apt/lists/*"
            lines.append(f"RUN apt-get update && apt-get install -y --no-install-recommends {wanted} && {clean}")
        lines += [f'ENV {key}="{value}"' for key, value in sorted(self.env.items())]
        index = f"--index-url {self.pip_index} " if self.pip_index else ""
        if self.requirements:
            lines += [
                "COPY requirements.txt /tmp/requirements.txt",
                f"RUN pip install --no-cache-dir {index}-r /tmp/requirements.txt",
            ]
        if self.packages:
            quoted = " ".join(f"'{package}'" for package in self.packages)
            lines.append(f"RUN pip install --no-cache-dir {index}{quoted}")
        lines += [f"RUN {command}" for command in self.commands]
        lines.append("WORKDIR /root")
        if self.source_root:
            lines.append("COPY source /root")
        return "\n".join(lines) + "\n"

    @property
    def tag(self) -> str:
        """The tag: a hash of everything that goes into the image."""
        digest = hashlib.sha256(self.dockerfile().encode())
        if self.requirements:
            digest.update(pathlib.Path(self.requirements).read_bytes())
        if self.source_root:
            root = pathlib.Path(self.source_root)
            for file in sorted(path for path in root.rglob("*") if path.is_file()):
                digest.update(str(file.relative_to(root)).encode() + b"\0" + file.read_bytes())
        return base64.urlsafe_b64encode(digest.digest()[:16]).decode().rstrip("=").replace("-", "a").replace("_", "b")

    def image_name(self) -> str:
        """The whole name: registry, name, tag."""
        prefix = f"{self.registry.rstrip('/')}/" if self.registry else ""
        return f"{prefix}{self.name}:{self.tag}"

    def build(self, *, push: bool = True) -> str:
        """Build it with docker or buildah, and push it where it has a registry; gives its name."""
        tool = next((found for name in ("docker", "buildah") if (found := shutil.which(name))), None)
        if tool is None:
            raise errors.MissingDependencyError("docker", f"building the image {self.image_name()} (docker or buildah)")
        with tempfile.TemporaryDirectory() as folder:
            there = pathlib.Path(folder)
            (there / "Dockerfile").write_text(self.dockerfile())
            if self.requirements:
                shutil.copy(self.requirements, there / "requirements.txt")
            if self.source_root:
                shutil.copytree(self.source_root, there / "source")
            self._call([tool, "build", "--platform", self.platform, "-t", self.image_name(), folder])
            if push and self.registry:
                self._call([tool, "push", self.image_name()])
        return self.image_name()

    def _call(self, command: Sequence[str]) -> None:
        done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 - our own words
        if done.returncode:
            raise errors.VolantError(f"{' '.join(command)} failed ({done.returncode}): {done.stderr.strip()[-2000:]}")
