"""Logs, traces and metrics: how any service tells what it does. What it tells is said where it happens.

Nothing here may cost a call more than microseconds while nobody listens; what is heavy is imported when configured.
"""

from volant_core.telemetry.logs import LogSettings, bound, configure_logs
from volant_core.telemetry.metrics import observe_rpc, render, watch
from volant_core.telemetry.traces import (
    TraceSettings,
    client_interceptors,
    execution_span,
    is_tracing,
    open_traces,
    record_span,
    rpc_scope,
    span,
    work_span,
)

__all__ = [
    "LogSettings",
    "TraceSettings",
    "bound",
    "client_interceptors",
    "configure_logs",
    "execution_span",
    "is_tracing",
    "observe_rpc",
    "open_traces",
    "record_span",
    "render",
    "rpc_scope",
    "span",
    "watch",
    "work_span",
]
