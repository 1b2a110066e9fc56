"""What a task's image holds, where its SDK said so: then an environment can stand in for the image. Pure."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence

from volant_core import errors
from volantidl.core import tasks_pb2

CONFIG_PREFIX = "volant-image:"
"""Our SDK puts the recipe into the task's config, under this and the image's name."""


@dataclasses.dataclass(frozen=True, slots=True)
class Recipe:
    """An ImageSpec, as far as it can be had without images."""

    image: str
    """The image's name, for messages."""
    packages: Sequence[str] = ()
    """In pip's notation."""
    archives: Sequence[tuple[str, str]] = ()
    """Paths of wheels and source archives on this machine, and the SHA-256 of each."""
    requirements: str = ""
    """A requirements file's lines."""
    python_version: str = ""
    """major.minor; empty: that of the interpreter for tasks."""
    env: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Variables; a task's own win."""
    pip_index: str = ""
    pip_extra_index_url: Sequence[str] = ()
    pip_extra_args: str = ""
    only_in_images: Sequence[str] = ()
    """The settings that it has besides, and that count only in images."""

    @property
    def needs_environment(self) -> bool:
        """Whether there is something to install."""
        return bool(self.packages or self.archives or self.requirements or self.python_version)

    def key(self, base: str) -> str:
        """The name of the environment that is made of it on a base: the same for what is installed alike."""
        made = [
            base,
            list(self.packages),
            [digest for _, digest in self.archives],
            self.requirements,
            self.python_version,
            self.pip_index,
            list(self.pip_extra_index_url),
            self.pip_extra_args,
        ]
        return hashlib.sha256(json.dumps(made).encode()).hexdigest()[:32]

    @property
    def left_out(self) -> str:
        """What is said of settings that count only in images."""
        return (
            f"tasks run as processes of this machine, without images: {', '.join(self.only_in_images)} of {self.image} "
            "are left out. What they bring must be on the machine"
        )

    @property
    def words(self) -> str:
        """What is asked for, in short."""
        asked = [*self.packages, *(path.rpartition("/")[2] for path, _ in self.archives)]
        asked += [line.strip() for line in self.requirements.splitlines() if line.strip()]
        if self.python_version:
            asked.insert(0, f"Python {self.python_version}")
        return ", ".join(asked[:10]) + (f" and {len(asked) - 10} more" if len(asked) > 10 else "")


def of(task: tasks_pb2.TaskTemplate) -> Recipe | None:
    """The recipe of a task's image; None where the SDK told none. InvalidArgumentError when it can't be read."""
    image = image_of(task)
    told = task.config.get(f"{CONFIG_PREFIX}{image}") if image else None
    if not told:
        return None
    try:
        found = json.loads(told)
        return Recipe(
            image=image,
            packages=_texts(found.get("packages", ())),
            archives=tuple((str(one["path"]), str(one["sha256"])) for one in found.get("archives", ())),
            requirements=str(found.get("requirements", "")),
            python_version=str(found.get("python_version", "")),
            env={str(name): str(value) for name, value in found.get("env", {}).items()},
            pip_index=str(found.get("pip_index", "")),
            pip_extra_index_url=_texts(found.get("pip_extra_index_url", ())),
            pip_extra_args=str(found.get("pip_extra_args", "")),
            only_in_images=_texts(found.get("only_in_images", ())),
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise errors.InvalidArgumentError(
            f"the recipe of the image {image} in the config of {task.id.name} can't be read ({error}); "
            "register the task again"
        ) from error


def _texts(given: Sequence[object]) -> tuple[str, ...]:
    if isinstance(given, str):
        raise TypeError(f"expected a list, found {given!r}")
    return tuple(str(one) for one in given)


def image_of(task: tasks_pb2.TaskTemplate) -> str:
    """The image that a task runs in: its container's, or its pod's primary container's."""
    if task.HasField("container"):
        return task.container.image
    if not task.HasField("k8s_pod"):
        return ""
    primary = task.config.get("primary_container_name", "")
    spec = task.k8s_pod.pod_spec
    if "containers" not in spec.fields:
        return ""
    for one in spec.fields["containers"].list_value.values:
        fields = one.struct_value.fields
        if "name" in fields and fields["name"].string_value == primary:
            return fields["image"].string_value if "image" in fields else ""
    return ""
