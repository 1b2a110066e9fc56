"""The code of what is registered: which files are uploaded, and the version that its content gives each entity."""

from __future__ import annotations

import base64
import dataclasses
import functools
import hashlib
import pathlib
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import volant
from volant import errors
from volant.authoring import entity, launch_plan, mapping, naming
from volant.client import images, imports, packaging
from volant.serialization import settings as serialization_settings
from volant.serialization import specs
from volantidl.core import identifier_pb2

Settings = serialization_settings.SerializationSettings


class Code:
    """The code below one folder that entities are made of.

    An entity's version is a digest of the files that its module needs, so it changes when they do and only then.
    """

    def __init__(
        self, entities: Sequence[entity.Entity], settings: Settings, root: str | pathlib.Path | None, copy: str
    ) -> None:
        """Look at the files.

        Args:
            entities: What is registered.
            settings: Project, images and environment: they count for versions too.
            root: The folder that is on the path; found from the entities by default.
            copy: "auto" for the files that the entities' modules import, "all" for the whole folder, "none" for none.
        """
        self._settings = settings
        self._copy = copy
        self.root: pathlib.Path = pathlib.Path()
        """The folder that is on the path."""
        self.files: list[pathlib.Path] = []
        """What is uploaded."""
        homes = {file for one in entities if (file := file_of(one)) is not None}
        if root is None and not homes and copy == "none":
            self._others = []
            self._project = imports.Project(self.root)
            return
        self.root = (pathlib.Path(root) if root is not None else _root_of(homes)).resolve()
        self._project = imports.Project(self.root)
        needed = self._project.needed_by(homes)
        everything = packaging.all_files(self.root) if copy == "all" else []
        self._others = [file for file in everything if file.suffix != ".py"]
        """Files that any of the code may read."""
        self._by_name = everything if copy == "all" else packaging.imported_files(self.root)
        """What code may import by names that reading it doesn't tell."""
        extra = everything or (self._by_name if self._project.imports_by_name(homes) else [])
        self.files = sorted({*needed, *extra})

    @functools.cached_property
    def archive(self) -> bytes:
        """The files, as they are uploaded."""
        return packaging.archive(self.root, self.files)

    @property
    def archive_name(self) -> str:
        """The archive's name, the same for the same content."""
        return f"fast{hashlib.md5(self.archive, usedforsecurity=False).hexdigest()}.tar.gz"

    def version_of(self, one: entity.Entity) -> str:
        """An entity's version: a default launch plan's is its workflow's, another's tells of its settings too."""
        if isinstance(one, launch_plan.LaunchPlan):
            of_workflow = self.version_of(one.workflow)
            if one.name == one.workflow.name:
                return of_workflow
            spec = specs.launch_plan_spec(one, identifier_pb2.Identifier(version=of_workflow))
            return _text(hashlib.md5(spec.SerializeToString(deterministic=True), usedforsecurity=False).digest())
        return self._version_from(file_of(one))

    @functools.cache  # noqa: B019 - lives as long as a registration
    def _version_from(self, home: pathlib.Path | None) -> str:
        if home is None or not home.resolve().is_relative_to(self.root):
            files: set[pathlib.Path] = set(self.files)
        else:
            files = self._project.needed_by([home])
            if self._project.imports_by_name([home]):
                files |= set(self._by_name)
        digest = hashlib.md5(usedforsecurity=False)
        # Where code is unpacked to and whence it comes are no part of what it is.
        plain = dataclasses.replace(self._settings, version="", distribution="")
        digest.update(f"{plain!r}{volant.__version__}{self._copy == 'none'}".encode())
        for file in sorted({*files, *self._others}):
            digest.update(f"\0{file.relative_to(self.root).as_posix()}\0".encode() + self._digest(file))
        return _text(digest.digest())

    @functools.cache  # noqa: B019 - as above
    def _digest(self, file: pathlib.Path) -> bytes:
        digest = hashlib.md5(file.read_bytes(), usedforsecurity=False)
        for name in sorted(self._images.get(file, ())):
            digest.update(f"\0{name}".encode())
        return digest.digest()

    @functools.cached_property
    def _images(self) -> Mapping[pathlib.Path, set[str]]:
        return images.named_in(self.files, file_of)


def _text(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).decode().rstrip("=").replace("-", "a")


def _root_of(files: Iterable[pathlib.Path]) -> pathlib.Path:
    roots = {naming.root_of_file(file) for file in files}
    if not roots:
        raise errors.DefinitionError("cannot find the file of what is registered; give root=, or copy='none'")
    if len(roots) > 1:
        named = ", ".join(sorted(map(str, roots)))
        raise errors.DefinitionError(f"the entities are imported from several folders ({named}); give root=")
    return roots.pop()


def file_of(one: entity.Entity) -> pathlib.Path | None:
    """The file that defines an entity, as far as that can be told."""
    if isinstance(one, launch_plan.LaunchPlan):
        return file_of(one.workflow)
    if isinstance(one, mapping.MapTask):
        return file_of(one.target)
    module: Any = getattr(one, "home_module", None)
    name = getattr(getattr(one, "function", None), "__module__", None)
    file = getattr(module or sys.modules.get(str(name)), "__file__", None)
    return pathlib.Path(file).resolve() if file else None
