"""Who runs the embedded PostgreSQL server: it refuses uid 0.

An ordinary user runs it directly. Root runs it in a user namespace, where its files stay root's and need no other
rights. Where namespaces are forbidden, or cannot reach the folder, it runs under a uid that nobody has, with data and
programs in a folder below /var/lib that this uid can reach. Nothing else is ever chmod-ed, and no user is added.
"""

import dataclasses
import hashlib
import os
import pwd
import secrets
import shutil
import sys
import tempfile
from pathlib import Path

from volant_core import errors
from volant_core.postgres import guard
from volant_core.postgres.binaries import Binaries

HOMES = Path("/var/lib/volant-postgres")
_NOBODY = 65534
_UIDS = range(61184, 65519)  # systemd's range for services without an entry in /etc/passwd
_NAMESPACE = ("unshare", "--user", f"--map-user={_NOBODY}", "--")
_MARKER = "elsewhere"


@dataclasses.dataclass(frozen=True, slots=True)
class Identity:
    """How to be somebody else, if at all."""

    namespace: bool = False
    """In a user namespace."""
    uid: int = -1
    """Under this uid; -1 for our own."""

    def command(self, *command: str) -> list[str]:
        """A command line that runs `command` so, and stops it when this process ends."""
        line = [sys.executable, "-I", "-S", guard.__file__, str(os.getpid()), str(self.uid), *command]
        return [*_NAMESPACE, *line] if self.namespace else line

    def maker(self, folder: Path) -> "Identity":
        """Who makes a data folder: `initdb` insists on an entry in /etc/passwd, the server does not."""
        if self.uid < 0:
            return self
        folder.mkdir(mode=0o700)
        os.chown(folder, _NOBODY, _NOBODY)
        return Identity(uid=_NOBODY)

    def own(self, folder: Path) -> None:
        """Give a folder and all in it to whom the server runs as."""
        if self.uid < 0:
            return
        os.chown(folder, self.uid, self.uid)
        for at, folders, files in os.walk(folder):
            for name in (*folders, *files):
                os.chown(Path(at) / name, self.uid, self.uid, follow_symlinks=False)


def namespace_probe(folder: Path, binaries: Binaries) -> list[str]:
    """A command that succeeds where a user namespace is allowed and reaches both the folder and the programs."""
    return [*_NAMESPACE, "/bin/sh", "-c", '"$0" --version && test -w "$1"', str(binaries.postgres), str(folder)]


def lives_elsewhere(folder: Path) -> bool:
    """Whether a folder's data were put below /var/lib."""
    return (folder / _MARKER).exists()


def home_below_var(folder: Path) -> tuple[Identity, Path]:
    """The uid and the folder below /var/lib that belong to `folder`; made, and remembered there, when there is none."""
    marker = folder / _MARKER
    if not marker.exists():
        HOMES.mkdir(mode=0o711, parents=True, exist_ok=True)
        home = Path(tempfile.mkdtemp(dir=HOMES))
        home.chmod(0o711)
        written = marker.with_suffix(".new")
        written.write_text(f"{_free_uid()} {home}\n")
        written.replace(marker)
    uid, _, place = marker.read_text().strip().partition(" ")
    if not uid.isdigit() or not Path(place).is_dir():
        raise errors.FailedPreconditionError(
            f"{marker} says that the database is in {place}, which is not there; restore it,"
            " or start on an empty folder"
        )
    return Identity(uid=int(uid)), Path(place)


def reachable(binaries: Binaries) -> Binaries:
    """The same programs where any uid can run them: themselves, or a copy below /var/lib."""
    if all(item.stat().st_mode & 0o001 for item in (binaries.postgres, *binaries.folder.resolve().parents)):
        return binaries
    root = binaries.folder.parent
    status = binaries.postgres.stat()
    digest = hashlib.sha256(f"{root} {status.st_size} {status.st_mtime_ns}".encode()).hexdigest()[:12]
    copy = HOMES / f"programs-{digest}"
    if not copy.exists():
        making = Path(tempfile.mkdtemp(dir=HOMES))
        making.chmod(0o755)
        shutil.copytree(root, making / root.parent.name / root.name, symlinks=True)
        libraries = root.parent.with_name(f"{root.parent.name}.libs")  # a wheel's, found by a relative path
        if libraries.is_dir():
            shutil.copytree(libraries, making / libraries.name, symlinks=True)
        for at, folders, files in os.walk(making):
            for name in (*folders, *files):
                item = Path(at) / name
                if not item.is_symlink():
                    item.chmod(item.stat().st_mode | (0o055 if item.stat().st_mode & 0o100 else 0o044))
        making.rename(copy)
    return Binaries(copy / root.parent.name / root.name / binaries.folder.name, f"{binaries.origin}, copied")


def _free_uid() -> int:
    while True:
        uid = secrets.choice(_UIDS)
        try:
            pwd.getpwuid(uid)
        except KeyError:
            return uid
