"""The data folder of embedded mode: what lies where, who holds it, what a later command wants to know of the server."""

import contextlib
import dataclasses
import fcntl
import json
import os
import secrets
from pathlib import Path
from typing import Any

from volant_core import errors

DEFAULT = Path("~/.volant")
_OURS = "volant.json"
_LONG_LOG_BYTES = 16 * 2**20


@dataclasses.dataclass(frozen=True, slots=True)
class Keys:
    """The account of the object store."""

    access_key: str
    secret_key: str = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True, slots=True)
class State:
    """What a running server tells of itself."""

    pid: int
    grpc: tuple[str, ...]
    http: tuple[str, ...]
    s3: tuple[str, ...]
    ready: bool = False


class DataFolder:
    """A folder, mode 0700, that belongs to one server at a time."""

    def __init__(self, root: Path) -> None:
        """Name it; nothing is touched yet."""
        self.root = root.expanduser().absolute()
        self._lock: int | None = None

    @property
    def postgres(self) -> Path:
        """The database."""
        return self.root / "postgres"

    @property
    def objects(self) -> Path:
        """The object store."""
        return self.root / "objects"

    @property
    def secrets(self) -> Path:
        """What tasks can request."""
        return self.root / "secrets.json"

    @property
    def run(self) -> Path:
        """Sockets."""
        return self.root / "run"

    @property
    def log(self) -> Path:
        """Where a detached server logs."""
        return self.root / "server.log"

    def turn_log(self) -> None:
        """Put a long log aside, in place of the one before it."""
        with contextlib.suppress(OSError):
            if self.log.stat().st_size > _LONG_LOG_BYTES:
                self.log.replace(self.log.with_suffix(".log.1"))

    def exists(self) -> bool:
        """Whether a server has ever used it."""
        return (self.root / _OURS).exists()

    def create(self) -> None:
        """Make it if need be, private. FailedPreconditionError for a folder that holds something else."""
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not self.exists():
                if any(item.name != "server.log" for item in self.root.iterdir()):
                    raise errors.FailedPreconditionError(
                        f"{self.root} is not empty and no data folder of Volant; choose another (--data)"
                    )
                write_private(self.root / _OURS, json.dumps({"layout": 1}))
            if self.root.stat().st_mode & 0o077:
                self.root.chmod(0o700)
            layout = json.loads((self.root / _OURS).read_text()).get("layout")
        except (OSError, ValueError) as error:
            raise _unusable(self.root, error) from error
        if layout != 1:
            raise errors.FailedPreconditionError(
                f"{self.root} was made by a newer Volant (layout {layout}); start that version"
            )

    def lock(self) -> None:
        """Take it for this process, until `unlock` or the process' end. FailedPreconditionError when it is taken."""
        try:
            descriptor = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _unusable(self.root, error) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise errors.FailedPreconditionError(self._taken()) from error
        self._lock = descriptor

    def _taken(self) -> str:
        state = self.state()
        who = f" (process {state.pid}{', at http://' + state.http[0] if state.http else ''})" if state else ""
        return f"Volant already runs on {self.root}{who}; `volant down --data {self.root}` stops it"

    def unlock(self) -> None:
        """Give it back."""
        self.forget_state()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def is_locked(self) -> bool:
        """Whether a server holds it now."""
        try:
            descriptor = os.open(self.root / "lock", os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise _unusable(self.root, error) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def keys(self) -> Keys:
        """The object store's keys: random, made once, readable by the owner alone."""
        file = self.root / "keys.json"
        try:
            if not file.exists():
                made = {"access_key": secrets.token_hex(10), "secret_key": secrets.token_urlsafe(30)}
                write_private(file, json.dumps(made))
            return Keys(**json.loads(file.read_text()))
        except (OSError, ValueError, TypeError) as error:
            raise _unusable(file, error) from error

    def remember(self, name: str, value: object) -> None:
        """Keep a small fact for the next start, such as a port that was chosen."""
        facts = self._facts()
        facts[name] = value
        write_private(self.root / "facts.json", json.dumps(facts))

    def recall(self, name: str) -> Any:
        """A fact that was kept, or None."""
        return self._facts().get(name)

    def _facts(self) -> dict[str, Any]:
        with contextlib.suppress(FileNotFoundError, ValueError):
            found = json.loads((self.root / "facts.json").read_text())
            if isinstance(found, dict):
                return found
        return {}

    def write_state(self, state: State) -> None:
        """Tell other commands of this server."""
        write_private(self.root / "state.json", json.dumps(dataclasses.asdict(state)))

    def forget_state(self) -> None:
        """This server is no more."""
        with contextlib.suppress(OSError):
            (self.root / "state.json").unlink()

    def state(self) -> State | None:
        """What the server last told; trust it only while the folder is locked."""
        try:
            found = json.loads((self.root / "state.json").read_text())
            lists = {name: tuple(found[name]) for name in ("grpc", "http", "s3")}
            return State(pid=int(found["pid"]), ready=bool(found["ready"]), **lists)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def say_farewell(self, text: str) -> None:
        """Leave a sentence for `volant down`, which tells it."""
        with contextlib.suppress(OSError):
            write_private(self.root / "farewell", text)

    def farewell(self) -> str:
        """What the last server said when it stopped."""
        with contextlib.suppress(OSError):
            return (self.root / "farewell").read_text()
        return ""


def write_private(file: Path, text: str) -> None:
    """Write a file, whole or not at all, that only its owner reads."""
    written = file.with_name(f".{file.name}.new")
    descriptor = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    written.replace(file)


def _unusable(path: Path, error: Exception) -> errors.FailedPreconditionError:
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return errors.FailedPreconditionError(f"can't use {path}: {why}")
