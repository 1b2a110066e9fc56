"""What can be set in the control plane."""

import dataclasses
import datetime

from volant_admin.dataproxy.settings import DataProxySettings
from volant_admin.dispatch.settings import DispatchSettings
from volant_admin.executions.settings import ExecutionSettings


@dataclasses.dataclass(frozen=True, slots=True)
class Domain:
    """A domain: the same for all projects."""

    id: str
    name: str


@dataclasses.dataclass(frozen=True, slots=True)
class TaskLimits:
    """The most that a task may ask for, as Kubernetes writes amounts; empty means no limit."""

    cpu: str = ""
    memory: str = ""
    gpu: str = ""
    ephemeral_storage: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class AdminSettings:
    """Settings of the control plane."""

    domains: tuple[Domain, ...] = (
        Domain("development", "development"),
        Domain("staging", "staging"),
        Domain("production", "production"),
    )
    seed_projects: tuple[str, ...] = ("flytesnacks",)
    """Projects made at start when they are not there."""
    metadata_prefix: tuple[str, ...] = ("metadata", "admin")
    """Where compiled closures are kept, below the bucket."""
    workflow_nodes_limit: int = 0
    """Nodes in a workflow, start and end left out; 0 means no limit."""
    workflow_bytes_limit: int = 0
    """Bytes of a compiled closure; 0 means no limit."""
    project_check_age: datetime.timedelta = datetime.timedelta(seconds=5)
    """For how long a project found active is taken to be so (another replica may have archived it)."""
    closure_cache_bytes: int = 32 * 2**20
    """Bytes of compiled closures kept in memory."""
    task_limits: TaskLimits = TaskLimits()
    """Where no TASK_RESOURCE attributes say otherwise."""
    executions: ExecutionSettings = dataclasses.field(default_factory=ExecutionSettings)
    dispatch: DispatchSettings = dataclasses.field(default_factory=DispatchSettings)
    pages_url: str = ""
    """URL of the pages as browsers reach them, told to clients that ask for the version; `volant up` knows its own."""
    dataproxy: DataProxySettings = dataclasses.field(default_factory=DataProxySettings)
