"""Where a task runs: what `current_context()` gives to user code, and where its large values are written.

The current context is a context variable, so that tasks of one process can run side by side in threads.
"""

from __future__ import annotations

import atexit
import contextlib
import contextvars
import dataclasses
import datetime
import functools
import logging
import os
import pathlib
import shutil
import tempfile
import uuid
from collections.abc import Iterator

from volant import checkpoint as checkpoints
from volant import deck as decks_module
from volant import secrets as secrets_module


@dataclasses.dataclass(frozen=True)
class ExecutionId:
    """Which execution a task belongs to."""

    project: str = ""
    domain: str = ""
    name: str = "local"


@dataclasses.dataclass(frozen=True)
class TaskId:
    """Which registered task runs."""

    project: str = ""
    domain: str = ""
    name: str = ""
    version: str = ""


@dataclasses.dataclass
class Context:
    """What a running task can ask about itself."""

    raw_output_prefix: str = ""
    """URI below which large values are written; empty where nothing was set up (a temporary folder is made then)."""
    output_metadata_prefix: str = ""
    """URI of the attempt's own folder, with outputs.pb and deck.html; empty in local runs."""
    execution_id: ExecutionId = dataclasses.field(default_factory=ExecutionId)
    task_id: TaskId = dataclasses.field(default_factory=TaskId)
    execution_date: datetime.datetime = dataclasses.field(default_factory=lambda: datetime.datetime.now(datetime.UTC))
    """When the task started."""
    attempt: int = 0
    """The attempt's number, from 0."""
    checkpoint: checkpoints.Checkpoint | None = None
    """What an earlier attempt saved, and where this one saves; None in a local run without retries."""
    secrets: secrets_module.Secrets = dataclasses.field(default_factory=secrets_module.Secrets)
    decks: list[decks_module.Deck] = dataclasses.field(default_factory=list)
    enable_deck: bool = False
    uploads: bool = False
    """Whether local files are copied below the raw output prefix even where that is only made when first needed."""

    @property
    def logging(self) -> logging.Logger:
        """A logger whose output stands in the task's log."""
        return logging.getLogger("volant.task")

    @functools.cached_property
    def working_directory(self) -> str:
        """A folder for the task's own use, removed when the process ends."""
        return str(_temporary_root() / uuid.uuid4().hex)

    @property
    def default_deck(self) -> decks_module.Deck:
        """The deck that is shown first."""
        for deck in self.decks:
            if deck.name == "default":
                return deck
        deck = decks_module.Deck("default", attach=False)
        self.decks.insert(0, deck)
        return deck

    def new_uri(self, name: str = "") -> str:
        """A fresh URI below the raw output prefix, ending in a name if one is given."""
        prefix = self.raw_output_prefix or str(_temporary_root() / "raw")
        fresh = f"{prefix.rstrip('/')}/{uuid.uuid4().hex}"
        return f"{fresh}/{name}" if name else fresh

    def local_path(self, name: str = "") -> pathlib.Path:
        """A fresh local path, in a folder that exists."""
        folder = pathlib.Path(self.working_directory, uuid.uuid4().hex[:12])
        folder.mkdir(parents=True, exist_ok=True)
        return folder / (name or "data")


_current: contextvars.ContextVar[Context | None] = contextvars.ContextVar("volant_context", default=None)
_fallback: Context | None = None


def current_context() -> Context:
    """The context of the running task; outside tasks, one that writes to a temporary folder."""
    found = _current.get()
    if found is not None:
        return found
    global _fallback  # noqa: PLW0603 - one for each process, made when first needed
    if _fallback is None:
        _fallback = Context()
    return _fallback


@contextlib.contextmanager
def using(context: Context) -> Iterator[Context]:
    """Make a context the current one for the time of a `with` block."""
    token = _current.set(context)
    try:
        yield context
    finally:
        _current.reset(token)


def cache_folder() -> pathlib.Path:
    """The folder of what the SDK may lose: $XDG_CACHE_HOME/volant, or ~/.cache/volant."""
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base, "volant")


_roots: dict[int, pathlib.Path] = {}


def _temporary_root() -> pathlib.Path:
    """This process's temporary folder; a forked child gets its own."""
    process = os.getpid()
    if process not in _roots:
        _roots[process] = pathlib.Path(tempfile.mkdtemp(prefix="volant-"))
        atexit.register(_remove_temporary_root, process)
    return _roots[process]


def _remove_temporary_root(process: int) -> None:
    if process == os.getpid():
        shutil.rmtree(_roots[process], ignore_errors=True)
