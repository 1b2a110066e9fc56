"""Logs: one line an event, JSON for machines or readable on a terminal, with what is bound to the task at hand.

Our code logs by structlog; what libraries log by `logging` comes out in the same form at the same place.
"""

import contextlib
import dataclasses
import logging
import sys
from typing import Literal, TextIO

import structlog


@dataclasses.dataclass(frozen=True, slots=True)
class LogSettings:
    """What is logged, and how it looks."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severity that is logged."""
    form: Literal["auto", "json", "text"] = "auto"
    """`auto` is text on a terminal, else JSON."""


def configure_logs(settings: LogSettings, service: str, stream: TextIO | None = None) -> None:
    """Set this process's logs up, for structlog and `logging` alike. `stream` is standard error if left out."""
    out = stream or sys.stderr
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    text = settings.form == "text" or (settings.form == "auto" and out.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _named(service),
    ]
    last: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer(colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback)]
        if text
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=False,  # loggers of modules are made before this runs
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name, structlog.stdlib.ExtraAdder()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(level, logging.INFO))
    for chatty in ("aiohttp.access", "urllib3", "minio"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def bound(**values: str) -> contextlib.AbstractContextManager[None]:
    """Within it, all that this task logs carries `values`: `bound(execution="p/d/n", node="n0")`."""
    return structlog.contextvars.bound_contextvars(**values)


def _named(service: str) -> structlog.typing.Processor:
    def add(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event["service"] = service
        return event

    return add
