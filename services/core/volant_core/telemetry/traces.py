"""Traces, by OpenTelemetry; nothing at all, and nothing imported, unless an OTLP endpoint is configured.

An execution's trace id is made of its identifier, so whoever works for it, in whatever process and after whatever
crash, adds to the same trace without being told. Within one request context travels in gRPC metadata (traceparent).
"""

import contextlib
import dataclasses
import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import grpc.aio


@dataclasses.dataclass(frozen=True, slots=True)
class TraceSettings:
    """Where traces go."""

    endpoint: str = dataclasses.field(default_factory=lambda: os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", ""))
    """Base URL of an OTLP/HTTP collector, such as http://localhost:4318; empty for no traces."""
    sampled: float = 1.0
    """The part of traces that is kept, 0 to 1; an execution's spans are kept or dropped together."""


class _Otel:
    """OpenTelemetry's parts, once they are imported."""

    def __init__(self, settings: TraceSettings, service: str, exporter: Any) -> None:
        # Heavy, and most processes are never traced.
        from opentelemetry import propagate, trace  # noqa: PLC0415
        from opentelemetry.exporter.otlp.proto.http import trace_exporter  # noqa: PLC0415
        from opentelemetry.sdk import resources  # noqa: PLC0415
        from opentelemetry.sdk import trace as sdk  # noqa: PLC0415
        from opentelemetry.sdk.trace import export, sampling  # noqa: PLC0415

        self.trace = trace
        self.propagate = propagate
        self.provider = sdk.TracerProvider(
            resource=resources.Resource.create({"service.name": service}),
            sampler=sampling.TraceIdRatioBased(settings.sampled),
        )
        if exporter is None:
            exporter = trace_exporter.OTLPSpanExporter(f"{settings.endpoint.rstrip('/')}/v1/traces")
            self.provider.add_span_processor(export.BatchSpanProcessor(exporter))
        else:
            self.provider.add_span_processor(export.SimpleSpanProcessor(exporter))
        self.tracer = self.provider.get_tracer("volant")


_otel: _Otel | None = None
_NOTHING = contextlib.nullcontext()


@contextlib.contextmanager
def open_traces(settings: TraceSettings, service: str, *, exporter: Any = None) -> Iterator[None]:
    """Trace this process until the end of the block, which flushes. `exporter` replaces OTLP's (for tests)."""
    global _otel  # noqa: PLW0603 - a process has one tracer, and asking for it must cost nothing
    if not settings.endpoint and exporter is None:
        yield
        return
    _otel = _Otel(settings, f"volant-{service}", exporter)
    try:
        yield
    finally:
        otel, _otel = _otel, None
        otel.provider.shutdown()


def span(name: str, **attributes: str | int) -> contextlib.AbstractContextManager[object]:
    """A span below the one at hand."""
    if _otel is None:
        return _NOTHING
    return _otel.tracer.start_as_current_span(name, attributes=attributes)


def execution_span(
    name: str, project: str, domain: str, execution: str, **attributes: str | int
) -> contextlib.AbstractContextManager[object]:
    """A span in an execution's own trace, linked to the one at hand (the request that it came by)."""
    if _otel is None:
        return _NOTHING
    trace = _otel.trace
    at_hand = trace.get_current_span().get_span_context()
    root = _root(_otel, project, domain, execution)
    return _otel.tracer.start_as_current_span(
        name,
        context=trace.set_span_in_context(trace.NonRecordingSpan(root)),
        links=[trace.Link(at_hand)] if at_hand.is_valid and at_hand.trace_id != root.trace_id else (),
        attributes={"volant.execution": f"{project}/{domain}/{execution}", **attributes},
    )


def work_span(
    name: str, executions: Iterable[tuple[str, str, str]], **attributes: str | int
) -> contextlib.AbstractContextManager[object]:
    """A span of work for several executions at once (project, domain, name of each).

    For a single one it is in that one's trace; else in a trace of its own, linked to theirs.
    """
    if _otel is None:
        return _NOTHING
    several = list(executions)
    if len(several) == 1:
        project, domain, execution = several[0]
        return execution_span(name, project, domain, execution, **attributes)
    return _otel.tracer.start_as_current_span(
        name, links=[_otel.trace.Link(_root(_otel, *one)) for one in several], attributes=attributes
    )


def record_span(
    name: str,
    execution: tuple[str, str, str],
    began_ns: int,
    ended_ns: int,
    *,
    error: str = "",
    **attributes: str | int,
) -> None:
    """A span in an execution's trace of what is over: nanoseconds since 1970."""
    if _otel is None:
        return
    trace = _otel.trace
    one = _otel.tracer.start_span(
        name,
        context=trace.set_span_in_context(trace.NonRecordingSpan(_root(_otel, *execution))),
        start_time=began_ns,
        attributes={"volant.execution": "/".join(execution), **attributes},
    )
    if error:
        one.set_status(trace.StatusCode.ERROR, error)
    one.end(max(began_ns, ended_ns))


def is_tracing() -> bool:
    """Whether spans go anywhere: to be asked before work that serves them alone."""
    return _otel is not None


def trace_id_of(project: str, domain: str, execution: str) -> int:
    """The id of an execution's trace; as 32 hex digits it finds the trace in a viewer."""
    return int.from_bytes(_digest(project, domain, execution)[:16])


def _root(otel: _Otel, project: str, domain: str, execution: str) -> Any:
    """What stands for the execution itself: the parent of every span that works for it."""
    return otel.trace.SpanContext(
        trace_id=trace_id_of(project, domain, execution),
        span_id=_span_id_of(project, domain, execution),
        is_remote=True,
        trace_flags=otel.trace.TraceFlags(otel.trace.TraceFlags.SAMPLED),
    )


def _span_id_of(project: str, domain: str, execution: str) -> int:
    return int.from_bytes(_digest(project, domain, execution)[16:24])


def _digest(*parts: str) -> bytes:
    return hashlib.sha256("\0".join(parts).encode()).digest()


def rpc_scope(method: str, context: Any) -> contextlib.AbstractContextManager[object]:
    """The span of a call that is served, below its caller's; fits `volant_core.rpc.Scope`."""
    if _otel is None:
        return _NOTHING
    carrier = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
    return _otel.tracer.start_as_current_span(
        method.removeprefix("/"), context=_otel.propagate.extract(carrier), kind=_otel.trace.SpanKind.SERVER
    )


def client_interceptors() -> Sequence[grpc.aio.ClientInterceptor]:
    """What a channel needs so that the calls on it carry the trace; nothing while nothing is traced."""
    return [] if _otel is None else [_UnaryTracer(), _StreamTracer()]


def _with_trace(details: grpc.aio.ClientCallDetails) -> grpc.aio.ClientCallDetails:
    carrier: dict[str, str] = {}
    if _otel is not None:
        _otel.propagate.inject(carrier)
    metadata = grpc.aio.Metadata(*(details.metadata or ()), *carrier.items())
    return grpc.aio.ClientCallDetails(
        details.method, details.timeout, metadata, details.credentials, details.wait_for_ready
    )


class _UnaryTracer(grpc.aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return await continuation(_with_trace(client_call_details), request)


class _StreamTracer(grpc.aio.StreamStreamClientInterceptor):
    async def intercept_stream_stream(self, continuation: Any, client_call_details: Any, request_iterator: Any) -> Any:
        return await continuation(_with_trace(client_call_details), request_iterator)
