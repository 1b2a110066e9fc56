"""Building an ImageSpec's image with what the machine has for it, the SDK included."""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import pathlib
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator, Sequence

import volant
import volantidl
from volant import errors
from volant.authoring import image

_TOOLS = ("docker", "buildah", "podman")


def build(spec: image.ImageSpec, *, push: bool) -> str:
    """Build an image, and push it where it has a registry; gives its name."""
    tool = _working_tool(spec)
    with tempfile.TemporaryDirectory(prefix="volant-image-") as folder:
        write_context(spec, pathlib.Path(folder))
        _call([tool, "build", "--platform", spec.platform, "-t", spec.image_name(), folder])
    if push and spec.registry:
        _call([tool, "push", spec.image_name()])
    return spec.image_name()


def write_context(spec: image.ImageSpec, folder: pathlib.Path) -> None:
    """The Dockerfile, and beside it what it copies."""
    (folder / "Dockerfile").write_text(spec.dockerfile())
    write_sdk_wheel(folder)
    if spec.requirements:
        (folder / "requirements.txt").write_text(spec.requirement_lines())
    for archive in spec.archives():
        (folder / "packages").mkdir(exist_ok=True)
        shutil.copy(archive, folder / "packages")
    if spec.source_root:
        shutil.copytree(spec.source_root, folder / "source")
    for one in spec.copy:
        target = folder / "copied" / (pathlib.Path(one).name if pathlib.Path(one).is_absolute() else one)
        target.parent.mkdir(parents=True, exist_ok=True)
        if pathlib.Path(one).is_dir():
            shutil.copytree(one, target, dirs_exist_ok=True)
        else:
            shutil.copy(one, target)


def _working_tool(spec: image.ImageSpec) -> str:
    """The first tool that is there and can build."""
    tried = []
    for name in _TOOLS:
        found = shutil.which(name)
        if found is None:
            tried.append(f"{name}: not installed")
            continue
        done = subprocess.run([found, "info"], check=False, capture_output=True, text=True)  # noqa: S603 - our own words
        if not done.returncode:
            return found
        lines = done.stderr.strip().splitlines() or [f"'{name} info' ended with code {done.returncode}"]
        tried.append(f"{name}: {lines[-1]}")
    raise errors.ImageBuildError(
        f"the image {spec.image_name()} cannot be built: docker, buildah or podman is needed, and none of them works "
        f"here ({'; '.join(tried)}). `volant up` needs no image: it makes a virtual environment of the packages"
    )


def _call(command: Sequence[str]) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 - our own words
    if done.returncode:
        raise errors.ImageBuildError(
            f"'{' '.join(command)}' ended with code {done.returncode}: {done.stderr.strip()[-2000:]}"
        )


def write_sdk_wheel(folder: pathlib.Path) -> pathlib.Path:
    """A wheel of this very SDK: what runs in the image understands what is registered."""
    installed = importlib.metadata.distribution("volant")
    info = f"volant-{volant.__version__}.dist-info"
    scripts = [f"{one.name} = {one.value}" for one in installed.entry_points if one.group == "console_scripts"]
    wanted = "".join(f"Requires-Dist: {one}\n" for one in installed.requires or ())
    files = dict(_sources())
    files[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: volant\nVersion: {volant.__version__}\n{wanted}".encode()
    files[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: volant\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[f"{info}/entry_points.txt"] = "\n".join(["[console_scripts]", *scripts, ""]).encode()
    record = "".join(f"{name},sha256={_digest(data)},{len(data)}\n" for name, data in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    path = folder / image.SDK_WHEEL
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, data in files.items():
            wheel.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)
    return path


def _sources() -> Iterator[tuple[str, bytes]]:
    for package in (volant, volantidl):
        root = pathlib.Path(package.__path__[0])
        for file in sorted(root.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                yield f"{root.name}/{file.relative_to(root)}", file.read_bytes()


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
