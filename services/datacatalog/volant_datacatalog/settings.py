"""Settings of the cache of task outputs."""

import dataclasses
import datetime


@dataclasses.dataclass(frozen=True, slots=True)
class DatacatalogSettings:
    """What can be chosen."""

    inline_bytes: int = 16 << 10
    """Data of an artifact up to this size is kept in its row, bytes."""
    content_bytes: int = 64 << 20
    """Largest data of an artifact, bytes."""
    prefix: tuple[str, ...] = ("metadata", "datacatalog")
    """Where larger data goes, below the platform's own bucket."""
    heartbeat: datetime.timedelta = datetime.timedelta(seconds=10)
    """Longest heartbeat interval of a reservation, and the one of claims that name none."""
    heartbeats: int = 3
    """How many heartbeat intervals a reservation lasts."""
    page: int = 50
    """Rows of a list when the request names no limit."""
    largest_page: int = 1000
    """Most rows of a list."""
    batch: int = 1000
    """Most questions of one call of the batch service."""
