"""What can be set of dispatch."""

import dataclasses
import datetime


@dataclasses.dataclass(frozen=True, slots=True)
class DispatchSettings:
    """Settings of dispatch."""

    lease: datetime.timedelta = datetime.timedelta(seconds=15)
    """How long an engine's leases last without a heartbeat. The clocks of replicas must agree to a fraction of it."""
    claim_batch: int = 200
    """Executions leased by one statement."""
    load_bytes: int = 2**20 - 2**14
    """Bytes of one message of LoadExecution."""
    load_rows: int = 1000
    """Rows read at once for LoadExecution."""
    retry_pause: datetime.timedelta = datetime.timedelta(seconds=1)
    """Before trying again what failed because the database was away."""
