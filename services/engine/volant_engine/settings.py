"""What an operator may set for an engine."""

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class EngineSettings:
    """How an engine behaves. The defaults suit one machine."""

    name: str = "engine"
    """For people and logs, such as the host's."""
    capacity: int = 0
    """Executions driven at once; 0 for no bound."""
    report_bytes: int = 1_000_000
    """About how large a report may be, in bytes; what is more goes into the next."""
    report_seconds: float = 0.05
    """How long news of nodes may be put off, to go together, in seconds; that of executions goes at once."""
    launches: int = 64
    """Launches under way at once (not attempts: those the launcher bounds)."""
    launch_tries: int = 60
    """How often a launch is tried while the launcher is away, before the attempt fails."""
    loads: int = 16
    """Executions loaded at once, as after a restart."""
    reads: int = 64
    """Reads of what attempts left, under way at once."""
    value_bytes: int = 64 * 1024 * 1024
    """The largest inputs or outputs file that is read, in bytes."""
    cached_value_bytes: int = 64 * 1024 * 1024
    """Memory for large outputs that several nodes need, in bytes."""
    closures: int = 64
    """Compiled workflows kept in memory."""
    inline_bytes: int = 16 * 1024
    """Values made by the engine travel in its reports up to this size, in bytes; larger ones are stored."""
    held_bytes: int = 64 * 1024
    """Outputs are held in memory until they are needed up to this size, in bytes; larger ones are read again."""
    array_window: int = 512
    """Elements of one array in flight where the user sets no bound."""
    slice_steps: int = 256
    """Transitions made for one execution before others get the processor."""
    system_retries: int = 3
    """Tries again after failures that are not the user's, for each node."""
    interruptible_threshold: int = -1
    """System failures after which a node is no longer interruptible; 0 or less counts back from the last try."""
    restarts: int = 10
    """How often an execution is loaded anew after a fault of the engine, before it is failed."""
    stop_seconds: float = 30.0
    """How long stopping one attempt may take, in seconds, before the execution goes on without."""
    call_seconds: float = 30.0
    """Deadline of one call to another service, in seconds."""
    drain_seconds: float = 10.0
    """How long leaving may take to send the last reports, in seconds."""
    retry_seconds: tuple[float, float] = (0.1, 5.0)
    """The first and the longest pause before something that is away is tried again, in seconds."""
    cache_seconds: float = 0.0
    """How old cached outputs may be, in seconds; 0 for any age."""
    reservation_seconds: float = 10.0
    """How long the right to fill a cache entry is asked for, in seconds; it is extended in time."""
