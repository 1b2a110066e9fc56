"""Logs, traces and metrics: how any service tells what it does. What it tells is said where it happens.

Nothing here may cost a call more than microseconds while nobody listens; what is heavy is imported when configured.
"""

from volant_core.telemetry.logs import LogSettings, bound, configure_logs
from volant_core.telemetry.metrics import observe_rpc, render
from volant_core.telemetry.traces import (
    TraceSettings,
    client_interceptors,
    execution_span,
    open_traces,
    rpc_scope,
    span,
)

__all__ = [
    "LogSettings",
    "TraceSettings",
    "bound",
    "client_interceptors",
    "configure_logs",
    "execution_span",
    "observe_rpc",
    "open_traces",
    "render",
    "rpc_scope",
    "span",
]
