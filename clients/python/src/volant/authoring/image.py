"""`ImageSpec`: what a task's Python needs. Of it comes an image on a cluster, a virtual environment on one machine."""

from __future__ import annotations

import base64
import dataclasses
import functools
import hashlib
import json
import pathlib
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import volant
from volant import errors, user_code

CONFIG_PREFIX = "volant-image:"
"""`TaskTemplate.config` has, under this and the image's name, the recipe of an environment that can stand in for it."""
SDK_WHEEL = f"volant-{volant.__version__}-py3-none-any.whl"
_ARCHIVES = (".whl", ".tar.gz", ".zip")
_VERSION = re.compile(r"^3\.\d+(\.\d+)?$")
_ONLY_IN_IMAGES = ("apt_packages", "base_image", "commands", "copy")
_TEXTS = ("packages", "apt_packages", "commands", "copy", "pip_extra_index_url")


@dataclasses.dataclass(frozen=True)
class ImageSpec:
    """What an image holds; equal specs have equal tags.

    Where tasks are processes of one machine, a virtual environment takes its place, made once for equal ones:
    `python_version`, `packages`, `requirements`, `env` and the `pip_…` settings count there; the rest is for images.

    Args:
        name: The image's name.
        packages: Python packages, in pip's notation; also paths of wheels and source archives.
        requirements: A requirements file.
        apt_packages: Debian packages.
        python_version: major.minor; this interpreter's by default.
        base_image: What it stands on; Debian's slim Python by default.
        registry: Where it is pushed.
        env: Environment variables.
        commands: Further shell commands.
        platform: Such as "linux/amd64".
        pip_index: Another package index.
        pip_extra_index_url: Indexes that are asked too.
        pip_extra_args: Further arguments of pip.
        source_root: A folder whose content is copied in.
        copy: Files and folders below the working directory that are copied in, at the same relative paths.
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
    pip_extra_index_url: Sequence[str] = ()
    pip_extra_args: str = ""
    source_root: str | None = None
    copy: Sequence[str] = ()

    def __post_init__(self) -> None:
        line = user_code.caller_line()
        for field in _TEXTS:
            given = getattr(self, field)
            value: tuple[Any, ...] = () if given is None else given
            if isinstance(value, str) or not all(isinstance(one, str) for one in value):
                raise errors.DefinitionError(
                    f"{line}: ImageSpec({field}={given!r}): expected a list of texts, found "
                    f"{type(given).__name__}. Write {field}=[…]"
                )
            object.__setattr__(self, field, tuple(value))
        if self.python_version and not _VERSION.match(self.python_version):
            raise errors.DefinitionError(
                f"{line}: ImageSpec(python_version={self.python_version!r}): expected a version such as '3.12'"
            )
        object.__setattr__(self, "_line", line)

    # ---- other specs from this one

    def with_packages(self, packages: str | Sequence[str]) -> ImageSpec:
        """The same, with more packages."""
        return dataclasses.replace(self, packages=(*self.packages, *_listed(packages)))

    def with_apt_packages(self, packages: str | Sequence[str]) -> ImageSpec:
        """The same, with more Debian packages."""
        return dataclasses.replace(self, apt_packages=(*self.apt_packages, *_listed(packages)))

    def with_commands(self, commands: str | Sequence[str]) -> ImageSpec:
        """The same, with more commands."""
        return dataclasses.replace(self, commands=(*self.commands, *_listed(commands)))

    def with_copy(self, paths: str | Sequence[str]) -> ImageSpec:
        """The same, with more files copied in."""
        return dataclasses.replace(self, copy=(*self.copy, *_listed(paths)))

    # ---- the image

    def check_files(self) -> None:
        """Refuse files that are not there. Not done before: where the task runs, nobody needs them."""
        for path in (self.requirements, self.source_root, *self.archives(), *self.copy):
            if path and not pathlib.Path(path).exists():
                line = getattr(self, "_line", "")
                raise errors.DefinitionError(
                    f"{line}: ImageSpec names {path!r}, which is not there. A relative path starts where you register"
                )

    def archives(self) -> list[str]:
        """The packages that are files."""
        return [one for one in self.packages if one.endswith(_ARCHIVES) and "://" not in one]

    def requirement_lines(self) -> str:
        """The requirements file, with those that it includes."""
        return "".join(_requirement_lines(pathlib.Path(self.requirements))) if self.requirements else ""

    def dockerfile(self) -> str:
        """The Dockerfile. What it copies lies beside it: requirements.txt, the folders packages, source and copied."""
        version = self.python_version or f"{sys.version_info.major}.{sys.version_info.minor}"
        lines = [f"FROM {self.base_image or f'python:{version}-slim-bookworm'}"]
        if self.apt_packages:
            wanted = " ".join(self.apt_packages)
            clean = "rm -rf /var/lib/apt/lists/*"
            lines.append(f"RUN apt-get update && apt-get install -y --no-install-recommends {wanted} && {clean}")
        lines += [f'ENV {key}="{value}"' for key, value in sorted(self.env.items())]
        install = " ".join(["RUN pip install --no-cache-dir", *self._pip_words()])
        lines += [f"COPY {SDK_WHEEL} /tmp/{SDK_WHEEL}", f"{install} /tmp/{SDK_WHEEL}"]
        if self.requirements:
            lines += ["COPY requirements.txt /tmp/requirements.txt", f"{install} -r /tmp/requirements.txt"]
        if self.packages:
            files = {one: f"/tmp/packages/{pathlib.Path(one).name}" for one in self.archives()}  # noqa: S108 - the image's
            if files:
                lines.append("COPY packages /tmp/packages")
            lines.append(f"{install} {' '.join(_quoted(files.get(one, one)) for one in self.packages)}")
        lines += [f"RUN {command}" for command in self.commands]
        lines.append("WORKDIR /root")
        if self.source_root:
            lines.append("COPY source /root")
        if self.copy:
            lines.append("COPY copied /root")
        return "\n".join(lines) + "\n"

    def _pip_words(self) -> list[str]:
        words = [f"--index-url {self.pip_index}"] if self.pip_index else []
        words += [f"--extra-index-url {one}" for one in self.pip_extra_index_url]
        return [*words, self.pip_extra_args] if self.pip_extra_args else words

    @functools.cached_property
    def tag(self) -> str:
        """The tag: a hash of everything that goes into the image."""
        self.check_files()
        digest = hashlib.sha256(self.dockerfile().encode() + self.requirement_lines().encode())
        for path in (*self.archives(), *filter(None, [self.source_root]), *self.copy):
            for file in _files(pathlib.Path(path)):
                digest.update(str(file.relative_to(pathlib.Path(path).parent)).encode() + b"\0" + file.read_bytes())
        return base64.urlsafe_b64encode(digest.digest()[:16]).decode().rstrip("=").replace("-", "a").replace("_", "b")

    def image_name(self) -> str:
        """The whole name: registry, name, tag."""
        prefix = f"{self.registry.rstrip('/')}/" if self.registry else ""
        return f"{prefix}{self.name}:{self.tag}"

    def build(self, *, push: bool = True) -> str:
        """Build it with docker, buildah or podman, and push it where it has a registry; gives its name."""
        from volant.authoring import image_build  # noqa: PLC0415 - it stands on top of this module

        return image_build.build(self, push=push)

    # ---- the environment

    @functools.cached_property
    def recipe(self) -> str:
        """What a platform without images needs to know, as JSON."""
        self.check_files()
        told: dict[str, Any] = {
            "packages": [one for one in self.packages if one not in self.archives()],
            "archives": [_archive(pathlib.Path(one)) for one in self.archives()],
            "requirements": self.requirement_lines(),
            "python_version": self.python_version,
            "env": dict(self.env),
            "pip_index": self.pip_index,
            "pip_extra_index_url": list(self.pip_extra_index_url),
            "pip_extra_args": self.pip_extra_args,
            "only_in_images": [name for name in _ONLY_IN_IMAGES if getattr(self, name)],
        }
        return json.dumps({name: value for name, value in told.items() if value}, sort_keys=True)


def _listed(given: str | Sequence[str]) -> Sequence[str]:
    return (given,) if isinstance(given, str) else given


def _quoted(word: str) -> str:
    return f"'{word}'"


def _files(path: pathlib.Path) -> list[pathlib.Path]:
    return [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())


def _archive(path: pathlib.Path) -> dict[str, str]:
    return {"path": str(path.absolute()), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def _requirement_lines(path: pathlib.Path) -> Iterator[str]:
    for line in path.read_text().splitlines(keepends=True):
        included = re.match(r"(?:-r|--requirement)[ =]\s*(\S+)", line)
        if included:
            yield from _requirement_lines(path.parent / included[1])
        else:
            yield line if line.endswith("\n") else f"{line}\n"
