"""What can be set of executions."""

import dataclasses
import datetime


@dataclasses.dataclass(frozen=True, slots=True)
class ExecutionSettings:
    """Settings of executions and of the values that are shown of them."""

    max_parallelism: int = 25
    """Task, array and launch plan nodes of an execution that run at once, where no one says otherwise."""
    inline_bytes: int = 16 * 1024
    """Bytes of inputs that are kept in the row; larger ones go to the blob store."""
    shown_bytes: int = 8 * 2**20
    """Bytes of inputs or outputs that a data RPC carries (flytekit takes 20 MiB in one message); for larger ones it
    gives a signed URL."""
    url_lifetime: datetime.timedelta = datetime.timedelta(hours=1)
    """Of these URLs."""
    elements_shown: int = 5000
    """Elements of a map task that its task execution lists: failed and running ones before others."""
    elements_bytes: int = 900_000
    """Bytes of these."""
    launch_plans_kept: int = 1000
    """Launch plans kept in memory."""
