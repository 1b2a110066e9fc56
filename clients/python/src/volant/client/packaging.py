"""The user's code as an archive, the same bytes for the same files, so that it is uploaded and unpacked once."""

from __future__ import annotations

import fnmatch
import gzip
import io
import os
import pathlib
import site
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterable, Sequence

from volant import errors

_SKIPPED_FOLDERS = {
    "__pycache__",
    ".git",
    ".hg",
    ".venv",
    "venv",
    "node_modules",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    ".tox",
    ".idea",
    ".vscode",
}
_SKIPPED_FILES = ("*.pyc", "*.pyo", ".DS_Store", "config.yaml", ".env", "*.pem", "*.key")
LARGEST = 200_000_000
"""Bytes of code that are uploaded at most."""
_EPOCH = 315532800
"""1980-01-01: archives with older files are refused by some tools."""


def imported_files(root: pathlib.Path, modules: Iterable[object] | None = None) -> list[pathlib.Path]:
    """The files below a folder from which modules were imported, without installed packages."""
    root = root.resolve()
    installed = _installed_folders()
    found = set()
    for module in list(sys.modules.values()) if modules is None else modules:
        name = getattr(module, "__file__", None)
        if not isinstance(name, str):
            continue
        file = pathlib.Path(name).resolve()
        if file.suffix not in {".py", ".so", ".pyd"} or not file.is_relative_to(root) or not file.is_file():
            continue
        if any(file.is_relative_to(folder) for folder in installed):
            continue
        found.add(file)
    for file in list(found):
        folder = file.parent
        while folder.is_relative_to(root) and (folder / "__init__.py").is_file():
            found.add(folder / "__init__.py")
            folder = folder.parent
    return sorted(found)


def _installed_folders() -> list[pathlib.Path]:
    folders = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    folders.update(site.getsitepackages())
    folders.update([site.getusersitepackages(), str(pathlib.Path(__file__).parent.parent)])
    return [pathlib.Path(folder).resolve() for folder in folders if folder]


def all_files(root: pathlib.Path) -> list[pathlib.Path]:
    """All files below a folder, without those that git ignores or that hold no code."""
    root = root.resolve()
    listed = _known_to_git(root)
    candidates = listed if listed is not None else _walk(root)
    patterns = [*_SKIPPED_FILES, *_ignore_file(root)]
    result = []
    for file in candidates:
        relative = file.relative_to(root)
        if _SKIPPED_FOLDERS & set(relative.parts) or not file.is_file():
            continue
        if any(fnmatch.fnmatch(str(relative), pattern) or fnmatch.fnmatch(file.name, pattern) for pattern in patterns):
            continue
        result.append(file)
    return sorted(result)


def is_private(root: pathlib.Path, file: pathlib.Path) -> bool:
    """Whether a file is one that is never uploaded, or that git or an ignore file leaves out."""
    relative = file.relative_to(root)
    patterns = [*_SKIPPED_FILES, *_ignore_file(root)]
    if _SKIPPED_FOLDERS & set(relative.parts) or any(
        fnmatch.fnmatch(str(relative), pattern) or fnmatch.fnmatch(file.name, pattern) for pattern in patterns
    ):
        return True
    command = ["git", "-C", str(root), "check-ignore", "--quiet", str(relative)]
    try:
        return subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == 0  # noqa: S603 - fixed words
    except (OSError, subprocess.SubprocessError):
        return False


def _known_to_git(root: pathlib.Path) -> list[pathlib.Path] | None:
    command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard", "."]
    try:
        answer = subprocess.run(command, capture_output=True, check=True, timeout=60)  # noqa: S603 - fixed words
    except (OSError, subprocess.SubprocessError):
        return None
    return [root / name for name in answer.stdout.decode(errors="surrogateescape").split("\0") if name]


def _walk(root: pathlib.Path) -> list[pathlib.Path]:
    found: list[pathlib.Path] = []
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name not in _SKIPPED_FOLDERS]
        found.extend(pathlib.Path(folder, name) for name in files)
    return found


def _ignore_file(root: pathlib.Path) -> list[str]:
    patterns = []
    for name in (".volantignore", ".flyteignore", ".dockerignore"):
        file = root / name
        if file.is_file():
            lines = [line.strip() for line in file.read_text().splitlines()]
            patterns += [line.rstrip("/") for line in lines if line and not line.startswith(("#", "!"))]
            patterns += [f"{line.rstrip('/')}/*" for line in lines if line and not line.startswith(("#", "!"))]
    return patterns


def archive(root: pathlib.Path, files: Sequence[pathlib.Path]) -> bytes:
    """A tar.gz of files by their paths below the root."""
    root = root.resolve()
    if not files:
        raise errors.DefinitionError(f"there is no code below {root} to upload; is it the right folder?")
    size = sum(file.stat().st_size for file in files)
    if size > LARGEST:
        largest = max(files, key=lambda file: file.stat().st_size)
        raise errors.DefinitionError(
            f"the code below {root} has {size / 1e6:.0f} MB, over {LARGEST / 1e6:.0f}; the largest file is "
            f"{largest.relative_to(root)}. Name what isn't code in .volantignore, or use copy='auto'"
        )
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for file in files:
            member = tarfile.TarInfo(file.relative_to(root).as_posix())
            data = file.read_bytes()
            member.size, member.mtime, member.mode = len(data), _EPOCH, 0o644
            tar.addfile(member, io.BytesIO(data))
    return gzip.compress(content.getvalue(), compresslevel=6, mtime=0)
