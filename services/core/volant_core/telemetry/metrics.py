"""Metrics, in Prometheus' form. A service makes its own by `prometheus_client`, named `volant_…` with the unit last."""

import functools
from collections.abc import Callable

import prometheus_client

prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call] # a second series for every one

CONTENT_TYPE = prometheus_client.CONTENT_TYPE_LATEST

_SECONDS = prometheus_client.Histogram(
    "volant_rpc_seconds",
    "From a call's arrival to its end, by method and status.",
    ["method", "code"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)


@functools.cache
def _observe(method: str, code: str) -> Callable[[float], None]:
    return _SECONDS.labels(method, code).observe


def observe_rpc(method: str, code: str, seconds: float) -> None:
    """Take note of a call that ended; fits `volant_core.rpc.Observer`."""
    _observe(method, code)(seconds)


@functools.cache
def _gauge(name: str, documentation: str) -> prometheus_client.Gauge:
    return prometheus_client.Gauge(name, documentation)


def watch(name: str, documentation: str, value: Callable[[], float]) -> None:
    """Show a value that is asked for whenever metrics are read. A later call takes a name over."""
    _gauge(name, documentation).set_function(value)


def render() -> bytes:
    """All metrics of this process as Prometheus reads them."""
    return prometheus_client.generate_latest()
