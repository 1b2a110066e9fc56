"""What a server is told: which services it runs, where it listens, what it depends on."""

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from volant_admin.settings import AdminSettings
from volant_core import telemetry
from volant_core.rpc import ServerSettings as RpcSettings
from volant_datacatalog.settings import DatacatalogSettings
from volant_engine.launchers.connectors.settings import ConnectorSettings
from volant_engine.launchers.kubernetes.settings import KubernetesSettings
from volant_engine.settings import EngineSettings

ServiceName = Literal["admin", "datacatalog", "engine", "objectstore"]
SERVICES: tuple[ServiceName, ...] = ("admin", "datacatalog", "engine", "objectstore")


@dataclasses.dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """PostgreSQL."""

    dsn: str = dataclasses.field(default="", repr=False)
    """Address, such as postgresql://user:password@host/database."""
    connections: int = 10
    """Connections that this process holds at most."""
    migrate: bool = True
    """Whether the start brings the schemas up to date; else it only checks that `volant-server migrate` did."""
    patience_s: float = 0.0
    """Seconds that the start waits for the database to answer and, without `migrate`, for its schemas to be there."""
    check_s: float = 5.0
    """Seconds between looks at whether the database answers, which health tells of."""


@dataclasses.dataclass(frozen=True, slots=True)
class ListenSettings:
    """Where this process answers. Empty: not at all."""

    grpc: str = "127.0.0.1:8089"
    """gRPC. 127.0.0.1 and localhost mean ::1 as well."""
    http: str = "127.0.0.1:8088"
    """HTTP: pages, health, metrics, the JSON gateway."""
    both: str = ""
    """One port for gRPC and HTTP/1.1, besides or instead of the two."""
    s3: str = "127.0.0.1:8087"
    """The embedded object store, where this process runs it."""
    hosts: tuple[str, ...] = ()
    """Names, besides its addresses, under which a browser may ask it."""


@dataclasses.dataclass(frozen=True, slots=True)
class BlobSettings:
    """The object store, as the services and tasks reach it."""

    kind: Literal["folder", "s3"] = "s3"
    """`folder`: on this machine, in `root`. `s3`: any S3-compatible service at `endpoint`."""
    root: Path | None = None
    """The folder, for kind `folder` and for the service `objectstore`."""
    bucket: str = "volant"
    """The platform's own bucket."""
    endpoint: str = ""
    """URL for services and tasks."""
    public_endpoint: str = ""
    """URL for which uploads and downloads by clients are signed; `endpoint` if empty."""
    region: str = "us-east-1"
    """Given, never asked for."""
    access_key: str = ""
    """The account's name."""
    secret_key: str = dataclasses.field(default="", repr=False)
    """Its secret."""
    fsync: bool = False
    """For kind `folder`: whether a value has reached the disk when a put returns, and so survives power loss too."""


@dataclasses.dataclass(frozen=True, slots=True)
class PeerSettings:
    """Services that run elsewhere."""

    admin: str = ""
    """gRPC address of admin, for an engine; this process' own if empty."""
    datacatalog: str = ""
    """gRPC address of the datacatalog, for an engine; this process' own if empty."""
    token: str = dataclasses.field(default="", repr=False)
    """Secret by which engines prove themselves to admin and the datacatalog, the same in all processes. Empty: drawn at
    the start, which does where one process runs all services."""


@dataclasses.dataclass(frozen=True, slots=True)
class TaskSettings:
    """How tasks run: which launcher, and how the process launcher does it."""

    launcher: Literal["process", "kubernetes"] = "process"
    """`process`: as processes of this machine. `kubernetes`: as pods of a cluster, see `kubernetes`."""
    folder: Path | None = None
    """Where attempts, unpacked code and secrets are kept."""
    python: Path | None = None
    """The interpreter that tasks run with; this process' own if None."""
    slots: int = 0
    """Attempts that run at once; 0 for as many as there are cores."""
    environment: Mapping[str, str] = dataclasses.field(default_factory=lambda: dict(os.environ), repr=False)
    """What tasks inherit, but for what is ours."""
    end_at_shutdown: bool = False
    """Whether shutdown ends what runs; else it runs on, and is adopted at the next start."""


@dataclasses.dataclass(frozen=True, slots=True)
class ShutdownSettings:
    """How long each step of shutdown may take; the sequence is in `composition`."""

    notice_s: float = 0.0
    """Seconds for which health says that it leaves while all is still served, so that nobody new is sent here."""
    engine_s: float = 15.0
    """Seconds for the engine to detach and to send its last reports."""
    attempts_s: float = 15.0
    """Seconds for attempts to be ended, where they are."""
    calls_s: float = 5.0
    """Seconds for calls in progress."""


@dataclasses.dataclass(frozen=True, slots=True)
class ServerSettings:
    """All of it."""

    services: tuple[ServiceName, ...] = SERVICES
    """What this process runs."""
    alone: bool = False
    """Whether no other process works on this database: then leases of earlier ones are void at the start."""
    run_folder: Path | None = None
    """For this process' sockets, private to its user; made below the temporary folder if None."""
    database: DatabaseSettings = DatabaseSettings()
    listen: ListenSettings = ListenSettings()
    blobs: BlobSettings = BlobSettings()
    peers: PeerSettings = PeerSettings()
    tasks: TaskSettings = dataclasses.field(default_factory=TaskSettings)
    kubernetes: KubernetesSettings = dataclasses.field(default_factory=KubernetesSettings)
    connectors: ConnectorSettings = ConnectorSettings()  # noqa: RUF009 - frozen
    datacatalog: DatacatalogSettings = DatacatalogSettings()  # noqa: RUF009 - frozen
    engine: EngineSettings = EngineSettings()  # noqa: RUF009 - frozen
    admin: AdminSettings = AdminSettings()  # noqa: RUF009 - frozen
    rpc: RpcSettings = RpcSettings()  # noqa: RUF009 - frozen
    logs: telemetry.LogSettings = telemetry.LogSettings()  # noqa: RUF009 - frozen
    traces: telemetry.TraceSettings = dataclasses.field(default_factory=telemetry.TraceSettings)
    shutdown: ShutdownSettings = ShutdownSettings()
