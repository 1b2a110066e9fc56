"""What an engine counts."""

import collections
from collections.abc import Sequence

import prometheus_client

from volantidl.core import execution_pb2
from volantidl.dispatch import dispatch_pb2

REPORT_SECONDS = prometheus_client.Histogram(
    "volant_engine_report_seconds",
    "From the sending of a report to its being recorded, waiting for admin included.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60),
)
_NODES = prometheus_client.Counter("volant_engine_nodes_total", "Node records sent to admin, by phase.", ["phase"])
_ATTEMPTS = prometheus_client.Counter(
    "volant_engine_attempts_total", "Attempt records sent to admin, by phase.", ["phase"]
)


def count(request: dispatch_pb2.ReportRequest) -> None:
    """A report was recorded."""
    nodes: collections.Counter[int] = collections.Counter()
    attempts: collections.Counter[int] = collections.Counter()
    for part in request.executions:
        nodes.update([node.phase for node in part.nodes])
        attempts.update([task.phase for task in part.tasks])
    for phase, number in nodes.items():
        _NODES.labels(_name(execution_pb2.NodeExecution.Phase.items(), phase)).inc(number)
    for phase, number in attempts.items():
        _ATTEMPTS.labels(_name(execution_pb2.TaskExecution.Phase.items(), phase)).inc(number)


def _name(phases: Sequence[tuple[str, int]], number: int) -> str:
    return next((name for name, known in phases if known == number), str(number))
