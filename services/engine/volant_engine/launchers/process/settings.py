"""What the process launcher needs to be told."""

import dataclasses
import os
import pathlib
import shutil
from collections.abc import Mapping

from volant_engine.launchers.process import commands

SHORT_PATH = 80
"""Bytes. A longer temporary folder leaves no room for the sockets that libraries put into it (108 with their names)."""


@dataclasses.dataclass(frozen=True, slots=True)
class ProcessSettings:
    """Where and how attempts run on this machine."""

    data: pathlib.Path
    """The data folder; attempts, unpacked code and zygotes have their folders in it."""
    python: pathlib.Path
    """The interpreter that tasks run with. It needs the user's packages, none of ours."""
    slots: int = dataclasses.field(default_factory=lambda: os.cpu_count() or 1)
    """Attempts that run at a time; those that wait for other executions (eager) count none."""
    bucket: str = "volant"
    """The platform's own bucket."""
    store_root: pathlib.Path | None = None
    """The folder of the object store where it is on this machine: tasks then read and write it without HTTP."""
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Given to every attempt: addresses and keys of the platform (FLYTE_AWS_*, FLYTE_PLATFORM_*). A task's own win."""
    inherited: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """The server's own environment, which attempts get too but for what is ours (`commands.inheritable`)."""
    warm: tuple[str, ...] = ("flytekit", "volant")
    """SDKs that are loaded from the start, where the interpreter has them."""
    spare: bool = True
    """Fork the next attempt of the version used last ahead of its time, while slots are free."""
    versions: int = 8
    """Zygotes of code versions that are kept; the least recently used end first."""
    environments_kept: int = 16
    """Environments that stand in for images and are kept on disk; the least recently used go first."""
    environments_safe: float = 3600.0
    """Seconds since its last use for which an environment is not removed: an attempt may still import from it."""
    environments_warm: int = 4
    """Environments that have zygotes at a time; the least recently used end first."""
    grace: float = 5.0
    """Seconds between asking an attempt to end and killing it."""
    log_flush: float = 5.0
    """Seconds between copies of a running attempt's log into the object store."""
    log_limit: int = 16 << 20
    """Bytes of an attempt's log that are stored; of a longer one the first and last half."""
    log_address: str = ""
    """What a log's link starts with, before `<bucket>/<key>`; empty: the log's URI in the object store."""
    keep_ended: bool = False
    """Keep the folders of attempts that are recorded as ended (to look into them)."""
    memory_interval: float = 0.25
    """Seconds between looks at the memory of attempts with a limit, where there are no cgroups to do it."""

    @property
    def attempts(self) -> pathlib.Path:
        """The folder of attempt folders."""
        return self.data / "attempts"

    @property
    def code(self) -> pathlib.Path:
        """The folder of unpacked code."""
        return self.data / "code"

    @property
    def environments(self) -> pathlib.Path:
        """The folder of the environments that stand in for images."""
        return self.data / "environments"

    @property
    def zygotes(self) -> pathlib.Path:
        """The folder of the zygotes' logs and of what they write."""
        return self.data / "zygotes"


def absolute(settings: ProcessSettings) -> ProcessSettings:
    """The settings with whole paths: zygotes and attempts work in folders of their own."""
    named = shutil.which(settings.python) if settings.python.parent == pathlib.Path() else None
    return dataclasses.replace(
        settings,
        data=settings.data.absolute(),
        # Not resolved: through a link into another folder, the interpreter would forget its virtual environment.
        python=pathlib.Path(named or settings.python).absolute(),
        store_root=settings.store_root and settings.store_root.absolute(),
    )


def base_environment(settings: ProcessSettings) -> dict[str, str]:
    """What every zygote and attempt has."""
    base = {**commands.inheritable(settings.inherited), **settings.environment}
    base["PATH"] = os.pathsep.join([str(settings.python.parent), base.get("PATH") or os.defpath])
    if "PYTHONPATH" in base:  # attempts work in folders of their own
        parts = [part for part in base["PYTHONPATH"].split(os.pathsep) if part]
        base["PYTHONPATH"] = os.pathsep.join(map(os.path.abspath, parts))
    base.setdefault("AWS_RETRY_MODE", "standard")
    base.setdefault("AWS_MAX_ATTEMPTS", "12")
    if settings.store_root is not None:
        base["VOLANT_STORE_ROOT"] = str(settings.store_root)
        base["VOLANT_STORE_BUCKET"] = settings.bucket
    return base
