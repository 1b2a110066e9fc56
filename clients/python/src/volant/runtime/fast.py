"""`volant-fast-execute`: fetches the code that was uploaded at registration, then runs the task with it.

The platform's own launcher does this by itself, once for each version; this program is for launchers that don't.
"""

from __future__ import annotations

import os
import pathlib
import sys
import tarfile
from collections.abc import Sequence

from volant import errors
from volant.runtime import entrypoint
from volant.storage import router

_OWN = {"volant-execute": entrypoint.main, "volant-map-execute": entrypoint.main_map}


def main(argv: Sequence[str] | None = None) -> int:
    """Unpack the code and run the inner command; returns its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    distribution = destination = ""
    while words:
        word = words.pop(0)
        if word == "--":
            break
        if word in {"--additional-distribution", "--dest-dir"} and words:
            value = words.pop(0)
            if word == "--dest-dir":
                destination = value
            else:
                distribution = value
        else:
            raise errors.DefinitionError(f"volant-fast-execute: unknown argument {word!r}")
    if not words:
        raise errors.DefinitionError("volant-fast-execute: expected '-- volant-execute …'")
    folder = pathlib.Path(destination or ".").resolve()
    if distribution:
        unpack(distribution, folder)
    sys.path.insert(0, str(folder))
    inner = words[1:]
    if "--resolver" in inner:
        place = inner.index("--resolver")
        inner[place:place] = ["--dynamic-addl-distro", distribution, "--dynamic-dest-dir", destination]
    program = pathlib.Path(words[0]).name
    if program in _OWN:
        return _OWN[program](inner)
    os.environ["PYTHONPATH"] = os.pathsep.join([*filter(None, [os.environ.get("PYTHONPATH")]), str(folder)])
    os.execvp(words[0], [words[0], *inner])  # noqa: S606 - the command comes from the task's own template
    return 0


def unpack(distribution: str, folder: pathlib.Path) -> None:
    """Fetch an archive and unpack it."""
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / f".{pathlib.PurePosixPath(distribution).name}"
    router.download(distribution, archive)
    try:
        with tarfile.open(archive) as opened:
            if hasattr(tarfile, "data_filter"):
                opened.extractall(folder, filter="data")
            else:  # Python 3.11.0 to 3.11.3, which Debian 12 has
                _extract(opened, folder)
    finally:
        archive.unlink(missing_ok=True)


def _extract(opened: tarfile.TarFile, folder: pathlib.Path) -> None:
    """Unpack plain files and folders; whatever else there may be is not code, and may lead out of the folder."""
    for member in opened:
        inside = (folder / member.name).resolve().is_relative_to(folder)
        if not inside or not (member.isfile() or member.isdir()):
            raise errors.DefinitionError(f"{member.name!r} in the uploaded code is not a file below its folder")
        opened.extract(member, folder)
