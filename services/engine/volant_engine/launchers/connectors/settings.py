"""What an operator may set for connectors."""

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class ConnectorSettings:
    """Which connectors there are, and how patient we are with them."""

    endpoints: tuple[str, ...] = ()
    """Where connectors answer: "host:port", or "https://host:port" for TLS. They say which task types they serve."""
    discovery_seconds: float = 10.0
    """How long it is believed that no connector serves a task type, in seconds."""
    call_seconds: float = 30.0
    """Deadline of one call, in seconds."""
    sync_seconds: float = 3600.0
    """Deadline of a task that a connector runs within one call, in seconds."""
    poll_seconds: tuple[float, float] = (0.2, 10.0)
    """The first and the longest pause between looks at a job, in seconds: connectors do not tell, they are asked."""
    lost_seconds: float = 300.0
    """How long a connector may fail to say how a job is, in seconds, before the attempt is given up."""
